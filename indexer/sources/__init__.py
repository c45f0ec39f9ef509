"""One file a source; each turns files into artifacts and names what it had to refuse."""
