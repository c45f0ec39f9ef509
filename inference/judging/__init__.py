"""Between claims and probes: what a claim says, which probe decides it, and what a result means for it."""
