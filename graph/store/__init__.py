"""The store: catalogue, evidence, events, folded counts. Functions take an open connection of `database`."""
