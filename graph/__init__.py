"""Ground floor: words, records, store, match graph, scores. Imports nothing of ours."""
