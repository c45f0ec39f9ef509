"""What is known about an artifact before anything runs: its files, their facts and digest, whether it may run."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from graph.artifacts import Artifact, Capability
from graph.claims import ModelUsed
from graph.errors import ModelError
from inference.data.sets import BUILT_IN, LabelledSet, built_in, same_name
from inference.models.digests import FileDigests, model_used
from inference.models.facts import ModelFacts, inspect_model
from inference.models.locate import locate_model
from inference.probes.base import Subject, same_label
from inference.stage import counts

MODELS_FILE: Final = Path(__file__).parent / "models" / "known_models.json"
LOADERS: Final = ("transformers", "sentence-transformers")
"""Libraries whose models the probes load."""


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
        Ids, slugs and model digests that the user trusts to be run.
    digests : FileDigests
        Remembers the digests of large files.
    """
    located = locate_model(artifact.weights)
    if located.path is None:
        return Ground(artifact, absent=located.reason)
    try:
        facts = inspect_model(located.path)
    except ModelError as error:  # the folder itself cannot be read: that says nothing about the model
        return Ground(artifact, absent=str(error))
    if not facts.files:
        return Ground(artifact, absent=facts.reason or "its folder holds no model files")
    try:
        model = model_used([(file.name, file.path) for file in facts.files if counts(file)], digests)
    except ModelError as error:
        return Ground(artifact, facts, problem=("load_failed", str(error)))
    trust = _trust(artifact, model.digest, trusted)
    return Ground(artifact, facts, "", _problem(facts), model, trust, facts.label_names)


def _problem(facts: ModelFacts) -> tuple[str, str] | None:
    """Why these files cannot be run here, as reason code and line; None where they can."""
    if not facts.loadable:
        return facts.reason_code or "not_runnable", facts.reason
    if facts.library not in LOADERS:
        return "not_runnable", f"no probe loads {facts.library} models yet"
    return None


@functools.cache
def known_models() -> dict[str, str]:
    """Names of the examples' models by model digest: they were made by this repository and run without `--trust`."""
    return dict(json.loads(MODELS_FILE.read_text(encoding="utf-8"))) if MODELS_FILE.exists() else {}


def _trust(artifact: Artifact, digest: str, trusted: frozenset[str]) -> Literal["name", "digest", "known"] | None:
    """By what this model may run: the user's word for its name or digest, or the committed table of examples."""
    if trusted & {artifact.id, artifact.slug}:  # not by its display name, which others may have too
        return "name"
    if digest in trusted:
        return "digest"
    return "known" if digest in known_models() else None
