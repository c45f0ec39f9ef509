"""Tables of labelled items: which columns make which kind of set, and how a row becomes an item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

from graph.errors import SourceError
from inference.data.labelled import (
    LARGEST_ITEMS,
    LARGEST_TEXT_CHARS,
    UNLABELLED,
    Item,
    ItemKind,
    LabelledSet,
    digests_of,
    finished,
)

COLUMNS: Final[dict[ItemKind, tuple[str, ...]]] = {
    "triples": ("anchor", "paraphrase", "unrelated"),
    "tokens": ("tokens", "tags"),
    "text": ("text", "label"),
    "prompt": ("prompt", "label"),
}
PASSAGES: Final = ("text",)
"""The one column of passages, with no other beside it: a text whose labels are called otherwise is a mistake."""
_CHOICES: Final = "text,label or prompt,label or tokens,tags or anchor,paraphrase,unrelated or text alone"
_MOST_CHARS: Final = 1 << 29
"""Characters of all items together."""


class Where:
    """Which set and file is read: the beginning of each of its errors."""

    def __init__(self, name: str, file: str) -> None:
        self.name, self.file = name, file

    def refuse(self, what: str, code: str, line: int | None = None, cause: BaseException | None = None) -> NoReturn:
        """Raise the SourceError that says this of the set."""
        raise SourceError(f"labelled set {self.name}: {what}", file=self.file, line=line, code=code) from cause


def kind_of(where: Where, header: Sequence[str]) -> tuple[ItemKind, tuple[str, ...]]:
    """The kind of set that a header makes, and its columns.

    Raises
    ------
    SourceError
        No kind has these columns, or two have, or a column is there twice; names the columns found.
    """
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        where.refuse(f"the column {twice[0][:40]!r} is there twice: rename or remove one", "malformed", 1)
    if tuple(header) == PASSAGES:
        return "passages", PASSAGES
    fitting = [(kind, columns) for kind, columns in COLUMNS.items() if set(columns) <= set(header)]
    found = ", ".join(column[:30] or "(blank)" for column in header[:12])
    if not fitting:
        where.refuse(f"its columns are {found}: needs {_CHOICES}", "missing_columns", 1)
    if len(fitting) > 1:
        kinds = " and ".join(kind for kind, _ in fitting)
        where.refuse(f"its columns are those of {kinds}: remove those of one kind", "malformed", 1)
    return fitting[0]


class Rows:
    """Checks rows as they are read, and keeps them: bounded in number and in characters."""

    def __init__(self, where: Where, kind: ItemKind, columns: Sequence[str]) -> None:
        self._where, self._kind, self._columns = where, kind, tuple(columns)
        self._rows: list[tuple[str, ...]] = []
        self._chars = 0

    def add(self, row: Sequence[str], line: int) -> None:
        """Take a row of the kind's columns in.

        Raises
        ------
        SourceError
            A value is blank, too long or holds a NUL byte; tokens and tags differ in number; or it is too much.
        """
        for column, value in zip(self._columns, row, strict=True):
            if "\0" in value:
                self._where.refuse(f"{column!r} holds a NUL byte: save the file as UTF-8 text", "malformed", line)
            if not value.strip():
                self._where.refuse(f"{column!r} is blank: fill it or remove the row", "blank", line)
            if len(value) > LARGEST_TEXT_CHARS:
                self._where.refuse(f"{column!r} is longer than {LARGEST_TEXT_CHARS:,} characters: cut it",
                                   "too_large", line)  # fmt: skip
            self._chars += len(value)
        if self._kind == "tokens":
            self._check_tags(*(len(value.split()) for value in row), line=line)
        self._rows.append(tuple(row))
        if len(self._rows) > LARGEST_ITEMS:
            self._where.refuse(f"more than {LARGEST_ITEMS:,} items: take a part", "too_large")
        if self._chars > _MOST_CHARS:
            self._where.refuse(f"more than {_MOST_CHARS >> 20} Mi characters: take a part", "too_large")

    def _check_tags(self, tokens: int, tags: int, *, line: int) -> None:
        if tokens != tags:
            what = f"{tokens} tokens but {tags} tags: one tag a token, both separated by blanks"
            self._where.refuse(what, "malformed", line)

    def finish(self) -> LabelledSet:
        """The set of all rows.

        Raises
        ------
        SourceError
            There are none, or all have the same label.
        """
        items: list[Item] = [self._item(row) for row in self._rows]
        labels = () if self._kind in UNLABELLED else tuple(self._label(row[-1]) for row in self._rows)
        digests = digests_of(piece.encode("utf-8", "surrogatepass") for piece in self._pieces())
        return finished(self._where.name, self._kind, items, labels, digests, self._where.file)

    def _label(self, value: str) -> str:
        return " ".join(value.split()) if self._kind == "tokens" else value.strip()

    def _item(self, row: tuple[str, ...]) -> Item:
        if self._kind == "triples":
            return row
        return row[0].split() if self._kind == "tokens" else row[0]

    def _pieces(self) -> Iterable[str]:
        """What of each row is digested beside its label."""
        if self._kind == "triples":
            return ("\x1f".join(row) for row in self._rows)
        if self._kind == "tokens":
            return (" ".join(row[0].split()) for row in self._rows)
        return (row[0] for row in self._rows)
