"""Fitting, at every build, of the probability that something in the index answers a query."""
