"""What the log says of the artifacts of an index, for one query."""
