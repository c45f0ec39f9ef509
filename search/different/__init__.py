"""Something different: the same job as an artifact, but differing the way the user says."""

from search.different.find import Alternatives, find_different, rank_different
from search.different.phrases import Wish, read_wish

__all__ = ["Alternatives", "Wish", "find_different", "rank_different", "read_wish"]
