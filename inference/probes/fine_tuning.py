"""Fine-tuning with a new head: the backbone stays as it is, a new last layer learns, and held-out items decide."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from graph.claims import Scope
from graph.errors import ModelError
from inference.data.sets import ItemKind, LabelledSet
from inference.probes.base import (
    ANSWER_LIMIT,
    LOAD_SAFELY,
    Measured,
    Measurement,
    ProbeFailure,
    ProbeInfo,
    RunTask,
    Subject,
    load_seconds,
    loading,
)
from inference.probes.classification import staged_items
from inference.probes.export import fits, item_seconds
from inference.probes.quantization_loss import item_inputs, joined, paired_table
from inference.verdicts.intervals import paired_difference_interval, proportion_interval

STEPS: Final = 60
TRAINED: Final = 256
"""At most so many labelled items are learned from, and at most half of the set; as many others are held out."""
LEAST_ITEMS: Final = 60
_BATCH: Final = 32
_RATE: Final = 1e-2
TRAINING_FILE: Final = "training.json"
_TASKS: Final = {"image": "vision.image-classification", "text": "text.text-classification"}


class _Training(BaseModel):
    """What the child learns from: labels of some items, as numbers; which others to answer; how many items, labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: int
    classes: int
    labels: dict[int, int]
    held_out: list[int]


class _Raw(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    before: list[int] = Field(max_length=ANSWER_LIMIT)
    after: list[int] = Field(max_length=ANSWER_LIMIT)
    misled: list[int] = Field(max_length=ANSWER_LIMIT)
    new_tensors: list[str] = Field(max_length=20)
    only_head: bool
    backbone_unchanged: bool
    first_loss: FiniteFloat
    last_loss: FiniteFloat


class FineTuningProbe:
    """A new head on the frozen backbone learns STEPS steps of AdamW from a part of a labelled set.

    The items' outputs of the frozen backbone are computed once and the head learns from them: the same numbers as
    with a pass through the whole model in every step, for a fraction of the time.
    """

    def __init__(self, kind: ItemKind) -> None:
        self._kind = kind
        self.info = ProbeInfo(
            name=f"fine-tuning-{kind}",
            version="1",
            metrics=("fine_tunes",),
            tasks=(_TASKS[kind],),
            needs=kind,
            control="a head that learns shuffled labels must not be above chance on the held-out items",
            declared=(
                f"after {STEPS} steps the interval of the held-out share right lies above that before and above the "
                "most frequent label's, only tensors of the head are new, every byte of the backbone is as before"
            ),
        )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load, and to pass the items through the backbone once; None where the set is too small."""
        if data is None or data.kind != self._kind or subject.task not in self.info.tasks or not fits(subject):
            return None
        if len(data.items) < LEAST_ITEMS:
            return None
        return load_seconds(subject) + 1 + min(2 * TRAINED, len(data.items)) * item_seconds(subject)

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: labels (as numbers) of the held-out items before and after, and what was changed."""
        import torch

        training = _read_training(task)
        torch.set_num_threads(1)
        torch.manual_seed(task.seed)
        model, new = _with_new_head(task, training.classes)
        head_name = _head_of(model, new)
        before_digest = _digest_without(model, head_name)
        items = list(itertools.islice(staged_items(task), training.items))
        wanted = [items[number] for number in (*training.labels, *training.held_out)]
        head = model.get_submodule(head_name)
        features = _features(model, head, list(item_inputs(task, model, self._kind, wanted)))
        known, asked = features[: len(training.labels)], features[len(training.labels) :]
        labels = torch.tensor(list(training.labels.values()))
        fresh = {name: tensor.clone() for name, tensor in head.state_dict().items()}
        before = _answers(head, asked)
        shuffled = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(task.seed))]
        _learn(head, known, shuffled, task.seed)
        misled = _answers(head, asked)
        head.load_state_dict(fresh)
        first_loss, last_loss = _learn(head, known, labels, task.seed)
        after = _answers(head, asked)
        return {
            "before": before, "after": after, "misled": misled, "new_tensors": [name[:200] for name in new[:20]],
            "only_head": all(name.startswith(f"{head_name}.") for name in new),
            "backbone_unchanged": _digest_without(model, head_name) == before_digest,
            "first_loss": first_loss, "last_loss": last_loss,
        }  # fmt: skip

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Whether it learned, on items whose labels it has not seen."""
        if data is None:
            raise ValueError("a labelled set is needed")
        answer, training = _Raw.model_validate_json(raw), split_of(data)
        numbers = {label: number for number, label in enumerate(data.classes)}
        right = [numbers[data.labels[number]] for number in training.held_out]
        if any(len(given) != len(right) for given in (answer.before, answer.after, answer.misled)):
            raise ValueError(f"not one answer to each of {len(right)} items")
        return _judge(answer, right, data.name)


def _judge(answer: _Raw, right: Sequence[int], name: str) -> Measured:
    """Holds above both marks, does not hold at or below them; between, too few items were held out to tell."""
    n = len(right)
    majority = max(right.count(label) for label in set(right)) / n
    words = [[str(number) for number in given] for given in (answer.before, answer.after, right)]
    before, after = (sum(map(str.__eq__, given, words[2])) for given in words[:2])
    gain = paired_difference_interval(*paired_table(words[1], words[0], words[2]))
    low, high = proportion_interval(after, n)
    mark = max(before / n, majority)
    misled = sum(one == other for one, other in zip(answer.misled, right, strict=True))
    control = {"kind": "shuffled_training_labels", "n": n, "successes": misled,
               "passed": proportion_interval(misled, n, 0.999)[0] <= majority}  # fmt: skip
    whole = answer.only_head and answer.backbone_unchanged
    detail = f"held-out items right: {before} of {n} before, {after} after {STEPS} steps; new: {answer.new_tensors}"[
        :500
    ]
    if not whole:
        what = "tensors beside the head are new" if not answer.only_head else "the backbone changed"
        return Measured(loads=True, detail=f"{what}: {detail}"[:500])
    learned = low > mark and gain.low > 0
    if not learned and high >= mark:
        return Measured(loads=True, finite=True, detail=f"too close to call: {detail}"[:500])
    scope = Scope(dataset=name, device="cpu", runtime="torch", reference="before")
    found = Measurement(metric="fine_tunes", value="new head", holds=learned, n=n, scope=scope, control=control,
                        detail=detail)  # fmt: skip
    share = Measurement(metric="new_head_accuracy", value=100 * after / n, unit="percent", n=n, scope=scope)
    return Measured(loads=True, finite=True, detail=detail, measurements=(found, share))


def split_of(data: LabelledSet, seed: int = 0) -> _Training:
    """Which items of a set are learned from, with their labels as numbers, and which are held out; drawn by `seed`."""
    numbers = {label: number for number, label in enumerate(data.classes)}
    drawn = list(range(len(data.items)))
    random.Random(f"{seed}:{data.digest}").shuffle(drawn)
    half = min(TRAINED, len(drawn) // 2)
    return _Training(
        items=len(drawn),
        classes=len(numbers),
        labels={number: numbers[data.labels[number]] for number in drawn[:half]},
        held_out=drawn[half : 2 * half],
    )


def stage_training(data: LabelledSet, folder: Path) -> None:
    """Write which of the staged items are learned from into their folder; labels of held-out items are not in it.

    Raises
    ------
    ModelError
        The scratch folder cannot be written.
    """
    try:
        file = folder / TRAINING_FILE
        file.write_text(split_of(data).model_dump_json(), encoding="utf-8")
        file.chmod(0o444)
    except OSError as error:
        raise ModelError(f"scratch folder: {error.strerror or error}: check that the disk has room") from error


def _read_training(task: RunTask) -> _Training:
    if task.items is None or not (task.items / TRAINING_FILE).exists():
        raise ProbeFailure("no_data", "no items to learn from were staged")
    return _Training.model_validate(json.loads((task.items / TRAINING_FILE).read_text(encoding="utf-8")))


def _with_new_head(task: RunTask, classes: int) -> tuple[Any, list[str]]:
    """The model with a new last layer, in evaluation mode and frozen, and the names of its new tensors.

    Where the model happens to have as many labels, the new head has one more that nothing is labelled with: a head of
    the same shape would be taken from the files.
    """
    import transformers

    with loading("loads with a new head"):
        config = transformers.AutoConfig.from_pretrained(task.folder, **LOAD_SAFELY)
        declared: Any = getattr(transformers, str((config.architectures or [""])[0]), None)
        is_model = isinstance(declared, type) and issubclass(declared, transformers.PreTrainedModel)
        if not is_model:
            raise ProbeFailure("missing_dependency", f"transformers has no class {config.architectures}")
        model, report = declared.from_pretrained(
            task.folder, num_labels=classes + (config.num_labels == classes), ignore_mismatched_sizes=True,
            output_loading_info=True, use_safetensors=True, **LOAD_SAFELY,
        )  # fmt: skip
    if report["missing_keys"]:
        raise ProbeFailure("load_failed", f"{len(report['missing_keys'])} tensors are not in the files")
    new = sorted(str(key[0] if isinstance(key, tuple) else key) for key in report["mismatched_keys"])
    if not new:
        raise ProbeFailure("missing_dependency", "its class has no head that depends on the number of labels")
    for tensor in model.parameters():
        tensor.requires_grad_(False)
    return model.eval(), new


def _head_of(model: Any, new: Sequence[str]) -> str:
    """The module that holds all new tensors."""
    name = new[0].rpartition(".")[0]
    while name and not all(tensor.startswith(f"{name}.") for tensor in new):
        name = name.rpartition(".")[0]
    if not name or not dict(model.get_submodule(name).named_parameters()):
        raise ProbeFailure("missing_dependency", "its new tensors are not in one module")
    return name


def _digest_without(model: Any, head: str) -> str:
    """SHA-256 over every tensor that is not the head's, by name."""
    total = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if not name.startswith(f"{head}."):
            total.update(name.encode() + b"\0" + tensor.contiguous().numpy().tobytes())
    return total.hexdigest()


def _features(model: Any, head: Any, inputs: Sequence[dict[str, Any]]) -> Any:
    """What reaches the head for each item, float32 (items, …), in order."""
    import torch

    seen: list[Any] = []
    hook = head.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach().clone()))
    try:
        with torch.no_grad():
            for start in range(0, len(inputs), _BATCH):
                model(**joined(inputs[start : start + _BATCH]))
    finally:
        hook.remove()
    features = torch.cat(seen)
    if len(features) != len(inputs):
        raise ProbeFailure("missing_dependency", "its head is not called once for each batch")
    if not bool(torch.isfinite(features).all()):
        raise ProbeFailure("non_finite", "what reaches its head is not finite")
    return features


def _learn(head: Any, features: Any, labels: Any, seed: int) -> tuple[float, float]:
    """The loss of the first and of the last step, after STEPS steps of AdamW on drawn batches."""
    import torch

    draw = torch.Generator().manual_seed(seed)
    for tensor in head.parameters():
        tensor.requires_grad_(True)
    optimiser = torch.optim.AdamW(head.parameters(), lr=_RATE)
    losses = []
    for _ in range(STEPS):
        rows = torch.randint(0, len(labels), (min(_BATCH, len(labels)),), generator=draw)
        loss = torch.nn.functional.cross_entropy(head(features[rows]), labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses[0], losses[-1]


def _answers(head: Any, features: Any) -> list[int]:
    import torch

    with torch.no_grad():
        return [int(number) for number in head(features).argmax(-1)]
