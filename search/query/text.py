"""The text of a query: redacted, on one line, bounded; and how much of the answer is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from graph.constants import LIMIT_MAX, QUERY_MAX_CHARS
from graph.errors import QueryError
from graph.redact import redact


@dataclass(frozen=True)
class Query:
    """A query ready to be searched: the redacted text, and what was done to it.

    `words` are what is left to be searched for where limits were read from the text; empty where none was.
    """

    text: str
    redacted: tuple[str, ...]
    cut: bool
    words: str = ""

    @property
    def searched(self) -> str:
        """What is encoded and looked up."""
        return self.words or self.text


def read_query(text: str) -> Query:
    """The query, redacted, on one line, and cut to `QUERY_MAX_CHARS` characters.

    Raises
    ------
    QueryError
        There is no word in it.
    """
    bounded = text[: 5 * QUERY_MAX_CHARS]
    cleaned = redact(bounded)
    shortened = cleaned.text[:QUERY_MAX_CHARS]
    if not any(char.isalnum() for char in shortened):
        what = "the query has signs but no words" if text.strip() else "the query is empty"
        raise QueryError(f"{what}: say in a few words what the model or tool should do")
    return Query(shortened, cleaned.kinds, cut=len(cleaned.text) > QUERY_MAX_CHARS or len(text) > len(bounded))


def read_limits(limit: int, offset: int) -> None:
    """Check limit and offset.

    Raises
    ------
    QueryError
        `limit` is outside 1 to 100 or `offset` outside 0 to 10,000.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise QueryError(f"limit {limit}: give 1 to {LIMIT_MAX}")
    if not 0 <= offset <= 10_000:
        raise QueryError(f"offset {offset}: give 0 to 10000")
