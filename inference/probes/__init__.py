"""One file a probe family."""
