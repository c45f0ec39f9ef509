"""Zero-shot classification on the small entailment model: its card, its controls, and models that cannot do it."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from inference.data.sets import LabelledSet, open_data
from inference.probes.base import Measured, ProbeFailure, RunTask, Subject
from inference.probes.shown import shown_files
from inference.probes.zero_shot import (
    CONTROLS,
    MOST_LABELS,
    NO_LABEL,
    TASKS,
    TEMPLATE,
    ZeroShotProbe,
    control_places,
    unlabelled_control,
)
from inference.verdicts.intervals import proportion_interval

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
MODEL = EXAMPLES / "models" / "topic-nli"
PROBE = ZeroShotProbe()
ENTAILS = ("contradiction", "entailment")


@pytest.fixture(scope="module")
def topics() -> LabelledSet:
    return open_data("library-topics", EXAMPLES / "data" / "library-topics.csv")


def ask(model: Path, data: LabelledSet, folder: Path) -> dict[str, Any]:
    """The raw answer about a model, staged as a child sees it."""
    folder.mkdir()
    for name, content in shown_files(data).items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return PROBE.run(RunTask(model, folder))


def score(raw: dict[str, Any], data: LabelledSet) -> Measured:
    return PROBE.score(json.dumps(raw).encode(), data)


def part_of(data: LabelledSet, count: int) -> LabelledSet:
    return LabelledSet("part", "text", data.items[:count], data.labels[:count], "d", "operator")


def test_only_entailment_models_are_asked(topics: LabelledSet) -> None:
    assert PROBE.cost_s(Subject(10**6, 10**5, TASKS[0], ENTAILS), topics) is not None
    assert PROBE.cost_s(Subject(10**6, 10**5, TASKS[1], ENTAILS), topics) is not None
    assert PROBE.cost_s(Subject(10**6, 10**5, TASKS[1], topics.classes), topics) is None
    assert PROBE.cost_s(Subject(10**6, 10**5, "text.text-generation", ENTAILS), topics) is None
    many = LabelledSet("m", "text", ["x"] * 201, tuple(str(row) for row in range(MOST_LABELS + 1)), "d", "operator")
    assert PROBE.cost_s(Subject(10**6, 10**5, TASKS[0], ENTAILS), many) is None


def test_the_child_sees_labels_to_choose_from_and_no_right_answer(topics: LabelledSet) -> None:
    shown = shown_files(topics)
    assert shown == {"items.json": list(topics.items), "classes.json": sorted(set(topics.labels))}


def test_the_control_names_no_label_in_any_sentence() -> None:
    assert {NO_LABEL.format(label) for label in ("files", "networking", "")} == {"This example is ."}
    assert TEMPLATE.format("files") != TEMPLATE.format("networking")


@pytest.mark.parametrize("items", [1, 59, 60, 61, 119, 120, 121, 300, 4000])
def test_controls_are_spread_over_the_set(items: int) -> None:
    places = control_places(items)
    assert 1 <= len(places) <= CONTROLS
    assert places[0] == 0
    assert items - places[-1] <= places.step <= -(-items // 30)


def test_answers_that_come_without_the_sentences_show(topics: LabelledSet) -> None:
    right = [topics.labels[place] for place in control_places(len(topics.items))]
    guessed = random.Random(0).choices(topics.classes, k=len(right))
    assert unlabelled_control(guessed, topics)["passed"]
    assert unlabelled_control([topics.classes[0]] * len(right), topics)["passed"]  # equal scores: always the same
    assert not unlabelled_control(right, topics)["passed"]
    raw = {"answers": list(topics.labels), "unlabelled": right, "load_s": 1.0, "run_s": 1.0}
    control = score(raw, topics).all_of("runs")[0].control
    assert control is not None
    assert not control["passed"]


@pytest.mark.parametrize(
    "change", [{"answers": ["files"]}, {"unlabelled": []}, {"unlabelled": ["x"] * 61}, {"load_s": "1e999"}, {"n": 300}]
)
def test_answers_of_the_wrong_shape_are_never_scored(topics: LabelledSet, change: dict[str, Any]) -> None:
    guessed = ["files"] * len(control_places(len(topics.items)))
    raw = {"answers": list(topics.labels), "unlabelled": guessed, "load_s": 1.0, "run_s": 1.0}
    assert score(raw, topics).all_of("accuracy")[0].value == 100.0
    with pytest.raises(ValueError, match=r"validation error|answers to"):
        score(raw | change, topics)


@pytest.mark.slow
def test_accuracy_is_that_of_the_card_and_of_the_library(topics: LabelledSet, tmp_path: Path) -> None:
    raw = ask(MODEL, topics, tmp_path / "items")
    measured = score(raw, topics)
    runs = measured.all_of("runs")[0]
    assert f"({runs.successes} of {runs.n};" in (MODEL / "README.md").read_text(encoding="utf-8")
    assert runs.control is not None and runs.control["passed"]
    assert runs.control["without_label"]["n"] == len(control_places(300))
    most = Counter(raw["unlabelled"]).most_common(1)[0][1]
    assert most >= 0.9 * len(raw["unlabelled"])  # equal sentences, equal scores, up to the rounding of a processor
    from transformers import pipeline

    classify = pipeline("zero-shot-classification", model=str(MODEL), device="cpu")
    for text, answer in zip(topics.items[:5], raw["answers"], strict=False):
        assert classify(text, candidate_labels=list(reversed(topics.classes)))["labels"][0] == answer


@pytest.mark.slow
def test_shuffled_weights_guess(topics: LabelledSet, tmp_path: Path) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    draw = np.random.default_rng(0)
    held = load_file(MODEL / "model.safetensors")
    mixed = {name: draw.permutation(value.ravel()).reshape(value.shape) for name, value in held.items()}
    save_file(mixed, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    data = part_of(topics, 60)
    runs = score(ask(tmp_path / "model", data, tmp_path / "items"), data).all_of("runs")[0]
    assert runs.successes is not None and runs.n is not None and runs.chance is not None
    assert proportion_interval(runs.successes, runs.n)[1] < runs.chance + 0.25 * (1 - runs.chance)


@pytest.mark.slow
def test_long_texts_are_cut_and_numbers_that_are_not_finite_noticed(topics: LabelledSet, tmp_path: Path) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    settings = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text(encoding="utf-8"))
    del settings["model_max_length"]  # many models leave it out
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    data = LabelledSet("long", "text", ["a server " * 4000, "a file"], ("networking", "files"), "d", "operator")
    assert len(ask(tmp_path / "model", data, tmp_path / "items")["answers"]) == 2
    held = load_file(MODEL / "model.safetensors")
    save_file(
        {name: np.full_like(value, np.nan) for name, value in held.items()},
        tmp_path / "model" / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ProbeFailure) as caught:
        ask(tmp_path / "model", data, tmp_path / "again")
    assert caught.value.code == "non_finite"


@pytest.mark.slow
def test_a_model_without_entailment_is_refused(tmp_path: Path, topics: LabelledSet) -> None:
    with pytest.raises(ProbeFailure) as caught:
        ask(EXAMPLES / "models" / "code-or-prose", part_of(topics, 4), tmp_path / "items")
    assert caught.value.code == "missing_dependency"
