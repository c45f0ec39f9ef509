"""The differences that can be asked for: each is a predicate on facts, with a reason, or says that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from graph.artifacts import Artifact
from graph.claims import Claim, ClaimReport, Evidence
from search.query.fields import Candidate, is_offline, is_permissive, is_verified, modalities_of_task, organization_of
from search.query.vocabulary import FAMILIES
from search.query.words import licence_id, plain_words, squeezed

Answer = bool | None
Size = Literal["smaller", "larger"]


@dataclass(frozen=True)
class Difference:
    """One stated difference.

    `judge` says whether it holds of a candidate against the artifact that is not wanted, None where nobody knows;
    `reason` says why it holds. `widens` is set where it lets the job change its modality.
    """

    name: str
    judge: Callable[[Candidate, Candidate], Answer]
    reason: Callable[[Candidate, Candidate], str]
    widens: bool = False


# Size ---------------------------------------------------------------------------------------------------
_SIZE_WORDS: Final = ("nano", "tiny", "mini", "small", "base", "medium", "large", "xl", "xxl", "huge", "giant")
_SIZE_ORDER: Final = {word: place for place, word in enumerate(_SIZE_WORDS)} | {
    "xlarge": _SIZE_WORDS.index("xl"), "micro": 0, "xs": 1, "xsmall": 2,
}  # fmt: skip
_SIZE_NUMBER: Final = re.compile(r"(?<![a-z0-9.])(\d{1,4}(?:\.\d{1,3})?)([mb])(?![a-z0-9])")


def size_in_name(artifact: Artifact) -> float | None:
    """Parameters that an artifact's name states as a number ("opt-1.3b"); None where it states none."""
    match = _SIZE_NUMBER.search(artifact.id.rpartition("/")[2].lower()) or _SIZE_NUMBER.search(artifact.name.lower())
    return float(match[1]) * {"m": 1e6, "b": 1e9}[match[2]] if match else None


def size_word(artifact: Artifact) -> str | None:
    """The word for its size in an artifact's name ("bert-large"); None where there is none."""
    words = (*plain_words(artifact.id.rpartition("/")[2]), *plain_words(artifact.name))
    return next((word for word in words if word in _SIZE_ORDER), None)


def compare_sizes(one: Artifact, other: Artifact) -> tuple[int, str] | None:
    """How the size of one compares to another's, -1, 0 or 1, and in which words; None where nothing tells.

    Known parameters decide; else numbers that both names state; else the words for sizes in both names, where the
    parameters of neither are known. The reason says which it was.
    """
    if one.params is not None and other.params is not None:
        return _sign(one.params, other.params), f"{one.params:,} parameters against {other.params:,}"
    numbers = [artifact.params or size_in_name(artifact) for artifact in (one, other)]
    if numbers[0] is not None and numbers[1] is not None:
        said = f"{numbers[0]:,.0f} parameters against {numbers[1]:,.0f}, as names say"
        return _sign(numbers[0], numbers[1]), said
    words = size_word(one), size_word(other)
    if one.params is not None or other.params is not None or words[0] is None or words[1] is None:
        return None
    said = f"named {words[0]!r} where the other is named {words[1]!r} (no count of parameters is known)"
    return _sign(_SIZE_ORDER[words[0]], _SIZE_ORDER[words[1]]), said


def _sign(one: float, other: float) -> int:
    return (one > other) - (one < other)


def _sized(name: Size) -> Difference:
    wanted = -1 if name == "smaller" else 1

    def judge(candidate: Candidate, rejected: Candidate) -> Answer:
        found = compare_sizes(candidate.artifact, rejected.artifact)
        return None if found is None else found[0] == wanted

    def reason(candidate: Candidate, rejected: Candidate) -> str:
        found = compare_sizes(candidate.artifact, rejected.artifact)
        return f"{name}: {found[1]}" if found else ""

    return Difference(name, judge, reason)


# Other than ---------------------------------------------------------------------------------------------
_BY_LENGTH: Final = sorted({squeezed(name): name for name in FAMILIES}.items(), key=lambda item: (-len(item[0]), item))


def family_of(artifact: Artifact) -> str | None:
    """An artifact's family: as its source says, else the family that its name carries; None where neither does."""
    if artifact.family:
        return artifact.family.lower()
    words = plain_words(artifact.id.rpartition("/")[2]) or plain_words(artifact.name)
    runs = {"".join(words[i : i + n]) for n in (1, 2) for i in range(len(words))}
    return next((name for key, name in _BY_LENGTH if key in runs), None)


_LIBRARY_NAMES: Final = {
    "hugging face transformers": "transformers", "hugging face": "transformers", "pytorch transformers": "transformers",
    "huggingface transformers": "transformers", "sklearn": "scikit-learn",
}  # fmt: skip


def library_of(artifact: Artifact) -> str | None:
    """The library that loads an artifact, its different spellings as one."""
    own = " ".join((artifact.library or "").lower().split())
    return _LIBRARY_NAMES.get(own, own) or None


def _licence_of(artifact: Artifact) -> str | None:
    return licence_id(artifact.license) if artifact.license else None


_OTHER: Final[dict[str, Callable[[Artifact], str | None]]] = {
    "family": family_of, "organization": organization_of, "library": library_of, "license": _licence_of,
    "maintainer": lambda artifact: artifact.maintainer, "type": lambda artifact: artifact.type,
}  # fmt: skip


def _other(field: str) -> Difference:
    value = _OTHER[field]

    def judge(candidate: Candidate, rejected: Candidate) -> Answer:
        one, other = value(candidate.artifact), value(rejected.artifact)
        return None if one is None or other is None else squeezed(one) != squeezed(other)

    def reason(candidate: Candidate, rejected: Candidate) -> str:
        return f"{field} {value(candidate.artifact)} instead of {value(rejected.artifact)}"

    return Difference(f"other {field}", judge, reason)


# Of the candidate alone ---------------------------------------------------------------------------------
def _offline_reason(candidate: Candidate, _: Candidate) -> str:
    return f"open weights: {candidate.artifact.weights.hub_id or 'a local folder'}"


def _verified_reason(candidate: Candidate, _: Candidate) -> str:
    runs = next(c for c in candidate.claims if c.metric == "runs" and getattr(c, "verdict", None) == "verified")
    return f"runs: verified ({getattr(runs, 'tier', None)}), none of its claims refuted"


# Money and time -----------------------------------------------------------------------------------------
def _price(candidate: Candidate) -> tuple[float, str] | None:
    """An artifact's price and the unit of use that it is asked for; None where it is unknown."""
    if candidate.artifact.pricing.free:
        return 0.0, ""
    claims = [c for c in candidate.claims if c.metric == "price" and isinstance(c.value, float | int)]
    return (float(claims[0].value or 0), claims[0].subject) if len(claims) == 1 else None


def _cheaper(candidate: Candidate, rejected: Candidate) -> Answer:
    one, other = _price(candidate), _price(rejected)
    if one is not None and one[0] == 0 and (other is None or other[0] == 0):
        return False if other is not None else rejected.artifact.pricing.free is False or None
    if one is None or other is None or (one[0] and other[0] and one[1] != other[1]):
        return None
    return one[0] < other[0]


def _cheaper_reason(candidate: Candidate, rejected: Candidate) -> str:
    one, other = _price(candidate), _price(rejected)
    theirs = "not free" if other is None else f"${other[0]:g}{f' for {other[1]}' if other[1] else ''}"
    return f"{'free' if one is None or one[0] == 0 else f'${one[0]:g}'} against {theirs}"


Measured = tuple[float, str]


def measured(candidate: Candidate, metric: str) -> dict[str, Measured]:
    """What was measured of a metric, never what is claimed: number and the words for its scope, by scope."""
    found: dict[str, Measured] = {}
    for record in _measurements(candidate, metric):
        scope = record.scope
        if isinstance(record.measured, float | int) and scope is not None:
            key = scope.model_dump_json(exclude={"note", "loader"})
            words = ", ".join(str(v) for v in scope.model_dump(exclude_none=True, exclude={"note", "loader"}).values())
            found.setdefault(key, (float(record.measured), words))
    return found


def _measurements(candidate: Candidate, metric: str) -> Iterable[Evidence | ClaimReport]:
    reports: Iterable[Claim | ClaimReport] = candidate.claims
    yield from (c for c in reports if isinstance(c, ClaimReport) and c.metric == metric and c.measured is not None)
    yield from (record for record in candidate.observations if record.metric == metric)


def _better(name: str, metric: str, *, lower: bool) -> Difference:
    """A difference in what was measured of both in the same scope."""

    def shared(candidate: Candidate, rejected: Candidate) -> list[tuple[Measured, Measured]]:
        one, other = measured(candidate, metric), measured(rejected, metric)
        return [(one[scope], other[scope]) for scope in sorted(one.keys() & other.keys())]

    def judge(candidate: Candidate, rejected: Candidate) -> Answer:
        pairs = shared(candidate, rejected)
        answers = [(a[0] < b[0]) if lower else (a[0] > b[0]) for a, b in pairs]
        return all(answers) if answers else None

    def reason(candidate: Candidate, rejected: Candidate) -> str:
        one, other = shared(candidate, rejected)[0]
        return f"{name}: {one[0]:.4g} against {other[0]:.4g}, measured alike ({one[1] or metric})"

    return Difference(name, judge, reason)


# Modality -----------------------------------------------------------------------------------------------
def _modalities(artifact: Artifact) -> tuple[frozenset[str], frozenset[str]] | None:
    """What goes into an artifact's first capability and comes out, as its task says; None where it does not."""
    given, made = modalities_of_task(artifact.capabilities[0].task) if artifact.capabilities else ((), ())
    return (frozenset(given), frozenset(made)) if given or made else None


def _other_modality(candidate: Candidate, rejected: Candidate) -> Answer:
    one, other = _modalities(candidate.artifact), _modalities(rejected.artifact)
    return None if one is None or other is None else one != other


def _of_modality(wanted: str) -> Difference:
    """Takes or gives a named modality, which the artifact that is not wanted does not."""

    def judge(candidate: Candidate, rejected: Candidate) -> Answer:
        one, other = _modalities(candidate.artifact), _modalities(rejected.artifact)
        if one is None:
            return None
        return wanted in one[0] | one[1] and (other is None or wanted not in other[0] | other[1])

    return Difference(f"for {wanted}", judge, _modality_reason, widens=True)


def _modality_reason(candidate: Candidate, rejected: Candidate) -> str:
    return f"{_in_and_out(candidate.artifact)} instead of {_in_and_out(rejected.artifact)}"


def _in_and_out(artifact: Artifact) -> str:
    given, made = _modalities(artifact) or (frozenset(), frozenset())
    return f"{'+'.join(sorted(given)) or 'anything'} to {'+'.join(sorted(made)) or 'anything'}"


OFFLINE: Final = Difference("offline", lambda c, _: is_offline(c.artifact), _offline_reason)
FREE: Final = Difference("free", lambda c, _: c.artifact.pricing.free, lambda *_: "free by its source")
CHEAPER: Final = Difference("cheaper", _cheaper, _cheaper_reason)
VERIFIED: Final = Difference("verified", lambda c, _: is_verified(c), _verified_reason)
PERMISSIVE: Final = Difference(
    "permissively licensed",
    lambda c, _: is_permissive(c.artifact.license),
    lambda c, _: f"licence {c.artifact.license}",
)
FASTER: Final = _better("faster", "latency_s", lower=True)
LESS_MEMORY: Final = _better("less memory", "memory_bytes", lower=True)
MORE_ACCURATE: Final = _better("more accurate", "accuracy", lower=False)
SMALLER: Final = _sized("smaller")
LARGER: Final = _sized("larger")
OTHER_MODALITY: Final = Difference("other modality", _other_modality, _modality_reason, widens=True)
OTHER: Final = {field: _other(field) for field in _OTHER}
of_modality = _of_modality
