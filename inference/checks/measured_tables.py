"""Claims against tables that a third party measured: above everything in them, or the same as there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from graph.artifacts import Artifact
from graph.claims import Claim
from inference.checks.base import Flag, Verdict, half_unit, is_plain, number, words

MEASURED: Final = "measured_table"
"""The flag of a claim that is a row of such a table."""


@dataclass
class MeasuredTables:
    """Numbers of measured tables: by model, set and metric, and the largest of each set and metric."""

    rows: dict[tuple[str, str, str], list[Claim]] = field(default_factory=dict)
    largest: dict[tuple[str, str], Claim] = field(default_factory=dict)

    def add(self, artifacts: Iterable[Artifact]) -> None:
        """Take in the rows of artifacts that were read from measured tables."""
        for artifact in artifacts:
            for claim in artifact.claims:
                if MEASURED in claim.flags and isinstance(claim.value, int | float):
                    self._add(artifact, claim)

    def _add(self, artifact: Artifact, claim: Claim) -> None:
        about = plain_set(claim.conditions.dataset), _kind(claim)
        for name in {plain_model(artifact.name), plain_model(artifact.name.partition(".")[0])}:
            self.rows.setdefault((name, *about), []).append(claim)
        largest = self.largest.get(about)
        if largest is None or number(claim) > number(largest):
            self.largest[about] = claim


def check_tables(artifact: Artifact, claims: Sequence[Claim], tables: MeasuredTables) -> Iterator[Verdict | Flag]:
    """Flags accuracies above all of a table (`implausible`), and numbers that stand there too (`corroborated`)."""
    for claim in claims:
        if MEASURED in claim.flags or not is_plain(claim) or not isinstance(claim.value, int | float):
            continue
        about = plain_set(claim.conditions.dataset), _kind(claim)
        largest = tables.largest.get(about)
        if claim.metric == "accuracy" and largest is not None and number(claim) > number(largest):
            stated, most = words(number(claim), "accuracy"), words(number(largest), "accuracy")
            reason = f"{stated} is above all of the measured table, at most {most} ({largest.artifact})"
            yield Flag("implausible", reason, (claim.id,), claim.text, claim.span)
            continue
        same = [row for row in tables.rows.get((plain_model(artifact.name), *about), []) if _same(claim, row)]
        if same:
            reason = f"the measured table has {words(number(same[0]), claim.metric)} for {same[0].artifact}"
            yield Flag("corroborated", reason, (claim.id,), claim.text, claim.span)


def plain_model(name: str) -> str:
    """The letters and digits of a model's name without its owner, lower case."""
    return re.sub(r"[^a-z0-9]", "", name.rpartition("/")[2].lower())


def plain_set(name: str | None) -> str:
    """The letters and digits of a data set's name, without what all of them say; ImageNet and ImageNet-1k are one."""
    plain = re.sub(r"[^a-z0-9]", "", (name or "").lower())
    return re.sub(r"(?:1k|2012|dataset|val(?:idation)?)+$", "", plain)


def _kind(claim: Claim) -> str:
    top = re.search(r"top[- @]?(\d+)", claim.conditions.note or "", re.IGNORECASE)
    return (
        f"{claim.metric}{top[1] if top else ''}"
        if claim.metric == "accuracy" and top and top[1] != "1"
        else claim.metric
    )


def _same(claim: Claim, row: Claim) -> bool:
    return abs(number(claim) - number(row)) <= max(half_unit(claim), half_unit(row))
