"""Something different: the same job as an artifact, but differing the way the user says."""

from search.different.alternatives import Alternatives
from search.different.find import find_different, rank_different
from search.different.phrases import Wish, read_wish

__all__ = ["Alternatives", "Wish", "find_different", "rank_different", "read_wish"]
