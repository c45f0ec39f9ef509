"""Which models are compared: artifacts of the home, model folders that were never ingested, or cached hub models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from graph.artifacts import Artifact, Source, Weights, slug_of
from graph.errors import InputError, UnknownArtifact
from graph.home import Home
from graph.model_comparison import Origin
from graph.store.catalogue import find_artifact
from graph.store.evidence import trusted_names
from graph.taxonomy import task_words
from inference.comparison.labels import LabelMap, translated_data
from inference.comparison.outcomes import COMPARED
from inference.data.sets import LabelledSet
from inference.ground import Ground, survey
from inference.models.digests import FileDigests
from inference.models.facts import looks_like_model
from inference.models.locate import find_hub_model
from inference.probes import PROBES
from inference.probes.base import Probe, Subject
from inference.sandbox.layers import switched_off

_COMPARING: Final = tuple(
    probe for probe in PROBES.values() if probe.info.needs is not None and set(COMPARED) & set(probe.info.metrics)
)
"""Probes whose answers are right or wrong, or likely, item by item."""


class NotComparable(Exception):
    """A model cannot take part; `code` is the reason code. Listed with the others, never raised to the user."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


@dataclass(frozen=True)
class Candidate:
    """A model to compare: the name it is shown by, where it was found, and what is known of its files."""

    name: str
    origin: Origin
    ground: Ground


@dataclass(frozen=True)
class Trial:
    """What is asked of a candidate: the probe, the set in the model's terms, what its labels mean, and the cost."""

    candidate: Candidate
    probe: Probe
    data: LabelledSet
    meaning: dict[str, str]
    cost_s: float


def find_candidates(home: Home, names: Sequence[str], trust: Sequence[str]) -> list[Candidate]:
    """The models that these names mean, each once, in the order given.

    A name is the path of a model's folder, else an artifact of the home, else a hub id in the local cache. `trust`
    holds names as given here, ids, slugs or model digests.

    Raises
    ------
    UnknownArtifact
        A name is none of these.
    InputError
        A name to trust is none of the models.
    """
    with home.store.reading() as connection:
        kept = trusted_names(connection)
    found = [_find(home, name) for name in dict.fromkeys(names)]
    shown = [artifact.name if origin == "directory" else name for name, artifact, origin in found]
    digests, without = FileDigests(home.path / "digests.json"), switched_off(home.settings.sandbox)
    candidates = []
    for label, (name, artifact, origin) in zip(shown, found, strict=True):
        trusted = _trusted(artifact, origin, {name, label}, kept, frozenset(trust))
        unique = label if shown.count(label) == 1 else name
        candidates.append(Candidate(unique, origin, survey(artifact, trusted, digests, without=without)))
    digests.save()
    _check_trust(candidates, names, trust)
    return candidates


def _trusted(
    artifact: Artifact, origin: Origin, names: set[str], kept: frozenset[str], given: frozenset[str]
) -> frozenset[str]:
    """What vouches for a model: digests always, names given now, and the home's trust in names only for its own."""
    digests = {word for word in kept | given if len(word) == 64}
    named = {artifact.id} if given & (names | {artifact.id, artifact.slug}) else set()
    return frozenset(digests | named | (kept if origin == "home" else set()))


def _check_trust(candidates: Sequence[Candidate], names: Sequence[str], trust: Sequence[str]) -> None:
    grounds = [candidate.ground for candidate in candidates]
    known = {*names, *(candidate.name for candidate in candidates)}
    known |= {word for ground in grounds for word in (ground.artifact.id, ground.artifact.slug)}
    known |= {ground.model.digest for ground in grounds if ground.model is not None}
    for word in trust:
        if word not in known:
            raise InputError(f"--trust {word}: none of the models compared: {', '.join(names)}")


def _find(home: Home, name: str) -> tuple[str, Artifact, Origin]:
    folder = Path(name)
    if folder.is_dir() and looks_like_model(folder):
        return name, _stranger(name, Weights(path=str(folder.resolve()))), "directory"
    try:
        with home.store.reading() as connection:
            return name, find_artifact(connection, name), "home"
    except UnknownArtifact as error:
        if folder.is_dir():
            raise InputError(f"{name}: no model lies in this folder: name the one with config.json in it") from error
        if find_hub_model(name) is not None:
            return name, _stranger(name, Weights(hub_id=name)), "cache"
        raise InputError(f"{error}; and there is no folder of this name") from error


def _stranger(name: str, weights: Weights) -> Artifact:
    """An artifact that is in no home: for this comparison alone."""
    shown = Path(name).resolve().name if weights.path is not None else name
    return Artifact(id=shown or name, slug=slug_of(shown or name), name=shown or name, weights=weights,
                    source=Source(kind="model", file=shown or name))  # fmt: skip


def plan_trial(candidate: Candidate, data: LabelledSet, task: str | None, labels: LabelMap) -> Trial:
    """How a model is asked about a set.

    Parameters
    ----------
    candidate : Candidate
        The model.
    data : LabelledSet
        The user's items.
    task : str or None
        `domain.task` that every model has to do; None takes what each model's files say.
    labels : LabelMap
        What labels mean.

    Raises
    ------
    NotComparable
        It has no files here, may not run, does something else, or its labels are not those of the set.
    """
    _check_runnable(candidate)
    subject = candidate.ground.subject
    subject = replace(subject, task=subject.task or task)
    if subject.task is None:
        raise NotComparable("not_runnable", "its files do not say which task it does: say it with --task")
    probes = [probe for probe in _COMPARING if probe.info.needs == data.kind and task in (None, *probe.info.tasks)]
    misfits = []
    for probe in sorted(probes, key=lambda probe: subject.task not in probe.info.tasks):  # what its files say first
        try:
            return _fit(candidate, probe, subject, data, labels)
        except NotComparable as misfit:
            misfits += [misfit] if subject.task in probe.info.tasks else []
    raise misfits[0] if misfits else _nothing_asks(subject.task, task, data)


def _nothing_asks(own: str, task: str | None, data: LabelledSet) -> NotComparable:
    """Why no probe asks a model made for one task about a set: another task is wanted, or other items."""
    if task is not None and not any({own, task} <= set(probe.info.tasks) for probe in _COMPARING):
        return NotComparable("not_runnable", f"its files do {task_words(own)}, not {task_words(task)}")
    does = f"{data.name} holds items of the kind {data.kind}, the model does {task_words(own)}"
    return NotComparable("no_data", f"{does}: nothing asks it about these")


def _check_runnable(candidate: Candidate) -> None:
    ground = candidate.ground
    if ground.facts is None:
        raise NotComparable(*(ground.problem or ("no_weights", ground.absent)))
    if ground.problem is not None:
        raise NotComparable(*ground.problem)
    if ground.subject.tier != "artifact":
        raise NotComparable("no_weights", "only its configuration is here, no weights")
    if not ground.runnable:
        raise NotComparable("unsafe_refused", f"not run unless you trust it by name: --trust {candidate.name}")


def _fit(candidate: Candidate, probe: Probe, subject: Subject, data: LabelledSet, labels: LabelMap) -> Trial:
    """The trial with this probe.

    Raises
    ------
    NotComparable
        Model and set do not fit it; where the answers are the model's own labels, says which are missing.
    """
    free = probe.cost_s(replace(subject, labels=()), data)  # the labels of the model play no part
    if free is not None:
        return Trial(candidate, probe, data, {}, free)
    bound = probe.cost_s(replace(subject, labels=data.classes), data)  # they are the answers
    if bound is not None:
        try:
            meaning = labels.for_model(data, subject.labels)
        except InputError as error:
            raise NotComparable("no_data", str(error)) from error
        return Trial(candidate, probe, translated_data(data, meaning), meaning, bound)
    own = probe.cost_s(subject, data)
    if own is None:
        raise NotComparable("no_data", f"{data.name} does not fit what the probe {probe.info.name} asks")
    return Trial(candidate, probe, data, {}, own)
