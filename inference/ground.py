"""What is known about an artifact before anything runs: its files, their facts and digest, whether it may run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from graph.artifacts import Artifact, Capability
from graph.claims import ModelUsed
from graph.errors import ModelError, ModelRefused
from inference.data import BUILT_IN, LabelledSet, built_in, same_name
from inference.digests import FileDigests, model_used
from inference.facts import ModelFacts, inspect_model
from inference.known import known_models
from inference.locate import locate_model
from inference.probes.base import Subject, same_label
from inference.stage import counts

_LARGEST_CONFIG_BYTES: Final = 16 << 20


@dataclass(frozen=True)
class Ground:
    """An artifact and its files. `facts` is None where there are none here, with `absent` saying why.

    `problem` is a reason code and a line where the files are there but cannot be run; `trust` says by what the model
    may run, None where it may not.
    """

    artifact: Artifact
    facts: ModelFacts | None = None
    absent: str = ""
    problem: tuple[str, str] | None = None
    model: ModelUsed | None = None
    trust: Literal["name", "digest", "known"] | None = None
    labels: tuple[str, ...] = ()

    @property
    def subject(self) -> Subject:
        """The model as probes see it before they run."""
        if self.facts is None:
            return Subject(0, None, None)
        return Subject(self.facts.size_bytes, self.facts.parameters, self.facts.task, self.labels)

    @property
    def runnable(self) -> bool:
        """Whether probes may run."""
        return self.facts is not None and self.problem is None and self.trust is not None

    def capability(self, *names: str | None) -> Capability | None:
        """The capability with the first of these ids that there is."""
        by_id = {capability.id: capability for capability in self.artifact.capabilities}
        return next((by_id[name] for name in names if name in by_id), None)


class Shelf:
    """The labelled sets at hand: those that the user names, and the built-in ones, loaded when first asked for."""

    def __init__(self, opened: Mapping[str, LabelledSet]) -> None:
        self._opened = dict(opened)

    def named(self, name: str) -> LabelledSet | None:
        """The set of this name; the user's own comes before a built-in one."""
        for own, data in self._opened.items():
            if same_name(own, name):
                return data
        return next((built_in(known) for known in BUILT_IN if same_name(known, name)), None)

    def all_for(self, labels: tuple[str, ...]) -> list[LabelledSet]:
        """All sets that could fit a model with these label names, known ones first, then by name."""
        words = {same_label(label) for label in labels}
        built = [built_in(name) for name, classes in BUILT_IN.items() if words.issuperset(classes)]
        sets = {data.name: data for data in (*built, *self._opened.values())}
        return sorted(sets.values(), key=lambda data: (data.declared_by != "known", data.name))


def survey(artifact: Artifact, trusted: frozenset[str], digests: FileDigests) -> Ground:
    """What is known about an artifact without running anything.

    Parameters
    ----------
    artifact : Artifact
        The artifact.
    trusted : frozenset of str
        Names and model digests that the user trusts to be run.
    digests : FileDigests
        Remembers the digests of large files.
    """
    located = locate_model(artifact.weights)
    if located.path is None:
        return Ground(artifact, absent=located.reason)
    try:
        facts = inspect_model(located.path)
    except ModelRefused as error:
        return Ground(artifact, absent="its files are refused", problem=("unsafe_refused", str(error)))
    except ModelError as error:
        return Ground(artifact, absent="its files cannot be read", problem=("load_failed", str(error)))
    if not facts.files:
        return Ground(artifact, absent=facts.reason or "its folder holds no model files")
    try:
        model = model_used([(file.name, file.path) for file in facts.files if counts(file)], digests)
    except ModelError as error:
        return Ground(artifact, facts, problem=("load_failed", str(error)))
    problem = None if facts.loadable else (facts.reason_code or "not_runnable", facts.reason)
    return Ground(
        artifact, facts, "", problem, model, _trust(artifact, model.digest, trusted), label_names(facts)
    )


def _trust(artifact: Artifact, digest: str, trusted: frozenset[str]) -> Literal["name", "digest", "known"] | None:
    """By what this model may run: the user's word for its name or digest, or the committed table of examples."""
    if trusted & {artifact.id, artifact.slug, artifact.name}:
        return "name"
    if digest in trusted:
        return "digest"
    return "known" if digest in known_models() else None


def label_names(facts: ModelFacts) -> tuple[str, ...]:
    """The model's own label names, in the order of its output; empty where config.json gives none."""
    file = next((file for file in facts.files if file.name == "config.json"), None)
    if file is None or file.size_bytes > _LARGEST_CONFIG_BYTES:
        return ()
    return _label_names(file.path)


def _label_names(file: Path) -> tuple[str, ...]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()  # the loading probe will say what is wrong with it
    named = config.get("id2label") if isinstance(config, dict) else None
    if not isinstance(named, dict) or not all(str(key).isdigit() for key in named):
        return ()
    return tuple(str(named[key]) for key in sorted(named, key=int))
