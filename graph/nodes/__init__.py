"""One node of the match graph, read from the store: its neighbours, votes and paths, however many it has."""
