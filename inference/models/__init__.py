"""A model as it lies on disk: where, which files, what their headers and configurations say; nothing is loaded."""
