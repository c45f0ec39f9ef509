"""Findings in the order and the number in which people read them: refuted claims by line, like flags as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from graph.claims import ClaimReport, Span
from indexer.lint.findings import Linted, LintReport
from inference.checks import Flag

_QUOTE: Final = 150
_MOST_LINES: Final = 12


@dataclass(frozen=True)
class Line:
    """A finding for people: where, what ("refuted: parameters", "flag: hedged"), why, and the words it is about."""

    place: str
    what: str
    reason: str
    quote: str = ""


def lines_of(linted: Linted, report: LintReport) -> list[Line]:
    """The findings on an artifact, refuted claims first, each by its place; flags with one reason are one."""
    refuted = sorted(linted.refuted, key=lambda claim: _order(claim.span))
    flags = sorted(_groups(linted.flags), key=lambda group: _order(group[0].span))
    return [_of_claim(claim, linted, report) for claim in refuted] + [_of_flags(g, linted, report) for g in flags]


def _order(span: Span | None) -> tuple[str, int]:
    return (span.file, span.start) if span is not None else ("", -1)


def _of_claim(claim: ClaimReport, linted: Linted, report: LintReport) -> Line:
    tier = "" if claim.tier == "text" else f" by its {claim.tier}"
    quote = _quote(claim.text, report.printed(claim.span) if claim.span is not None else "")
    return Line(
        _place(claim.span, linted, report), f"refuted{tier}: {claim.metric.replace('_', ' ')}", claim.reason, quote
    )


def _quote(text: str, printed: str) -> str:
    """The words around what a span marks, on one line; the whole sentence where it is short."""
    said = " ".join(text.split())
    if len(said) <= _QUOTE:
        return said
    place = max(0, said.find(" ".join(printed.split())) if printed.strip() else 0)
    start = max(0, min(place - _QUOTE // 2, len(said) - _QUOTE))
    start = said.find(" ", start, place) + 1 if start and said.find(" ", start, place) >= 0 else start
    piece = said[start : start + _QUOTE]
    return ("…" if start else "") + piece.rstrip() + ("…" if start + _QUOTE < len(said) else "")


# Flags ----------------------------------------------------------------------------------------------------
def _groups(flags: Iterable[Flag]) -> list[list[Flag]]:
    """Flags that one line can tell: the hedges of a file, and those with one code and reason."""
    groups: dict[tuple[str, str], list[Flag]] = {}
    for flag in flags:
        file = flag.span.file if flag.span is not None else ""
        groups.setdefault((flag.code, file if flag.code == "hedged" else f"{file}\n{flag.reason}"), []).append(flag)
    return list(groups.values())


def _of_flags(group: Sequence[Flag], linted: Linted, report: LintReport) -> Line:
    first = group[0]
    place = _place(first.span, linted, report)
    if first.code == "hedged":
        return Line(place, "flag: hedged", f"the page does not know: {_counted(group, report)}")
    more = _lines(group[1:], report)
    return Line(place, f"flag: {first.code}", first.reason + (f" (also line {more})" if more else ""))


def _counted(hedges: Sequence[Flag], report: LintReport) -> str:
    """How often each word stands there, most first: "8 “unknown” (lines 31, 37), 3 “likely” (lines 37, 46)"."""
    words: dict[str, list[Flag]] = {}
    for flag in hedges:
        words.setdefault(flag.reason.partition(":")[0], []).append(flag)
    most_first = sorted(words.items(), key=lambda each: (-len(each[1]), each[0]))
    return ", ".join(f"{len(found)} {word} (line {_lines(found, report)})" for word, found in most_first)


def _lines(flags: Sequence[Flag], report: LintReport) -> str:
    lines = sorted({report.place(f.span.file, f.span.start).line for f in flags if f.span is not None})
    return ", ".join(map(str, lines[:_MOST_LINES])) + (", …" if len(lines) > _MOST_LINES else "")


def _place(span: Span | None, linted: Linted, report: LintReport) -> str:
    if span is None:
        source = linted.artifact.source
        return f"{source.file}:{source.line or 1}"
    place = report.place(span.file, span.start)
    return f"{span.file}:{place.line}:{place.column}"
