"""What eight-bit and half-precision forms cost in accuracy: all forms answer the same items, and the pairs decide."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from inference.data.sets import ItemKind, LabelledSet
from inference.probes.base import (
    ANSWER_LIMIT,
    LOAD_SAFELY,
    Answer,
    Measured,
    Measurement,
    ProbeInfo,
    RunTask,
    Subject,
    load_seconds,
    loading,
    same_label,
)
from inference.probes.classification import staged_items
from inference.probes.export import MODULES, fits, item_seconds, open_session
from inference.probes.models import main_output, open_model, require_finite, text_length
from inference.probes.smaller_forms import EIGHT_BIT, HALVES, eight_bit_files, in_half, scope_of, wanted_forms
from inference.verdicts.intervals import paired_difference_interval, relative_loss_interval, scaled

CALIBRATION: Final = 32
"""The first items of the set calibrate the static form and are not scored; fewer where the set is small."""
LEAST_ITEMS: Final = 30
_BATCH: Final = 16
"""Items a call through torch; the eight-bit forms get one at a time, as their scales depend on the batch."""


class _Raw(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    calibrated: int = Field(ge=1, le=CALIBRATION)
    answers: dict[str, list[Answer]] = Field(min_length=2, max_length=5)


class QuantizationLossProbe:
    """The float32 model and its smaller forms on the items of a labelled set, one item at a time."""

    def __init__(self, kind: ItemKind, task: str) -> None:
        self._kind = kind
        self.info = ProbeInfo(
            name=f"quantization-loss-{kind}",
            version="1",
            metrics=("loss_points", "loss_relative"),
            tasks=(task,),
            needs=kind,
            modules=MODULES,
            settings=("precision",),
            covered=tuple(("precision", name) for name in ("int8", *HALVES)),
            control="the smaller form's answers in a shuffled order must show a loss",
        )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load, to quantise, and to ask every item of five forms; None where labels are not the model's."""
        if data is None or data.kind != self._kind or subject.task not in self.info.tasks or not fits(subject):
            return None
        known = {same_label(label) for label in subject.labels}
        if len(data.items) < LEAST_ITEMS or not all(same_label(label) in known for label in data.classes):
            return None
        return load_seconds(subject) + 3 + 3 * len(data.items) * item_seconds(subject)

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: each form's label of each item that did not calibrate, in order."""
        model = open_model(task)
        wanted = wanted_forms(str(task.settings.get("precision", "")), model)
        inputs = list(item_inputs(task, model, self._kind, list(staged_items(task))))
        calibrated = min(CALIBRATION, len(inputs) // 10 + 1)
        asked, names = inputs[calibrated:], model.config.id2label
        answers = {"float32": _ask(_through_torch(model, "float32"), asked, names, _BATCH)}
        eight = [form for form in wanted if form in EIGHT_BIT]
        if eight:
            with eight_bit_files(model, joined(inputs[:2]), eight, inputs[:calibrated]) as files:
                sessions = {form: open_session(files[form]) for form in eight}
            answers |= {form: _ask(_through_session(sessions[form]), asked, names, 1) for form in eight}
        for form in wanted:
            if form in HALVES:
                answers[form] = _ask(_through_torch(in_half(model, form), form), asked, names, _BATCH)
        return {"calibrated": calibrated, "answers": answers}

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Losses in points and relative, with intervals of the paired difference."""
        if data is None:
            raise ValueError("a labelled set is needed")
        answer = _Raw.model_validate_json(raw)
        if not {"float32"} < set(answer.answers) <= {"float32", *EIGHT_BIT, *HALVES}:
            raise ValueError("not the forms that were asked for")
        right = [same_label(label) for label in data.labels[answer.calibrated :]]
        given = {form: [same_label(word) for word in words] for form, words in answer.answers.items()}
        if any(len(words) != len(right) or len(words) > ANSWER_LIMIT for words in given.values()):
            raise ValueError(f"not one answer of each form to {len(right)} items")
        forms = [form for form in (*EIGHT_BIT, *HALVES) if form in given]
        losses = [loss for form in forms for loss in _losses(form, given["float32"], given[form], right, data.name)]
        return Measured(loads=True, finite=True, measurements=tuple(losses))


def paired_table(first: Sequence[str], second: Sequence[str], right: Sequence[str]) -> tuple[int, int, int, int]:
    """How many items both answered rightly, only the first, only the second, neither."""
    pairs = [(one == label, other == label) for one, other, label in zip(first, second, right, strict=True)]
    return tuple(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False)))  # type: ignore[return-value]


def _losses(
    form: str, before: Sequence[str], after: Sequence[str], right: Sequence[str], name: str
) -> Iterator[Measurement]:
    """Loss in points, and relative where the reference has a right answer."""
    table = paired_table(before, after, right)
    n, first, second = len(right), table[0] + table[1], table[0] + table[2]
    scope = scope_of(form).model_copy(update={"dataset": name, "device": "cpu", "threads": 1, "batch_size": 1})
    shuffled = list(after)
    random.Random(0).shuffle(shuffled)
    low = paired_difference_interval(*paired_table(before, shuffled, right)).low
    control = {"kind": "shuffled_answers", "seed": 0, "n": n, "low": round(100 * low, 6), "passed": low > 0}
    named = " ".join(part for part in (scope.precision, scope.note) if part)
    detail = f"{first} of {n} right in float32, {second} in {named}, {table[0]} in both"
    points = scaled(paired_difference_interval(*table), 100)
    yield Measurement(metric="loss_points", value=100 * (first - second) / n, interval=points, n=n, scope=scope,
                      control=control, detail=detail)  # fmt: skip
    if first:
        relative = scaled(relative_loss_interval(*table), 100)
        yield Measurement(metric="loss_relative", value=100 * (1 - second / first), interval=relative, n=n,
                          scope=scope, control=control, detail=detail)  # fmt: skip


def item_inputs(task: RunTask, model: Any, kind: str, items: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The model's inputs of each item, a batch of one: pictures processed, texts as tokens with their mask."""
    import transformers

    if kind == "image":
        with loading("its picture processor"):
            processor = transformers.AutoImageProcessor.from_pretrained(task.folder, **LOAD_SAFELY)
        for picture in items:
            yield {"pixel_values": processor(picture, return_tensors="pt")["pixel_values"]}
        return
    with loading("its tokenizer"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(task.folder, **LOAD_SAFELY)
    most = _most_tokens(model, tokenizer)
    longest = max(len(tokenizer(text, truncation=True, max_length=most)["input_ids"]) for text in items)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    for text in items:  # one length for all: the exported forms have a fixed one
        tokens = tokenizer(text, truncation=True, padding="max_length", max_length=longest, return_tensors="pt")
        yield {name: tokens[name] for name in ("input_ids", "attention_mask")}


def _most_tokens(model: Any, tokenizer: Any) -> int:
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    lengths = [length for length in (tokenizer.model_max_length, positions) if length and length < 1e6]
    return int(min(lengths)) if lengths else text_length(model.config)


Asks = Callable[[dict[str, Any]], Any]


def _ask(asks: Asks, inputs: Sequence[dict[str, Any]], names: dict[int, str], batch_size: int) -> list[str]:
    """The name of the most likely class of each item."""
    answers: list[str] = []
    for start in range(0, len(inputs), batch_size):
        logits = asks(joined(inputs[start : start + batch_size]))
        require_finite(logits)
        answers += [str(names[int(row.argmax())])[:500] for row in logits]
    return answers


def joined(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Items of one shape as one batch."""
    import torch

    return {name: torch.cat([item[name] for item in items]) for name in items[0]}


def _through_torch(model: Any, form: str) -> Asks:
    import torch

    dtype = getattr(torch, form)

    def asks(item: dict[str, Any]) -> Any:
        own = {name: value.to(dtype) if value.is_floating_point() else value for name, value in item.items()}
        with torch.inference_mode():
            return main_output(model(**own)).float()

    return asks


def _through_session(session: Any) -> Asks:
    return lambda item: session.run(None, {name: value.numpy() for name, value in item.items()})[0]
