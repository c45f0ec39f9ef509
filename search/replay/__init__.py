"""Replay: a directory's own log becomes events; what is skipped is counted, with its reason."""
