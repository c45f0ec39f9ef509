"""What a comparison page itself says of its artifacts, as claims: the cells of its table, who leads on what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from graph.claims import Claim, Scope, Span, claim_id
from indexer.sources.compare_layout import ComparePage, Stretch, TableRow
from indexer.sources.findings import clean_text, parse_count

NO_SCORES: Final = ("type", "pricing", "capabilities", "license", "licence")
"""Rows that are facts about the artifact, not scores of the page."""
RANK: Final = "unfragilerank"
OTHER_ARTIFACT: Final = "other_artifact"
_SCORE: Final = re.compile(r"[-+]?(\d{1,9}(?:,\d{3})*(?:\.\d{1,9})?)\s?(?:%|/\s?\d{1,6})?")
_LEADS: Final = (
    r"(?:leads|wins|excels|is (?:ahead|stronger|better|higher)|scores higher|ranks higher)"
    r"\s+(?:on|in|at|for)\s+(?:the\s+)?"
)
_LIST_END: Final = r"[.;:!?](?=\s|$)|,?\s+(?:while|but|whereas)\s|,?\s+and\s+(?=(?:NAMES)\s)"
_MOST_COMPONENTS: Final = 50
_LONGEST_SENTENCE: Final = 2_000
_AT: Final = r"(?:at|with)\s+(\d{1,9}(?:\.\d{1,9})?)(?:\s?/\s?\d{1,6})?"
_JOINT: Final = re.compile(r",?\s+(?:and|&)\s+|,\s*")
_REAL_DATA: Final = re.compile(
    r"(?:backed|supported|based|built|powered)\s+(?:by|on)\s+[^.]{0,80}?"
    r"(?:real\s+search|search\s+data|match\s+graph\s+evidence)[^.]{0,40}",
    re.IGNORECASE,
)


def claims_of_page(page: ComparePage, name: str, file: str) -> tuple[Claim, ...]:
    """The page's statements about one artifact, each once, in the order of the page.

    Its own cells (`page_score`, `times_matched`), the rivals' cells beside them (with the rival as reference and the
    flag `other_artifact`), what it is said to lead on (`leads`), and that real searches stand behind the page
    (`search_evidence`).
    """
    kept: dict[str, Claim] = {}
    for claim in (*_cells(page, name, file), *_statements(page, name, file)):
        kept.setdefault(claim.id, claim)
    return tuple(kept.values())


def _cells(page: ComparePage, name: str, file: str) -> Iterator[Claim]:
    for row in page.rows:
        if row.name.casefold() in NO_SCORES:
            continue
        for other, cell in zip(page.names, row.cells, strict=True):
            claim = _cell(row, cell, name, other, file)
            if claim is not None:
                yield claim


def _cell(row: TableRow, cell: Stretch, name: str, other: str, file: str) -> Claim | None:
    subject = row.name.casefold()
    if subject == "times matched":
        count = parse_count(cell.text)
        value = None if count is None else float(count)
        metric, unit = "times_matched", "searches"
    else:
        score = _SCORE.fullmatch(cell.text)
        value = float(score[1].replace(",", "")) if score else None
        metric, unit = "page_score", "none"
    if value is None:
        return None
    text = f"{row.name} {cell.text}" + ("" if other == name else f" ({other})")
    span = Span(file=file, start=cell.start, end=cell.end)
    return _claim(name, metric, subject, value, unit, text, span, "" if other == name else other)


def _statements(page: ComparePage, name: str, file: str) -> Iterator[Claim]:
    for stretch in page.statements:
        yield from _ranks(page, stretch, name, file)
        yield from _leads(page, stretch, name, file)
        for match in _REAL_DATA.finditer(stretch.text):
            span = _span(stretch, match.start(), match.end(), file)
            yield _claim(name, "search_evidence", "", None, "none", match[0].strip(), span)


def _ranks(page: ComparePage, stretch: Stretch, name: str, file: str) -> Iterator[Claim]:
    """Claims of "A ranks higher at 58/100 vs B at 47/100": who leads, and both numbers."""
    names = rf"({_any_of(page.names)})\s+"
    verb = r"(?:ranks|scores|is ranked|is rated)\s+higher\s+"
    pattern = rf"(?<!\w){names}{verb}{_AT}\s+(?:vs\.?|against|over|than)\s+{names}{_AT}"
    for match in re.finditer(pattern, stretch.text, re.IGNORECASE):
        span, text = _span(stretch, match.start(), match.end(), file), match[0]
        first, second = _named(page, match[1]), _named(page, match[3])
        if first == name:
            yield _lead(name, second, RANK, text, span)
        for other, value in ((first, match[2]), (second, match[4])):
            yield _claim(name, "page_score", RANK, float(value), "none", text, span, "" if other == name else other)


def _leads(page: ComparePage, stretch: Stretch, name: str, file: str) -> Iterator[Claim]:
    """Claims of "A leads on adoption and ecosystem": one for each, against each rival."""
    known, names = {row.name.casefold() for row in page.rows}, _any_of(page.names)
    ends = re.compile(_LIST_END.replace("NAMES", names), re.IGNORECASE)
    for match in re.finditer(rf"(?<!\w)({names})\s+{_LEADS}", stretch.text, re.IGNORECASE):
        if _named(page, match[1]) != name:
            continue
        limit = match.end() + _LONGEST_SENTENCE
        end = ends.search(stretch.text, match.end(), limit)
        stop = end.start() if end else min(limit, len(stretch.text))
        text, span = stretch.text[match.start() : stop], _span(stretch, match.start(), stop, file)
        for item in _JOINT.split(stretch.text[match.end() : stop])[:_MOST_COMPONENTS]:
            component = clean_text(item).casefold().removeprefix("the ").strip()
            if component in known or (component.isalpha() and len(component) <= 40):
                yield from (_lead(name, rival, component, text, span) for rival in page.names if rival != name)


def _lead(name: str, rival: str, component: str, text: str, span: Span) -> Claim:
    scope = Scope(reference=rival)
    return Claim(
        id=claim_id(name, component, "leads", "=", rival, "none", scope), artifact=name, subject=component,
        metric="leads", value=rival, conditions=scope, text=clean_text(text[:2_000]), span=span,
    )  # fmt: skip


def _claim(
    name: str, metric: str, subject: str, value: float | None, unit: str, text: str, span: Span, rival: str = ""
) -> Claim:
    scope = Scope(reference=rival or None)
    return Claim(
        id=claim_id(name, subject, metric, "=", value, unit, scope), artifact=name, subject=subject, metric=metric,
        value=value, unit=unit, conditions=scope, text=clean_text(text[:2_000]), span=span,
        flags=(OTHER_ARTIFACT,) if rival else (),
    )  # fmt: skip


def _any_of(names: tuple[str, ...]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _named(page: ComparePage, written: str) -> str:
    return next(name for name in page.names if name.casefold() == written.casefold())


def _span(stretch: Stretch, start: int, end: int, file: str) -> Span:
    return Span(file=file, start=stretch.start + start, end=stretch.start + end)
