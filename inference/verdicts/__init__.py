"""From measurements to verdicts: pure statistics, no model and no claim's words."""
