"""What job an artifact does, and how far another does the same: from stated tasks, else from its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.artifacts import Artifact
from graph.constants import JOB_NEIGHBOURS, JOB_TEMPERATURE
from graph.taxonomy import OTHER, task_of_label, task_words
from indexer.snapshot import Snapshot
from search.query.words import plain

_LIFECYCLE: Final = "lifecycle."
"""What any model can be put through (export, serving…) is no job."""
Labels = Mapping[tuple[str, str], tuple[str, str | None, str | None]]
"""Task, domain and functionality by (artifact, capability), from `catalogue.capability_labels`."""


@dataclass(frozen=True)
class Stated:
    """What a capability's source states of its job.

    `label` is the finest name: the source's own label, else the task, None for no job at all. `is_guess` is set where
    the task was only read from the functionality ("Transformers", "Feature Extraction"): on the three hubs of APIBench
    that is the task of the stated domain in 67 to 98 of 100, so neighbours decide about such an artifact's own job.
    """

    task: str
    label: str | None
    is_guess: bool


def stated_job(task: str, domain: str | None, functionality: str | None) -> Stated:
    """What task, domain and functionality of a capability say of its job."""
    if task.startswith(_LIFECYCLE):
        return Stated(task, None, is_guess=False)
    label = plain(domain) if domain else None if task == OTHER else task
    guessed = not domain and functionality is not None and task_of_label(functionality) == task
    return Stated(task, label, is_guess=guessed)


def job_of(artifact: Artifact) -> Stated:
    """What an artifact states of its job: its first capability's; sources put the main job first."""
    first = artifact.capabilities[0]
    return stated_job(first.task, first.domain, first.functionality)


@dataclass(frozen=True)
class Votes:
    """Shares of jobs by label, adding up to 1; empty where no neighbour states one."""

    shares: Mapping[str, float]

    @property
    def best(self) -> tuple[str, float]:
        """The label with the largest share, ties by name, and its share."""
        label = min(self.shares, key=lambda name: (-self.shares[name], name))
        return label, self.shares[label]


class Jobs:
    """The jobs of the artifacts of a snapshot, by their number in `artifacts`."""

    def __init__(self, snapshot: Snapshot, artifacts: Sequence[str], owners: NDArray[np.int64], labels: Labels) -> None:
        self._snapshot, self._owners, self._count = snapshot, owners, len(artifacts)
        self.labels: list[frozenset[str]] = [frozenset()] * len(artifacts)
        self.tasks: list[frozenset[str]] = [frozenset()] * len(artifacts)
        self.uris: list[frozenset[str]] = [frozenset()] * len(artifacts)
        for row, owner in zip(snapshot.rows, owners.tolist(), strict=True):
            written = labels.get((row.artifact, row.capability))
            stated = stated_job(*written) if written else None
            if stated is not None and stated.label is not None:
                self.labels[owner] |= {stated.label}
                self.tasks[owner] |= {stated.task} - {OTHER}
            if row.uri is not None and not row.uri.startswith(f"capability://{_LIFECYCLE}"):
                self.uris[owner] |= {row.uri}
        self._inferred: dict[int, Votes] = {}

    def votes(self, vector: NDArray[np.float32], leave_out: Sequence[int] = ()) -> Votes:
        """The jobs of the 20 artifacts nearest to a vector that state one, each with weight exp((cosine - 1) / 0.1).

        Parameters
        ----------
        vector
            float32 (dimension,), normalised.
        leave_out
            Numbers of artifacts that do not vote.
        """
        cosines = np.full(self._count, -np.inf)
        np.maximum.at(cosines, self._owners, self._snapshot.cosines(vector))
        silent = [number for number in range(self._count) if not self.labels[number]]
        cosines[[*silent, *leave_out]] = -np.inf
        nearest = np.lexsort((np.arange(self._count), -cosines))[:JOB_NEIGHBOURS]
        shares: dict[str, float] = {}
        for number in nearest[np.isfinite(cosines[nearest])].tolist():
            weight = float(np.exp((cosines[number] - 1.0) / JOB_TEMPERATURE)) / len(self.labels[number])
            for label in sorted(self.labels[number]):
                shares[label] = shares.get(label, 0.0) + weight
        total = sum(shares.values())
        return Votes({label: share / total for label, share in shares.items()})

    def agreement(self, votes: Votes, number: int, row: int) -> float:
        """How far an artifact does the job that was voted for, 0 to 1: the share of the labels that it states.

        One that states none is judged by its own neighbours; `row` is the row of the snapshot to start from.
        """
        if self.labels[number]:
            return sum(votes.shares.get(label, 0.0) for label in self.labels[number])
        if number not in self._inferred:
            self._inferred[number] = self.votes(self._snapshot.vectors_of([row])[0], [number])
        own = self._inferred[number].shares
        return sum(share * own.get(label, 0.0) for label, share in votes.shares.items())


def label_words(label: str) -> str:
    """A job's label for people: a task without its domain, a source's own label as it is."""
    return task_words(label) if "." in label and " " not in label else label


KINDS: Final = (
    ("classification", ("text-classification", "image-classification", "audio-classification", "video-classification",
                        "tabular-classification")),
    ("zero-shot classification", ("zero-shot-classification", "zero-shot-image-classification")),
    ("question answering", ("question-answering", "table-question-answering", "visual-question-answering",
                            "document-question-answering")),
    ("generation", ("text-generation", "text-to-image", "text-to-speech", "text-to-audio", "text-to-video",
                    "unconditional-image-generation", "image-to-video", "text-to-3d", "image-to-3d")),
    ("embedding", ("feature-extraction", "sentence-similarity", "image-feature-extraction")),
    ("description", ("image-to-text", "automatic-speech-recognition", "video-text-to-text", "summarization")),
    ("detection", ("object-detection", "voice-activity-detection", "token-classification", "keypoint-detection",
                   "zero-shot-object-detection")),
    ("translation", ("translation", "image-to-image", "audio-to-audio", "video-to-video")),
)  # fmt: skip
"""Tasks that are one kind of job in several modalities: among them "other modality" looks."""


def tasks_of_kind(task: str) -> frozenset[str]:
    """Tasks that do the same kind of job in any modality, the task itself among them.

    Examples
    --------
    >>> "image-classification" in tasks_of_kind("text.text-classification")
    True
    """
    bare = task.partition(".")[2]
    return frozenset({bare}).union(*(tasks for _, tasks in KINDS if bare in tasks))
