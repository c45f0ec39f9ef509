"""The history of a rank: what it was at each moment, and what changed it between two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from graph.constants import RANK_WEIGHTS
from graph.past import Past
from graph.ranks.score_inputs import ScoreInput
from graph.ranks.scores import Score, score_all
from graph.weights import exact_sum, standing_votes

CauseKind = Literal["time", "outcomes", "evidence", "entry", "others"]
_OUTCOMES: Final = ("times_matched", "selecting_actors", "voters", "pagerank", "flow")
_EVIDENCE: Final = ("decided", "evidence_us")
_ENTRY: Final = (
    "type", "downloads", "likes", "stars", "formats", "libraries", "derivatives", "shared_capabilities", "has_files",
    "has_card", "released_us",
)  # fmt: skip


@dataclass(frozen=True)
class RankAt:
    """A rank and its contributions at a moment; `points` is their sum, `rank` None where too little was known."""

    as_of_us: int
    rank: float | None
    points: float
    known_weight: float
    contributions: dict[str, float]


@dataclass(frozen=True)
class InputChange:
    """An input of a score that is another now; None is unknown."""

    name: str
    before: object
    after: object


@dataclass(frozen=True)
class Cause:
    """One reason why a rank changed: the points it gave or took, in all and by component, and what it consists of.

    `time`: what there was grew older, for everybody. `outcomes`, `evidence`, `entry`: what happened to this artifact.
    `others`: everything else of its type, which moves percentiles and medians.
    """

    kind: CauseKind
    points: float
    components: dict[str, float]
    inputs: tuple[InputChange, ...]


@dataclass(frozen=True)
class Happening:
    """Something that happened to an artifact: when, what kind, and in words."""

    time_us: int
    kind: str
    id: str
    words: str


@dataclass(frozen=True)
class RankChange:
    """What changed a rank between two moments; the causes' points add up to the difference of `points`.

    None is "not in the catalogue then": there are no causes then.
    """

    artifact: str
    before: RankAt | None
    after: RankAt | None
    causes: tuple[Cause, ...]
    happenings: tuple[Happening, ...]


def rank_history(past: Past, artifact: str, moments: Iterable[int]) -> list[RankAt]:
    """The rank of an artifact at each of some moments (microseconds since 1970 UTC), sorted.

    Moments at which it was not in the catalogue are left out.
    """
    found = []
    for moment in sorted(set(moments)):
        score = score_all(past.inputs(moment), moment).get(artifact)
        if score is not None:
            found.append(_at(score, moment))
    return found


def explain_change(past: Past, artifact: str, from_us: int, to_us: int) -> RankChange:
    """What changed an artifact's rank between two moments.

    One thing is changed after the other, in the order of `Cause`, and each cause has the difference it makes then, so
    that they add up; another order would share out what two causes do together in another way.

    Parameters
    ----------
    past : Past
        What is known of the home; `read_past`.
    artifact : str
        Artifact id.
    from_us, to_us : int
        The two moments, microseconds since 1970 UTC, in this order.

    Raises
    ------
    ValueError
        `to_us` is before `from_us`.
    """
    if to_us < from_us:
        raise ValueError(f"from {from_us} to {to_us}: give the earlier moment first")
    old, aged, new = past.inputs(from_us), past.inputs(to_us, from_us), past.inputs(to_us)
    before, after = score_all(old, from_us).get(artifact), score_all(new, to_us).get(artifact)
    happened = happenings(past, artifact, from_us, to_us)
    if before is None or after is None:
        ends = tuple(None if s is None else _at(s, t) for s, t in ((before, from_us), (after, to_us)))
        return RankChange(artifact, ends[0], ends[1], (), happened)
    place = next(i for i, each in enumerate(aged) if each.artifact == artifact)
    was = next(each for each in old if each.artifact == artifact)
    then, now = aged[place], next(each for each in new if each.artifact == artifact)
    with_outcomes = _taken(then, now, _OUTCOMES)
    with_evidence = _taken(with_outcomes, now, _EVIDENCE)
    with_entry = _taken(with_evidence, now, _ENTRY)
    stages: list[tuple[CauseKind, Sequence[ScoreInput], ScoreInput, ScoreInput]] = [
        ("time", aged, was, then),
        ("outcomes", [*aged[:place], with_outcomes, *aged[place + 1 :]], then, with_outcomes),
        ("evidence", [*aged[:place], with_evidence, *aged[place + 1 :]], with_outcomes, with_evidence),
        ("entry", [*aged[:place], with_entry, *aged[place + 1 :]], with_evidence, with_entry),
        ("others", new, with_entry, now),
    ]
    causes, score = [], before
    for kind, inputs, one, other in stages:
        following = score_all(inputs, to_us)[artifact]
        causes.append(_cause(kind, score, following, one, other))
        score = following
    return RankChange(artifact, _at(before, from_us), _at(after, to_us), tuple(causes), happened)


def happenings(past: Past, artifact: str, from_us: int, to_us: int) -> tuple[Happening, ...]:
    """What happened to an artifact after one moment and until another, in the order of (time, id)."""
    found = [
        Happening(v.time_us, "outcome", v.event, f"{v.outcome} at position {v.position} by {v.actor}")
        for v in past.fold.votes_on(artifact)
    ]
    found += [
        Happening(
            r.time_us, "evidence", r.id, f"{r.metric}: {r.verdict or 'observed'}" + (f" ({r.tier})" if r.tier else "")
        )
        for r in past.evidence
        if r.artifact == artifact
    ]
    found += [
        Happening(e.time_us, "catalogue", e.id, e.action.replace("_", " ") + (f": {e.object}" if e.object else ""))
        for e in past.catalogue
        if e.subject == artifact
    ]
    return tuple(sorted((h for h in found if from_us < h.time_us <= to_us), key=lambda h: (h.time_us, h.id)))


def standing_outcomes(past: Past, artifact: str, moment_us: int) -> dict[str, int]:
    """How many votes of each outcome an artifact had at a moment, by outcome, sorted."""
    outcomes = [vote.outcome for vote in standing_votes(past.fold.votes_on(artifact), moment_us)]
    return {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}


def _taken(given: ScoreInput, other: ScoreInput, names: Sequence[str]) -> ScoreInput:
    return replace(given, **{name: getattr(other, name) for name in names})


def _at(score: Score, moment: int) -> RankAt:
    contributions = {name: part.contribution for name, part in score.components.items()}
    return RankAt(moment, score.rank, exact_sum(contributions.values()), score.known_weight, contributions)


def _cause(kind: CauseKind, before: Score, after: Score, one: ScoreInput, other: ScoreInput) -> Cause:
    parts = {n: after.components[n].contribution - before.components[n].contribution for n in RANK_WEIGHTS}
    changed = tuple(
        InputChange(name, getattr(one, name), getattr(other, name))
        for name in (*_OUTCOMES, *_EVIDENCE, *_ENTRY)
        if getattr(one, name) != getattr(other, name)
    )
    return Cause(kind, exact_sum(parts.values()), parts, changed)
