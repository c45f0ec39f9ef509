"""Second floor: sources become capabilities, claims, and an index that only proven text enters."""
