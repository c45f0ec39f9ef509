"""A new head learns on a frozen backbone; one that learns nonsense does not pass, and no held-out label is shown."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pytest

from inference.data.sets import LabelledSet, built_in, open_data
from inference.probes.base import Measured, ProbeFailure, RunTask, Subject
from inference.probes.fine_tuning import (
    LEAST_ITEMS,
    TRAINING_FILE,
    FineTuningProbe,
    split_of,
    stage_training,
)
from inference.stage import stage_items

PROBE = FineTuningProbe("image")


def high_or_low() -> LabelledSet:
    """The digits under new labels, which the digits model has never seen."""
    data = built_in("sklearn-digits")
    return dataclasses.replace(
        data, name="high-or-low", labels=tuple("high" if one > "4" else "low" for one in data.labels)
    )


def tune(
    repository: Path, tmp_path: Path, data: LabelledSet, model: str, probe: FineTuningProbe
) -> tuple[Any, Measured]:
    stage_items(data, tmp_path / "items")
    stage_training(data, tmp_path / "items")
    raw = probe.run(RunTask(repository / "examples" / "models" / model, tmp_path / "items"))
    return raw, probe.score(json.dumps(raw).encode(), data)


@pytest.mark.slow
def test_the_digits_model_learns_labels_that_it_never_had(repository: Path, tmp_path: Path) -> None:
    raw, measured = tune(repository, tmp_path, high_or_low(), "digits-mobilevit", PROBE)
    found = measured.all_of("fine_tunes")[0]
    assert (found.value, found.holds, found.n) == ("new head", True, 256)
    assert float(measured.all_of("new_head_accuracy")[0].value) > 85
    assert raw["new_tensors"] == ["classifier.bias", "classifier.weight"]
    assert raw["only_head"]
    assert raw["backbone_unchanged"]
    assert found.control is not None
    assert found.control["passed"]


@pytest.mark.slow
def test_labels_that_mean_nothing_are_not_learned(repository: Path, tmp_path: Path) -> None:
    data = high_or_low()
    drawn = random.Random(1)
    nonsense = dataclasses.replace(data, labels=tuple(drawn.choice(("high", "low")) for _ in data.labels))
    _, measured = tune(repository, tmp_path, nonsense, "digits-mobilevit", PROBE)
    assert not any(found.holds for found in measured.all_of("fine_tunes"))


@pytest.mark.slow
def test_a_text_model_gets_a_new_head_also_for_its_own_labels(repository: Path, tmp_path: Path) -> None:
    data = open_data("code-or-prose", repository / "examples" / "data" / "code-or-prose.csv")
    raw, measured = tune(repository, tmp_path, data, "code-or-prose", FineTuningProbe("text"))
    assert raw["new_tensors"]  # taken from the files it would be none
    assert measured.all_of("fine_tunes")[0].holds


@pytest.mark.slow
def test_without_items_to_learn_from_it_says_so(repository: Path, tmp_path: Path) -> None:
    stage_items(high_or_low(), tmp_path / "items")
    with pytest.raises(ProbeFailure) as caught:
        PROBE.run(RunTask(repository / "examples" / "models" / "digits-mobilevit", tmp_path / "items"))
    assert caught.value.code == "no_data"


# What the child sees, and what the parent makes of its answers --------------------------------------------
def test_no_label_of_a_held_out_item_is_staged(tmp_path: Path) -> None:
    data = high_or_low()
    stage_training(data, tmp_path)
    shown = json.loads((tmp_path / TRAINING_FILE).read_text(encoding="utf-8"))
    learned = {int(number) for number in shown["labels"]}
    assert not learned & set(shown["held_out"])
    assert (len(learned), len(shown["held_out"])) == (256, 256)
    assert set(shown) == {"items", "classes", "labels", "held_out"}
    assert split_of(data) == split_of(data)


def raw_of(share: float, **changes: Any) -> bytes:
    """An answer with this share of the held-out items right after, a third before, and half by the misled head."""
    data = high_or_low()
    right = [data.classes.index(data.labels[number]) for number in split_of(data).held_out]

    def answers(wanted: float) -> list[int]:
        hits = round(wanted * len(right))
        return [label if place < hits else 1 - label for place, label in enumerate(right)]

    answer = {
        "before": answers(1 / 3), "after": answers(share), "misled": answers(0.5), "only_head": True,
        "new_tensors": ["classifier.weight"], "backbone_unchanged": True, "first_loss": 1.0, "last_loss": 0.1,
    }  # fmt: skip
    return json.dumps(answer | changes).encode()


@pytest.mark.parametrize(("share", "holds"), [(0.95, [True]), (0.5, []), (0.4, [False])])
def test_the_held_out_interval_decides(share: float, holds: list[bool]) -> None:
    measured = PROBE.score(raw_of(share), high_or_low())
    assert [found.holds for found in measured.all_of("fine_tunes")] == holds
    assert holds or "too close to call" in measured.detail


@pytest.mark.parametrize("changes", [{"only_head": False}, {"backbone_unchanged": False}])
def test_a_backbone_that_changed_decides_nothing(changes: dict[str, Any]) -> None:
    measured = PROBE.score(raw_of(0.95, **changes), high_or_low())
    assert measured.measurements == ()
    assert measured.detail


def test_a_misled_head_above_chance_fails_the_control() -> None:
    data = high_or_low()
    right = [data.classes.index(data.labels[number]) for number in split_of(data).held_out]
    control = PROBE.score(raw_of(0.95, misled=right), data).measurements[0].control
    assert control is not None
    assert not control["passed"]


def test_answers_of_the_wrong_number_are_not_scored() -> None:
    with pytest.raises(ValueError, match="not one answer"):
        PROBE.score(raw_of(0.95, after=[1]), high_or_low())


def test_it_needs_items_enough_and_a_model_that_labels() -> None:
    subject = Subject(1 << 20, 250_000, "vision.image-classification", ("cat",))  # any labels will do
    data = high_or_low()
    assert PROBE.cost_s(subject, data) is not None
    few = dataclasses.replace(data, items=list(data.items)[: LEAST_ITEMS - 1])
    assert PROBE.cost_s(subject, few) is None
    assert PROBE.cost_s(Subject(1, 1, "text.text-classification"), data) is None
    assert not PROBE.info.architecture
