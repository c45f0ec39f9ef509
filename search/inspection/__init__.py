"""Looking at the match graph: nodes, lists, paths, ranks and what changed them."""
