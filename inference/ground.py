"""What is known about an artifact before anything runs: its files, their facts and digest, whether it may run."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from graph.artifacts import Artifact, Capability
from graph.claims import ModelUsed
from graph.errors import ModelError
from inference.data import drawings
from inference.data.sets import BUILT_IN, LabelledSet, built_in, same_name
from inference.models.architecture import Architecture, family_note, find_architecture
from inference.models.digests import FileDigests, model_used
from inference.models.facts import ModelFacts, inspect_model, trusted_pickle
from inference.models.files import ModelFile
from inference.models.locate import Located, locate_model
from inference.probes.base import Subject, same_label
from inference.stage import PICKLED, counts

MODELS_FILE: Final = Path(__file__).parent / "models" / "known_models.json"
LOADERS: Final = ("diffusers", "sentence-transformers", "transformers")
"""Libraries whose models the probes load."""
Trust = Literal["name", "digest", "known", "sandbox"]
"""By what a model may run: the user's word for its name or digest, the committed table, or confinement alone."""


@dataclass(frozen=True)
class Ground:
    """An artifact and its files. `facts` is None where there are none here, with `absent` saying why.

    `problem` is a reason code and a line where the files are there but cannot be run; `trust` says by what the model
    may run, None where it may not. `untrusted`: nobody vouched for it, so it runs in the sandbox or not at all.
    `architecture` is what can be built where the weights are not at hand.
    """

    artifact: Artifact
    facts: ModelFacts | None = None
    absent: str = ""
    problem: tuple[str, str] | None = None
    model: ModelUsed | None = None
    trust: Trust | None = None
    labels: tuple[str, ...] = ()
    untrusted: bool = True
    architecture: Architecture | None = None

    @property
    def subject(self) -> Subject:
        """The model as probes see it before they run; its bare architecture where the weights are not at hand."""
        facts, architecture = self.facts, self.architecture
        if architecture is not None and not self.runnable:
            size_bytes = 4 * (architecture.parameters or 0)
            return Subject(size_bytes, architecture.parameters, architecture.task, architecture.labels,
                           architecture.library, "architecture")  # fmt: skip
        if facts is None:
            return Subject(0, None, None)
        library = facts.library or "transformers"
        return Subject(facts.size_bytes, facts.parameters, facts.task, self.labels, library)

    @property
    def runnable(self) -> bool:
        """Whether probes may run on the real files."""
        return self.facts is not None and self.problem is None and self.trust is not None

    @property
    def buildable(self) -> bool:
        """Whether probes may run on the bare architecture, with initialised weights."""
        return self.architecture is not None and self.trust is not None and not self.runnable

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
        built = [
            built_in(name) for name, classes in BUILT_IN.items() if name == drawings.NAME or words.issuperset(classes)
        ]
        sets = {data.name: data for data in (*built, *self._opened.values())}
        return sorted(sets.values(), key=lambda data: (data.declared_by != "known", data.name))


def survey(
    artifact: Artifact, trusted: frozenset[str], digests: FileDigests, confined: bool | None = None,
    without: frozenset[str] = frozenset(),
) -> Ground:  # fmt: skip
    """What is known about an artifact without running anything.

    Parameters
    ----------
    artifact : Artifact
        The artifact.
    trusted : frozenset of str
        Ids, slugs and model digests that the user trusts to be run.
    digests : FileDigests
        Remembers the digests of large files.
    confined : bool or None
        Whether the sandbox confines what runs; None asks this machine, and only where nobody vouches for a model.
    without : frozenset of str
        Layers of the sandbox that the operator switched off.
    """
    vouch = _Vouch(trusted, confined, without)
    located = locate_model(artifact.weights)
    if located.path is None:
        absent = "; ".join(filter(None, (located.reason, family_note(artifact))))
        return _without_files(Ground(artifact, absent=absent), located, vouch)
    try:
        facts = inspect_model(located.path)
    except ModelError as error:  # the folder itself cannot be read: that says nothing about the model
        return Ground(artifact, absent=str(error))
    if not facts.files:
        return Ground(artifact, absent=facts.reason or "its folder holds no model files")
    facts = trusted_pickle(facts) if vouch.by_name(artifact) else facts
    try:
        model = model_used([(file.name, file.path) for file in facts.files if _is_part(file, facts)], digests)
    except ModelError as error:
        return Ground(artifact, facts, problem=("not_runnable", str(error)))
    trust = vouch.trust(artifact, model.digest)
    problem = _problem(facts) or (None if trust else ("unsafe_refused", _way_out(artifact)))
    ground = Ground(artifact, facts, "", problem, model, trust, facts.label_names, trust in (None, "sandbox"))
    return _without_files(ground, located, vouch) if facts.reason_code == "no_weights" else ground


def _without_files(ground: Ground, located: Located, vouch: _Vouch) -> Ground:
    """The ground of an artifact without weights, with the architecture that can be built for it, if there is one."""
    architecture = find_architecture(ground.artifact, located)
    if architecture is None:
        return ground
    own = architecture.origin == "library default"  # ours and the library's, nothing of a stranger's
    trust: Trust | None = "known" if own else vouch.trust(ground.artifact, architecture.digest)
    return replace(ground, architecture=architecture, trust=trust, untrusted=trust in (None, "sandbox"))


def _is_part(file: ModelFile, facts: ModelFacts) -> bool:
    """Whether a file counts for the model's digest; pickled weights only where they are what is loaded."""
    return counts(file) or (facts.kind == "pickle" and facts.loadable and file.name.lower().endswith(PICKLED))


def _problem(facts: ModelFacts) -> tuple[str, str] | None:
    """Why these files cannot be run here, as reason code and line; None where they can."""
    if not facts.loadable:
        return facts.reason_code or "not_runnable", facts.reason
    if facts.library not in LOADERS:
        return "not_runnable", f"no probe loads {facts.library} models yet"
    return None


def _way_out(artifact: Artifact) -> str:
    return f"not run: nothing here confines it, and nobody trusts it: --trust {artifact.slug} if you do"


@functools.cache
def known_models() -> dict[str, str]:
    """Names of the examples' models by model digest: they were made by this repository and run without `--trust`."""
    return dict(json.loads(MODELS_FILE.read_text(encoding="utf-8"))) if MODELS_FILE.exists() else {}


@dataclass(frozen=True)
class _Vouch:
    """By whose word a model may run: the user's, the committed table's, or that of the sandbox, which confines it."""

    trusted: frozenset[str]
    confined: bool | None
    without: frozenset[str]

    def by_name(self, artifact: Artifact) -> bool:
        """Whether the user trusts it by name: not its display name, which others may have too."""
        return bool(self.trusted & {artifact.id, artifact.slug})

    def trust(self, artifact: Artifact, digest: str) -> Trust | None:
        """Who vouches for it; None where nobody does."""
        if self.by_name(artifact):
            return "name"
        if digest in self.trusted:
            return "digest"
        if digest in known_models():
            return "known"
        confined = sandbox_confines(self.without) if self.confined is None else self.confined
        return "sandbox" if confined else None


@functools.cache
def sandbox_confines(without: frozenset[str] = frozenset()) -> bool:
    """Whether the sandbox of this machine confines a stranger's model: its files and its network."""
    from inference.sandbox.layers import available_layers, confines

    return confines(available_layers(without))
