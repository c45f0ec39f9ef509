"""Understanding a query: its text, the conditions on its results, and what its words say about both."""

from search.query.conditions import Where, contradiction, holds, read_number, read_where
from search.query.fields import Candidate
from search.query.text import Query, read_limits, read_query

__all__ = [
    "Candidate", "Query", "Where", "contradiction", "holds", "read_limits", "read_number", "read_query", "read_where",
]  # fmt: skip
