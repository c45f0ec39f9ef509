"""What was read of a statement, before it is a claim: one number or word, its metric, its scope and its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from graph.artifacts import Artifact
from graph.claims import Claim, Comparator, Scope, Span, claim_id
from graph.metrics import METRICS
from indexer.passages import Passage

LONGEST_TEXT: Final = 1_000


@dataclass(frozen=True)
class Statement:
    """A statement at [start, end) of a passage's text.

    `subject` is whom it is about where that is not the artifact; `text` the sentence, row or field that holds it.
    """

    metric: str
    value: float | str | None
    start: int
    end: int
    text: str
    comparator: Comparator = "="
    scope: Scope = field(default_factory=Scope)
    subject: str = ""
    hedged: bool = False
    flags: tuple[str, ...] = ()
    unit: str | None = None


def claim_of(statement: Statement, artifact: Artifact, passage: Passage) -> Claim:
    """The claim that a statement in a passage of an artifact makes.

    Its subject is whom it is about where that is another artifact (flag `other_artifact`), else the capability that the
    passage describes. A hedge is a flag too.
    """
    other = statement.subject or passage.subject
    subject = other or passage.capability or ""
    unit = statement.unit or METRICS[statement.metric].unit
    flags = {*statement.flags, *(["hedged"] if statement.hedged else []), *(["other_artifact"] if other else [])}
    place = passage.span(statement.start, statement.end)
    return Claim(
        id=claim_id(
            artifact.id, subject, statement.metric, statement.comparator, statement.value, unit, statement.scope
        ),
        artifact=artifact.id, capability=passage.capability, subject=subject, metric=statement.metric,
        comparator=statement.comparator, value=statement.value, unit=unit, conditions=statement.scope,
        hedged=statement.hedged, text=" ".join(statement.text.split())[:LONGEST_TEXT],
        span=Span(file=place.file, start=place.start, end=place.end), flags=tuple(sorted(flags)),
    )  # fmt: skip
