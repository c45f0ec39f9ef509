"""First floor: everything that touches a model: encoding, loading, checking, probing, judging."""
