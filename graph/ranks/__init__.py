"""The scores of artifacts: what they are made of, their definition, and the columns that keep up with the log."""
