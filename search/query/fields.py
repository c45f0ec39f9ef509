"""The fields of conditions: which facts of an artifact they read, and in which unit.

A field gives every value that is known; none is "unknown", which satisfies nothing. Numbers of claims are what was
measured, else what is claimed; a refuted or a hedged claim is no fact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from graph.artifacts import Artifact
from graph.claims import Claim, ClaimReport, Evidence
from graph.metrics import METRICS
from graph.policy import PERMISSIVE_LICENCES, capability_of
from graph.taxonomy import OTHER
from search.query.words import licence_id, same_dataset, squeezed, word_runs

Kind = Literal["number", "word", "flag", "date"]
Value = str | float


@dataclass(frozen=True)
class Candidate:
    """An artifact that is judged; `reports` and `observed` read its claims with verdicts and its observations.

    Without them, claims count as they are stated.
    """

    artifact: Artifact
    reports: Callable[[str], Sequence[ClaimReport]] | None = field(default=None, compare=False)
    observed: Callable[[str], Sequence[Evidence]] | None = field(default=None, compare=False)

    @cached_property
    def claims(self) -> Sequence[ClaimReport | Claim]:
        """The artifact's claims, with verdicts where they can be read."""
        return self.artifact.claims if self.reports is None else self.reports(self.artifact.id)

    @cached_property
    def observations(self) -> Sequence[Evidence]:
        """What was measured without anyone having claimed it."""
        return () if self.observed is None else self.observed(self.artifact.id)


@dataclass(frozen=True)
class Field:
    """One field of a condition."""

    name: str
    kind: Kind
    meaning: str
    read: Callable[[Candidate, str], Iterable[Value | None]]
    """All values; takes the candidate and the data set after "@", empty where none is named."""


# Numbers ------------------------------------------------------------------------------------------------
def _numbers_of(metric: str) -> Callable[[Candidate, str], Iterator[float]]:
    """What was measured or is claimed of a metric, on a data set where one is named."""

    def read(candidate: Candidate, dataset: str) -> Iterator[float]:
        for claim in candidate.claims:
            if claim.metric != metric or not _is_about(claim.conditions.dataset, dataset):
                continue
            value = _known_number(claim)
            if value is not None:
                yield value
        for record in candidate.observations:
            is_number = isinstance(record.measured, float | int)
            if record.metric == metric and is_number and _is_about(record.scope.dataset, dataset):
                yield float(record.measured or 0)

    return read


def _is_about(dataset: str | None, wanted: str) -> bool:
    return not wanted or (dataset is not None and same_dataset(dataset, wanted))


def _known_number(claim: ClaimReport | Claim) -> float | None:
    if isinstance(claim, ClaimReport):
        if isinstance(claim.measured, float | int) and claim.verdict in ("verified", "refuted"):
            return float(claim.measured)
        if claim.verdict == "refuted":
            return None
    is_upward = claim.metric in METRICS and METRICS[claim.metric].direction == "up"
    is_only_a_limit = is_upward and claim.comparator in ("up_to", "<", "<=")  # "up to 90 %" reaches 90 % nowhere
    if claim.hedged or is_only_a_limit or not isinstance(claim.value, float | int):
        return None
    return float(claim.value)


def _params(candidate: Candidate, _: str) -> Iterable[Value | None]:
    own = candidate.artifact.params
    return [float(own)] if own is not None else _numbers_of("parameters")(candidate, "")


def _signal(name: str) -> Callable[[Candidate, str], Iterable[Value | None]]:
    return lambda candidate, _: [_float(getattr(candidate.artifact.signals, name))]


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)


def _price(candidate: Candidate, _: str) -> Iterable[Value | None]:
    claimed = list(_numbers_of("price")(candidate, ""))
    return [0.0, *claimed] if candidate.artifact.pricing.free else claimed


# Words --------------------------------------------------------------------------------------------------
def _text(name: str) -> Callable[[Candidate, str], Iterable[Value | None]]:
    return lambda candidate, _: [getattr(candidate.artifact, name)]


def _licence(candidate: Candidate, _: str) -> Iterable[Value | None]:
    own = candidate.artifact.license
    return [None if own is None else licence_id(own)]


def organization_of(artifact: Artifact) -> str | None:
    """Who publishes an artifact: its organisation, else its maintainer, else the owner in its id."""
    owner = artifact.id.partition("/")[0] if "/" in artifact.id and "://" not in artifact.id else None
    return artifact.organization or artifact.maintainer or owner


def _tasks(candidate: Candidate, _: str) -> Iterable[Value | None]:
    return [capability.task for capability in candidate.artifact.capabilities if capability.task != OTHER]


def _of_capabilities(name: str) -> Callable[[Candidate, str], Iterable[Value | None]]:
    return lambda candidate, _: [getattr(capability, name) for capability in candidate.artifact.capabilities]


def _tags(candidate: Candidate, _: str) -> Iterable[Value | None]:
    return [tag for capability in candidate.artifact.capabilities for tag in capability.tags]


_MODALITIES: Final = ("image", "video", "text", "audio", "speech", "document", "table", "tabular", "3d")
_SOUNDS: Final = {"speech": "audio", "voice": "audio", "sound": "audio", "tabular": "table", "picture": "image",
                  "photo": "image", "code": "text", "sentence": "text", "string": "text"}  # fmt: skip
_OF_TASK: Final = {
    "depth-estimation": ("image", "image"), "image-classification": ("image", "text"),
    "object-detection": ("image", "text"), "image-segmentation": ("image", "image"),
    "unconditional-image-generation": ("", "image"), "video-classification": ("video", "text"),
    "zero-shot-image-classification": ("image text", "text"), "mask-generation": ("image", "image"),
    "zero-shot-object-detection": ("image text", "text"), "keypoint-detection": ("image", "text"),
    "inpainting": ("image text", "image"), "text-classification": ("text", "text"),
    "token-classification": ("text", "text"), "table-question-answering": ("table text", "text"),
    "question-answering": ("text", "text"), "zero-shot-classification": ("text", "text"),
    "text2text-generation": ("text", "text"), "translation": ("text", "text"),
    "summarization": ("text", "text"), "text-generation": ("text", "text"),
    "fill-mask": ("text", "text"), "text-to-speech": ("text", "audio"),
    "automatic-speech-recognition": ("audio", "text"), "audio-classification": ("audio", "text"),
    "voice-activity-detection": ("audio", "text"), "visual-question-answering": ("image text", "text"),
    "document-question-answering": ("document text", "text"), "code-generation": ("text", "text"),
    "tabular-classification": ("table", "text"), "tabular-regression": ("table", "text"),
    "sentence-similarity": ("text", ""), "image-feature-extraction": ("image", ""), "text-ranking": ("text", ""),
}  # fmt: skip
"""What goes into a task and comes out where its name does not say so ("text-to-image" does)."""


def modality(word: str) -> str:
    """The modality that a word names, in the singular: "images", "picture" and "image/png" give "image"."""
    bare = squeezed(word.partition("/")[0]) if word.lower().startswith(("image/", "audio/", "video/", "text/")) else ""
    bare = bare or squeezed(word).removesuffix("s")
    return _SOUNDS.get(bare, bare)


def modalities_of_task(task: str) -> tuple[frozenset[str], frozenset[str]]:
    """What goes into a task and what comes out, as far as its name says; empty sets where it does not.

    Examples
    --------
    >>> modalities_of_task("vision.text-to-image") == (frozenset({"text"}), frozenset({"image"}))
    True
    """
    bare = task.partition(".")[2]
    given, made = _OF_TASK.get(bare, ("", ""))
    if bare not in _OF_TASK and "-to-" in bare:
        given, _, made = bare.replace("2", "-to-").partition("-to-")
        given, made = given.replace("-", " "), made.replace("-", " ")
    return _named(given), _named(made)


def _named(words: str) -> frozenset[str]:
    return frozenset(modality(word) for word in words.split() if modality(word) in _MODALITIES)


def _types(name: Literal["input_types", "output_types"]) -> Callable[[Candidate, str], Iterable[Value | None]]:
    def read(candidate: Candidate, _: str) -> Iterator[Value]:
        for capability in candidate.artifact.capabilities:
            stated = getattr(capability.conditions, name)
            yield from sorted({modality(word) for word in stated})
            if not stated:
                yield from sorted(modalities_of_task(capability.task)[name == "output_types"])

    return read


def formats_of(artifact: Artifact) -> tuple[str, ...]:
    """The formats of an artifact's files, lower case."""
    return tuple(name.lower() for name in artifact.formats)


def _word(candidate: Candidate, _: str) -> Iterable[Value | None]:
    """What an artifact is called by: whole words and runs of them, never a part of one."""
    a = candidate.artifact
    named = (a.id, a.name, a.family, a.library, a.organization, a.maintainer, *a.formats)
    return sorted({run for text in named if text for run in word_runs(text)})


# Flags --------------------------------------------------------------------------------------------------
def _flag(value: bool | None) -> list[Value | None]:
    return [None if value is None else "true" if value else "false"]


def is_offline(artifact: Artifact) -> bool | None:
    """Whether an artifact can be run without its publisher: open weights yes, an endpoint alone no, else unknown."""
    weights = artifact.weights
    return True if weights.path or weights.hub_id else False if weights.endpoint else None


def is_permissive(licence: str | None) -> bool | None:
    """Whether a licence is one of those that the policy `strict` allows; None where none is known."""
    return None if licence is None else licence_id(licence) in PERMISSIVE_LICENCES


def is_verified(candidate: Candidate) -> bool:
    """Whether a capability of the artifact runs, verified on its real files, and no claim about it is refuted."""
    reports = [claim for claim in candidate.claims if isinstance(claim, ClaimReport)]
    refuted = {capability_of(claim) for claim in reports if claim.verdict == "refuted"}
    runs = [c for c in reports if c.metric == "runs" and (c.verdict, c.tier) == ("verified", "artifact")]
    return None not in refuted and any(capability_of(claim) not in refuted for claim in runs)


def _runs(candidate: Candidate, _: str) -> Iterable[Value | None]:
    reports = (claim for claim in candidate.claims if claim.metric == "runs")
    return [(claim.verdict if isinstance(claim, ClaimReport) else None) or "claimed" for claim in reports]


def _released(candidate: Candidate, _: str) -> Iterable[Value | None]:
    found = re.match(r"\d{4}(?:-\d{2}){0,2}", candidate.artifact.released or "")
    return [found[0] if found else None]


_METRIC_FIELDS: Final = {
    "accuracy": "accuracy", "f1": "f1", "perplexity": "perplexity", "latency": "latency_s",
    "throughput": "throughput", "memory": "memory_bytes", "size": "size_bytes", "dimensions": "dimensions",
    "max_tokens": "max_tokens", "context": "context", "labels": "labels", "steps": "steps", "speedup": "speedup",
}  # fmt: skip
FIELDS: Final = {
    row.name: row
    for row in (
        Field("params", "number", "parameters", _params),
        *(Field(name, "number", f"{name} that its source gives", _signal(name)) for name in
          ("downloads", "likes", "stars")),
        Field("price", "number", "price in US dollars of the unit of use that its source names; free is 0", _price),
        *(Field(name, "number", METRICS[metric].meaning, _numbers_of(metric))
          for name, metric in _METRIC_FIELDS.items()),
        Field("type", "word", "type of artifact", _text("type")),
        Field("license", "word", "licence, as SPDX writes it", _licence),
        Field("library", "word", "library that loads it", _text("library")),
        Field("family", "word", "family of models", _text("family")),
        Field("organization", "word", "who publishes it", lambda c, _: [organization_of(c.artifact)]),
        Field("maintainer", "word", "who maintains it", _text("maintainer")),
        Field("base_model", "word", "what it was made from", _text("base_model")),
        Field("task", "word", "a task of the taxonomy that it does", _tasks),
        Field("domain", "word", "its source's own label", _of_capabilities("domain")),
        Field("capability", "word", "name of a capability", _of_capabilities("name")),
        Field("tag", "word", "a tag of a capability", _tags),
        Field("input", "word", "what goes in: image, text, audio, video, table, document", _types("input_types")),
        Field("output", "word", "what comes out", _types("output_types")),
        Field("format", "word", "format of its files", lambda c, _: formats_of(c.artifact)),
        Field("name", "word", "its name", _text("name")),
        Field("id", "word", "its id", _text("id")),
        Field("word", "word", "a whole word of its names, family, library, publisher or formats", _word),
        Field("runs", "word", "verdict of a capability's runs: verified, refuted, inconclusive, …, claimed", _runs),
        Field("released", "date", "date of its release: 2024, 2024-06 or 2024-06-30", _released),
        Field("free", "flag", "free of charge", lambda c, _: _flag(c.artifact.pricing.free)),
        Field("offline", "flag", "open weights: runs without its publisher",
              lambda c, _: _flag(is_offline(c.artifact))),
        Field("permissive", "flag", "its licence is in the list that the policy strict allows",
              lambda c, _: _flag(is_permissive(c.artifact.license))),
        Field("verified", "flag", "a capability is verified to run on the real files, none of its claims refuted",
              lambda c, _: _flag(is_verified(c))),
    )
}  # fmt: skip
"""Every field by name."""


def values_of(name: str, dataset: str, candidate: Candidate) -> list[Value]:
    """All known values of a field, words in lower case; empty where none is known."""
    found = FIELDS[name].read(candidate, dataset)
    return [value if isinstance(value, float) else str(value).lower() for value in found if value is not None]
