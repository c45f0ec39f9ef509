"""Stretches of a source's text in place: what claims are read from, so that each knows where it stands."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

from graph.claims import Span

Markup = Literal["plain", "markdown"]


@dataclass(frozen=True)
class Passage:
    """A stretch of a file's text about one artifact.

    Attributes
    ----------
    text : str
        The text, as people read it: escapes resolved, blocks folded.
    file : str
        Path as the user gave it.
    start : int
        Character offset in the file of the first character of `text`.
    capability : str or None
        Local id of the capability that it describes; None where it is about the artifact as a whole.
    markup : str
        "markdown" where tables, code and links are to be told from prose; else "plain".
    offsets : tuple of (int, int)
        Where the text is not the file's own, character by character: pairs (offset in `text`, offset in the file),
        ascending, each holding up to the next pair. Empty where `text` stands in the file as it is.
    subject : str
        Whom it is about where that is not the artifact itself: another variant, a rival.
    """

    text: str
    file: str
    start: int = 0
    capability: str | None = None
    markup: Markup = "plain"
    offsets: tuple[tuple[int, int], ...] = ()
    subject: str = ""

    def span(self, start: int, end: int) -> Span:
        """The place in the file of `text[start:end]`."""
        return Span(
            file=self.file,
            start=self._place(start),
            end=self._place(end - 1) + 1 if end > start else self._place(start),
        )

    def _place(self, position: int) -> int:
        if not self.offsets:
            return self.start + position
        own, there = self.offsets[max(0, bisect_right(self.offsets, (position, 1 << 60)) - 1)]
        return there + position - own
