"""What every probe shares: its declaration, the task it gets in the child, and how a child's answer is checked."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from graph.claims import Scope, Tier
from graph.constants import RUNS_ABOVE_CHANCE
from inference.data.sets import ItemKind, LabelledSet
from inference.probes.measurements import Measured as Measured
from inference.probes.measurements import Measurement as Measurement
from inference.verdicts.intervals import scaled
from inference.verdicts.label_scores import LEAST_PER_CLASS, macro_f1, macro_f1_interval, mean_recall

ANSWER_LIMIT: Final = 200_000
LOAD_SAFELY: Final = {"local_files_only": True, "trust_remote_code": False}
"""For every `from_pretrained`; weights also get use_safetensors=True."""
RUNS_DECLARED: Final = f"right answers above chance by {RUNS_ABOVE_CHANCE:.0%} of the way from chance to all right"
"""What "works" means for probes that ask for labels; chance is the most frequent label or 1 in so many labels."""
FailureCode = Literal[
    "load_failed", "timeout", "oom", "crashed", "non_finite", "unsafe_refused", "missing_dependency", "no_data"
]


class ProbeFailure(Exception):
    """A probe ends without a measurement; `code` is the reason code. Raised in the child, reported to the executor."""

    def __init__(self, code: FailureCode, what: str) -> None:
        self.code, self.what = code, what
        super().__init__(what)


@dataclass(frozen=True)
class ProbeInfo:
    """What a probe declares before it runs.

    `tasks` are those it fits (`domain.task`; empty: all); `needs` the kind of labelled set, None where it needs
    none; `modules` what the worker imports for it; `control` the negative control whose result goes into the record;
    `declared` the thresholds that "works" means here, in words with numbers. `settings` names the fields of a claim's
    scope that a run takes over (`RunTask.settings`), `covered` those settings whose measurements a run without any
    brings as well. `alone`: it measures time, nothing else may run meanwhile. `on_demand`: it takes long and runs only
    where a claim speaks of what it measures. `open_labels`: the model takes any labels, so that a set which its claims
    do not name says little. `architecture`: it also runs on the bare architecture with initialised weights.
    """

    name: str
    version: str
    metrics: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    needs: ItemKind | None = None
    modules: tuple[str, ...] = ("torch", "transformers.pipelines")
    control: str = ""
    declared: str = ""
    settings: tuple[str, ...] = ()
    covered: tuple[tuple[str, str | int], ...] = ()
    alone: bool = False
    on_demand: bool = False
    open_labels: bool = False
    architecture: bool = False


@dataclass(frozen=True)
class Subject:
    """The model a probe looks at, from its files' headers: bytes, parameters (None: unknown), task, label names.

    `library` loads it (transformers, sentence-transformers, diffusers); `tier` is `architecture` where only its
    configuration is at hand.
    """

    size_bytes: int
    parameters: int | None
    task: str | None
    labels: tuple[str, ...] = ()
    library: str = "transformers"
    tier: Tier = "artifact"


@dataclass(frozen=True)
class RunTask:
    """What the child gets: the staged model folder, the staged items without labels, a seed, and settings.

    `settings` are fields of `Scope` that the claims of this unit state (steps, batch_size, precision…); what is not
    named there is the probe's to choose. `initialised`: the folder holds a configuration only, and the weights are to
    be initialised.
    """

    folder: Path
    items: Path | None
    seed: int = 0
    settings: Mapping[str, str | int] = field(default_factory=dict)
    initialised: bool = False


class Probe(Protocol):
    """A test that runs the model. `run` happens in the locked-down child, the other two in the executor."""

    info: ProbeInfo

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds that a run will take, roughly; None where the probe does not fit this model and set."""
        ...

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer, as JSON: predictions and measurements, never a score."""
        ...

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """What the raw answer shows; its JSON is not trusted: ValueError where it is not what the probe answers."""
        ...


Answer = Annotated[str, StringConstraints(max_length=500)]
Seconds = Annotated[FiniteFloat, Field(ge=0, le=1e6)]


class RawAnswers(BaseModel):
    """The child's answer of a probe that labels items: one word an item, and times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: list[Answer] = Field(max_length=ANSWER_LIMIT)
    load_s: Seconds
    run_s: Seconds


def load_seconds(subject: Subject) -> float:
    """Seconds to fork, read the files and build the model, from measurements on small models."""
    return 0.5 + subject.size_bytes / 2e8


def same_label(label: str) -> str:
    """A label in the form in which two spellings are compared: without outer blanks, case aside."""
    return " ".join(label.split()).casefold()


def score_answers(
    raw: RawAnswers, labels: Sequence[str], majority: float, classes: int, *, by_label: bool = True
) -> Measured:
    """Right answers among all, with the shuffled-label control; macro F1 and balanced accuracy where labels mean one.

    Parameters
    ----------
    raw : RawAnswers
        One answer an item, in the order the items were shown.
    labels : sequence of str
        The right labels, in the same order.
    majority : float
        Share, 0..1, of the most frequent label.
    classes : int
        Number of labels.
    by_label : bool
        The labels mean something by themselves (and are no drawn places), so that it counts how each one fares.

    Raises
    ------
    ValueError
        Not one answer an item.
    """
    if len(raw.answers) != len(labels):
        raise ValueError(f"{len(raw.answers)} answers to {len(labels)} items")
    given, right = [same_label(answer) for answer in raw.answers], [same_label(label) for label in labels]
    successes, n = sum(one == other for one, other in zip(given, right, strict=True)), len(right)
    shared: dict[str, Any] = {"successes": successes, "n": n, "control": shuffled_control(given, right)}
    return Measured(
        loads=True,
        finite=True,
        measurements=(
            Measurement(metric="runs", value=successes / n, chance=max(majority, 1 / classes), **shared),
            Measurement(metric="accuracy", value=100 * successes / n, **shared),
            *(_label_by_label(given, right, shared["control"]) if by_label else ()),
            Measurement(metric="load_s", value=raw.load_s),
            Measurement(metric="seconds_per_item", value=raw.run_s / n, scope=Scope(batch_size=1)),
        ),
    )


def _label_by_label(given: Sequence[str], right: Sequence[str], control: dict[str, Any]) -> Iterator[Measurement]:
    """Balanced accuracy, and macro F1 where every label has items enough for an interval, both in percent."""
    yield Measurement(metric="balanced_accuracy", value=100 * mean_recall(given, right), n=len(right))
    if min(Counter(right).values()) >= LEAST_PER_CLASS:
        interval = scaled(macro_f1_interval(given, right), 100)
        value = 100 * macro_f1(given, right)
        yield Measurement(metric="f1", value=value, n=len(right), interval=interval, control=control)


def shuffled_control(given: Sequence[str], right: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """The same answers against shuffled labels: what is right then is chance, and must look like it.

    `passed` says whether the hits lie within five standard deviations of what independence gives,
    Σ share of answer c · share of label c (the permutation distribution's mean; its variance is at most n·p(1 − p)
    up to the factor n/(n − 1)).
    """
    import random

    shuffled = list(right)
    random.Random(seed).shuffle(shuffled)
    n = len(shuffled)
    hits = sum(one == other for one, other in zip(given, shuffled, strict=True))
    said, meant = Counter(given), Counter(shuffled)
    expected = sum(said[word] * meant[word] for word in sorted(said)) / n
    spread = math.sqrt(max(expected * (1 - expected / n), 0.25) * n / max(n - 1, 1))
    passed = abs(hits - expected) <= 5 * spread
    return {"kind": "shuffled_labels", "seed": seed, "successes": hits, "n": n,
            "expected": round(expected, 6), "passed": passed}  # fmt: skip


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Turns what a library raises while it loads a model into a `ProbeFailure` with its reason code."""
    try:
        yield
    except ProbeFailure:
        raise
    except MemoryError as error:
        raise ProbeFailure("oom", f"{what}: out of memory") from error
    except ImportError as error:
        raise ProbeFailure("missing_dependency", f"{what}: {one_line(error)}") from error
    except Exception as error:  # a model's files can make the libraries raise anything
        message = one_line(error)
        if "trust_remote_code" in str(error):  # the word may come late in a long message
            raise ProbeFailure("unsafe_refused", f"{what}: it needs code of its own, which is never run") from error
        code: FailureCode = "oom" if is_out_of_memory(message) else "load_failed"
        raise ProbeFailure(code, f"{what}: {type(error).__name__}: {message}") from error


def transformer_folder(folder: Path) -> Path:
    """The folder where config.json lies: the folder itself, or the first module of a sentence-transformers model."""
    listed = folder / "modules.json"
    if (folder / "config.json").exists() or not listed.exists():
        return folder
    return folder / str(json.loads(listed.read_text(encoding="utf-8"))[0]["path"])


def is_out_of_memory(message: str) -> bool:
    """Whether a library's message says that memory ran out."""
    lowered = message.lower()
    return any(words in lowered for words in ("allocate memory", "out of memory", "bad alloc", "bad_alloc"))


def one_line(error: BaseException) -> str:
    """An exception's message in one line of at most 300 characters."""
    return " ".join(str(error).split())[:300] or type(error).__name__
