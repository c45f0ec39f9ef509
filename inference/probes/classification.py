"""Accuracy of a classifier on a labelled set, through the pipeline that its users call."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from typing import Any, Final

from inference.data.sets import ItemKind, LabelledSet, open_picture
from inference.probes.base import (
    LOAD_SAFELY,
    RUNS_DECLARED,
    Measured,
    ProbeFailure,
    ProbeInfo,
    RawAnswers,
    RunTask,
    Subject,
    load_seconds,
    loading,
    one_line,
    same_label,
    score_answers,
)
from inference.probes.lengths import tokens_read

_NO_CHOICE: Final = ("multi_label_classification", "regression")
_ITEM_FLOPS: Final = {"image": 2 * 500, "text": 2 * 40}
"""Rough operations an item and parameter: weights of a picture model are used at many places."""


class ClassificationProbe:
    """`transformers.pipeline(task)` on every item; answers are the model's own label names."""

    def __init__(self, kind: ItemKind, task: str) -> None:
        self._kind = kind
        self._task = task.partition(".")[2]
        self.info = ProbeInfo(
            name=self._task,
            version="2",
            metrics=("accuracy", "f1", "runs"),
            tasks=(task,),
            needs=kind,
            control="the same answers against shuffled labels must be chance",
            declared=RUNS_DECLARED,
        )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load and to ask every item; None where labels of the set are not the model's."""
        if data is None or data.kind != self._kind or subject.task not in self.info.tasks:
            return None
        known = {same_label(label) for label in subject.labels}
        if not all(same_label(label) in known for label in data.classes):
            return None
        item_s = 0.002 + _ITEM_FLOPS[self._kind] * (subject.parameters or 0) / 5e10
        return load_seconds(subject) + len(data.items) * item_s

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: the label of each item, in order."""
        import torch

        torch.manual_seed(task.seed)
        started = time.perf_counter()
        with loading("pipeline"):
            classify = self._pipeline(task)
        if classify.model.config.problem_type in _NO_CHOICE:
            what = (
                f"its head is for {classify.model.config.problem_type.replace('_', ' ')}: it does not choose one label"
            )
            raise ProbeFailure("no_data", what)
        loaded = time.perf_counter()
        cut = self._cut(classify) if self._kind == "text" else {}
        answers: list[str] = []
        for answer in classify(staged_items(task), top_k=1, batch_size=1, **cut):
            best = answer[0] if isinstance(answer, list) else answer
            if not math.isfinite(best["score"]):
                raise ProbeFailure("non_finite", f"item {len(answers) + 1}: its score is not a finite number")
            answers.append(str(best["label"])[:500])
        return {"answers": answers, "load_s": loaded - started, "run_s": time.perf_counter() - loaded}

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Right answers among all items of the set, and how each label fares."""
        if data is None:
            raise ValueError("a labelled set is needed")
        return score_answers(RawAnswers.model_validate_json(raw), data.labels, data.majority, len(data.classes))

    def _pipeline(self, task: RunTask) -> Any:
        """The pipeline, from parts that were each loaded from the folder alone."""
        import transformers as library

        picture = self._kind == "image"
        model_class = library.AutoModelForImageClassification if picture else library.AutoModelForSequenceClassification
        model = model_class.from_pretrained(task.folder, use_safetensors=True, **LOAD_SAFELY)
        model.config.return_dict = True  # a configuration may ask for tuples, which the pipeline cannot read
        if picture:
            processor = library.AutoImageProcessor.from_pretrained(task.folder, **LOAD_SAFELY)
            return library.pipeline(self._task, model=model, image_processor=processor, device="cpu")
        tokenizer = library.AutoTokenizer.from_pretrained(task.folder, **LOAD_SAFELY)
        return library.pipeline(self._task, model=model, tokenizer=tokenizer, device="cpu")

    def _cut(self, classify: Any) -> dict[str, Any]:
        """How long texts are cut: at what the tokenizer and the model's positions allow."""
        longest = tokens_read(classify.tokenizer, classify.model)
        return {"truncation": True, "max_length": longest} if longest else {}


def staged_items(task: RunTask) -> Iterator[Any]:
    """The staged items in order: what items.json lists, or else pictures, each opened when it is asked for."""
    if task.items is None:
        raise ProbeFailure("no_data", "no items were staged")
    listed = task.items / "items.json"
    if listed.exists():
        yield from json.loads(listed.read_text(encoding="utf-8"))
        return
    for number, file in enumerate(sorted(task.items.iterdir()), 1):
        try:
            yield open_picture(file)
        except ValueError as error:
            raise ProbeFailure("no_data", f"picture {number} of the set cannot be read: {one_line(error)}") from error
