"""Top floor: the command line, a thin caller."""
