"""Zero-shot classification: an entailment model is asked about each label of a set, as its users do it."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from inference.data.sets import LabelledSet
from inference.probes.base import (
    ANSWER_LIMIT,
    LOAD_SAFELY,
    RUNS_DECLARED,
    Answer,
    Measured,
    Measurement,
    ProbeFailure,
    ProbeInfo,
    RawAnswers,
    RunTask,
    Seconds,
    Subject,
    load_seconds,
    loading,
    same_label,
    score_answers,
)
from inference.probes.classification import staged_items
from inference.probes.lengths import tokens_read

TASKS: Final = ("text.zero-shot-classification", "text.text-classification")
"""What it tries, and the task that the files of such a model declare."""
TEMPLATE: Final = "This example is {}."
"""The library's default."""
NO_LABEL: Final = "This example is {:.0}."
"""The same sentence with a label cut to no characters."""
CONTROLS: Final = 60
"""At most this many items are asked once more, without the label."""
MOST_LABELS: Final = 200
_LARGEST_BATCH: Final = 16


class _Raw(BaseModel):
    """The child's answer: a label an item, a label for each control, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: list[Answer] = Field(max_length=ANSWER_LIMIT)
    unlabelled: list[Answer] = Field(max_length=CONTROLS)
    load_s: Seconds
    run_s: Seconds


class ZeroShotProbe:
    """`pipeline("zero-shot-classification")` with the labels of the set as candidates, each once an item.

    The second control asks some items with the label left out of each sentence: "This example is ." says the same for
    all of them, so the answers must be right by chance only. More would mean that something else than the sentences
    gives the answer away.
    """

    info = ProbeInfo(
        name="zero-shot-classification",
        version="1",
        metrics=("accuracy", "f1", "runs"),
        tasks=TASKS[:1],
        open_labels=True,
        needs="text",
        control="the same answers against shuffled labels, and answers to sentences without a label, must be chance",
        declared=f"{RUNS_DECLARED}; hypothesis template {TEMPLATE!r}",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load and to ask each item about each label; None where it is no entailment model."""
        if data is None or data.kind != "text" or subject.task not in TASKS or not entails(subject.labels):
            return None
        if not 2 <= len(data.classes) <= MOST_LABELS:
            return None
        asked = len(data.classes) * (len(data.items) + min(CONTROLS, len(data.items)))
        return load_seconds(subject) + asked * (0.001 + 2 * 60 * (subject.parameters or 0) / 1e11)

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: the best label of each item, and of each control."""
        import torch

        torch.manual_seed(task.seed)
        started = time.perf_counter()
        with loading("pipeline"):
            classify = _pipeline(task)
        labels, items = shown_labels(task), list(staged_items(task))
        loaded = time.perf_counter()
        answers = list(_best(classify, items, labels))
        run_s = time.perf_counter() - loaded
        again = [items[place] for place in control_places(len(items))]
        unlabelled = list(_best(classify, again, labels, NO_LABEL))
        return {"answers": answers, "unlabelled": unlabelled, "load_s": loaded - started, "run_s": run_s}

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Right answers among all items of the set, held against both controls."""
        if data is None:
            raise ValueError("a labelled set is needed")
        answer = _Raw.model_validate_json(raw)
        controls = len(control_places(len(data.items)))
        if len(answer.unlabelled) != controls:
            raise ValueError(f"{len(answer.unlabelled)} answers to {controls} controls")
        given = RawAnswers(answers=answer.answers, load_s=answer.load_s, run_s=answer.run_s)
        measured = score_answers(given, data.labels, data.majority, len(data.classes))
        unlabelled = unlabelled_control(answer.unlabelled, data)
        return measured.model_copy(
            update={"measurements": tuple(_with(found, unlabelled) for found in measured.measurements)}
        )


def entails(labels: Sequence[str]) -> bool:
    """Whether a model has the label "entailment", by whose score the pipeline chooses."""
    return any(label.lower().startswith("entail") for label in labels)


def shown_labels(task: RunTask) -> list[str]:
    """The candidate labels as they were staged.

    Raises
    ------
    ProbeFailure
        None were.
    """
    if task.items is None or not (task.items / "classes.json").exists():
        raise ProbeFailure("no_data", "no labels to choose from were staged")
    return [str(label) for label in json.loads((task.items / "classes.json").read_text(encoding="utf-8"))]


def control_places(items: int) -> range:
    """Which items are asked again without a label: at most CONTROLS, spread over the set."""
    return range(0, items, -(-items // CONTROLS))


def unlabelled_control(answers: Sequence[str], data: LabelledSet) -> dict[str, Any]:
    """Answers to sentences without a label against the right labels: they must have nothing to do with each other.

    `passed` says whether the hits lie within five standard deviations of what independence gives, Σ share of answer c
    · share of label c. Equal scores make a constant answer, which is right as often as its label occurs.
    """
    given = [same_label(answer) for answer in answers]
    right = [same_label(data.labels[place]) for place in control_places(len(data.items))]
    n, said, meant = len(right), Counter(given), Counter(right)
    hits = sum(map(str.__eq__, given, right))
    expected = sum(said[word] * meant[word] for word in sorted(said)) / n
    passed = abs(hits - expected) <= 5 * math.sqrt(max(expected * (1 - expected / n), 0.25))
    return {"kind": "sentences_without_label", "successes": hits, "n": n,
            "expected": round(expected, 6), "passed": passed}  # fmt: skip


def _with(found: Measurement, unlabelled: dict[str, Any]) -> Measurement:
    """A measurement whose control holds both: it passes where both do."""
    if found.control is None:
        return found
    passed = bool(found.control["passed"]) and bool(unlabelled["passed"])
    return found.model_copy(update={"control": {**found.control, "passed": passed, "without_label": unlabelled}})


def _pipeline(task: RunTask) -> Any:
    """The pipeline, from parts that were each loaded from the folder alone; long texts are cut to what fits."""
    import transformers as library

    model = library.AutoModelForSequenceClassification.from_pretrained(task.folder, use_safetensors=True, **LOAD_SAFELY)
    model.config.return_dict = True  # a configuration may ask for tuples
    tokenizer = library.AutoTokenizer.from_pretrained(task.folder, **LOAD_SAFELY)
    if not entails(list(model.config.label2id)):
        raise ProbeFailure("missing_dependency", "it has no label entailment to choose by")
    longest = tokens_read(tokenizer, model)
    if longest is not None:
        tokenizer.model_max_length = longest  # where this pipeline cuts
    return library.pipeline("zero-shot-classification", model=model, tokenizer=tokenizer, device="cpu")


def _best(classify: Any, texts: Sequence[str], labels: list[str], template: str = TEMPLATE) -> Iterator[str]:
    """The label with the highest score for each text; the sentences of one text go through the model together.

    Raises
    ------
    ProbeFailure
        A score is not finite.
    """
    together = min(len(labels), _LARGEST_BATCH) if classify.tokenizer.pad_token_id is not None else 1
    asked = {"candidate_labels": labels, "hypothesis_template": template, "batch_size": together}
    for answer in classify(list(texts), **asked):
        if not all(math.isfinite(score) for score in answer["scores"]):
            raise ProbeFailure("non_finite", "a label's score is not a finite number")
        yield str(answer["labels"][0])[:500]
