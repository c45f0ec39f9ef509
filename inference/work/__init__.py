"""Verification as work: surveyed, planned, shared among processes, run unit by unit and recorded."""
