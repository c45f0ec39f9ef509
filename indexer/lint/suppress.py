"""Comments in a text that set findings aside, each with its reason."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from graph.metrics import METRICS
from inference.checks.base import FLAGS

_COMMENT: Final = re.compile(r"matchgraph:[ \t]{0,8}ignore\b")
_OPENED: Final = re.compile(r"(?:^[ \t]*|<!--|#|//|/\*|\{#|;)[ \t(\"']*$")
_REASON: Final = re.compile(
    r"[ \t]*(?P<names>[\w*][\w*, \t]{0,300}?)[ \t]*(?:(?:--|because\b)[ \t]*(?P<reason>.{0,500}))?"
)
_CLOSED: Final = re.compile(r"(?:-->.*|\*/.*|#\}.*|[)\"']{1,2}[ \t]*)$")
ALL: Final = "*"


@dataclass
class Ignore:
    """A comment that sets aside findings of these metrics or flags on its own line and the next; "*" is all.

    `used` tells whether it set any aside.
    """

    line: int
    what: frozenset[str]
    reason: str
    used: bool = field(default=False, compare=False)


def read_ignores(text: str, file: str) -> tuple[list[Ignore], list[str]]:
    """The comments of a text that ignore something, and a warning for each that is not honoured.

    One without a reason is not, nor is a name that is no metric and no flag.

    Examples
    --------
    >>> read_ignores("<!-- matchgraph: ignore size_ratio -- measured on the phone -->", "a.md")[0][0].reason
    'measured on the phone'
    """
    if "matchgraph:" not in text:
        return [], []
    starts = [0, *(found.end() for found in re.finditer(r"\r\n|\n|\r", text))]
    found, warnings = [], []
    for match in _COMMENT.finditer(text):
        line = bisect_right(starts, match.start())
        before = text[max(starts[line - 1], match.start() - 40) : match.start()]
        if _OPENED.search(before) is None:
            continue
        end = starts[line] if line < len(starts) else len(text)
        ignore, warning = _read(text[match.end() : min(end, match.end() + 1_000)].strip(), line)
        found += [ignore] if ignore is not None else []
        warnings += [f"{file}:{line}: {warning}"] if warning else []
    return found, warnings


def _read(said: str, line: int) -> tuple[Ignore | None, str]:
    """What a comment ignores, and what is wrong with it."""
    match = _REASON.fullmatch(_CLOSED.sub("", said).strip())
    if match is None:
        return None, "not ignored: write `matchgraph: ignore METRIC_OR_FLAG -- why`"
    names = [name for name in re.split(r"[,\s]+", match["names"]) if name]
    reason = (match["reason"] or "").strip()
    if not reason:
        return None, "ignored without a reason, so not ignored: write `-- why` behind it"
    known = [name for name in names if name in METRICS or name in FLAGS or name == ALL]
    wrong = sorted(set(names) - set(known))
    warning = (
        f"{', '.join(wrong)[:100]}: no metric and no flag of that name, so nothing is ignored by it" if wrong else ""
    )
    return (Ignore(line, frozenset(known), reason) if known else None), warning


def ignored_by(ignores: Iterable[Ignore], kind: str, line: int) -> str | None:
    """The reason why a finding of this kind on this line is ignored; None where it is not."""
    for each in ignores:
        if line in (each.line, each.line + 1) and each.what & {kind, ALL}:
            each.used = True
            return each.reason
    return None
