"""How good search is, measured on labelled queries."""
