"""Token classification: entities, intervals over sentences, and the probe on the small tagger and its broken twins."""

from __future__ import annotations

import itertools
import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as some
from safetensors.numpy import load_file, save_file

from inference.data.sets import LabelledSet, open_data
from inference.probes.base import Measured, ProbeFailure, RunTask, Subject
from inference.probes.entities import dealt_control, dealt_tags, drawn_words, entity_counts, entity_f1, spans_of
from inference.probes.lengths import tokens_read
from inference.probes.shown import shown_files
from inference.probes.tokens import NOT_READ, TASK, TokensProbe
from inference.verdicts.clustered import clustered_share_interval
from inference.verdicts.intervals import proportion_interval

PROBE = TokensProbe()
TAGS = some.lists(some.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), max_size=12)


@pytest.fixture(scope="module")
def tagger() -> Path:
    return Path(__file__).resolve().parents[1] / "examples" / "models" / "python-names"


@pytest.fixture(scope="module")
def names() -> LabelledSet:
    path = Path(__file__).resolve().parents[1] / "examples" / "data" / "python-names.csv"
    return open_data("python-names", path)


def ask(model: Path, data: LabelledSet, folder: Path) -> dict[str, Any]:
    """The raw answer about a model, staged as a child sees it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in shown_files(data).items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return PROBE.run(RunTask(model, folder))


def score(raw: dict[str, Any], data: LabelledSet) -> Measured:
    return PROBE.score(json.dumps(raw).encode(), data)


def twin(model: Path, folder: Path, change: Any) -> Path:
    """A copy of a model whose weights went through `change`."""
    shutil.copytree(model, folder)
    weights = {name: change(value) for name, value in load_file(model / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


# Entities -----------------------------------------------------------------------------------------------
def conll_spans(tags: list[str]) -> set[tuple[int, int, str]]:
    """The same by CoNLL-2003's own rules: a chunk ends and starts by the pair of neighbouring tags."""
    padded = ["O", *tags, "O"]
    starts, ends = [], []
    for place, (before, here) in enumerate(itertools.pairwise(padded)):
        other = before[2:] != here[2:]
        if before != "O" and (here[0] in "BO" or other):
            ends.append(place)
        if here != "O" and (here[0] == "B" or before == "O" or other):
            starts.append((place, here[2:]))
    return {(start, end, kind) for (start, kind), end in zip(starts, ends, strict=True)}


@drawn(TAGS)
def test_entities_are_those_of_the_conll_script(tags: list[str]) -> None:
    assert spans_of(tags) == conll_spans(tags)


def test_f1_is_that_of_a_count_by_hand() -> None:
    right = [["B-A", "I-A", "O", "B-B"], ["O", "B-A"]]
    given = [["B-A", "O", "O", "B-B"], ["B-B", "B-A"]]  # one of two, plus one too many; then right
    assert entity_counts(given, right) == [(1, 2, 2), (1, 2, 1)]
    assert entity_f1(given, right) == pytest.approx(2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))
    assert entity_f1(right, right) == 1.0
    assert entity_f1([["O"]], [["O"]]) == 0.0
    assert spans_of([NOT_READ, "B-A", NOT_READ, "I-A"]) == {(1, 2, "A"), (3, 4, "A")}


def test_one_word_inside_an_entity_is_drawn_from_each_sentence() -> None:
    right = [["O", "O"], ["B-A", "O"], ["O", "B-A", "I-A"] * 30]
    chosen = drawn_words(right)
    assert [row for row, _ in chosen] == [1, 2]
    assert all(right[row][word] != "O" for row, word in chosen)
    assert chosen == drawn_words(right)
    assert len({drawn_words(right, seed)[1] for seed in range(9)}) > 2


def test_dealt_tags_show_a_leak() -> None:
    draw = random.Random(0)
    right = [[draw.choice(["O", "B-A", "B-B"]) for _ in range(6)] for _ in range(80)]
    assert dealt_control(right, right)["passed"]
    assert sorted(itertools.chain(*dealt_tags(right))) == sorted(itertools.chain(*right))
    assert not dealt_control(dealt_tags(right), right)["passed"]  # whoever knows what will be compared with


# Intervals over sentences -------------------------------------------------------------------------------
def test_groups_of_one_give_about_clopper_pearson() -> None:
    hits = [1] * 180 + [0] * 20
    found, exact = clustered_share_interval(hits, [1] * 200), proportion_interval(180, 200)
    assert (found.low, found.high) == pytest.approx(exact, abs=0.003)
    assert found.low < exact[0] < exact[1] < found.high  # the variance had to be measured


def test_words_that_go_wrong_together_count_once() -> None:
    hits = [10] * 180 + [0] * 20
    found, single = (
        clustered_share_interval(hits, [10] * 200),
        clustered_share_interval([1] * 180 + [0] * 20, [1] * 200),
    )
    assert (found.low, found.high) == pytest.approx((single.low, single.high))


def test_no_error_at_all_is_not_certain() -> None:
    found = clustered_share_interval([5] * 40, [5] * 40)
    assert found.high == 1.0
    assert found.low == pytest.approx(proportion_interval(40, 40)[0], abs=0.01)
    assert clustered_share_interval([0] * 40, [5] * 40).low == 0.0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        shares = draw.beta(9, 1, size=60)  # each sentence has its own rate, 90 % on average
        words = draw.integers(3, 20, size=60)
        found = clustered_share_interval(draw.binomial(words, shares).tolist(), words.tolist())
        covered += found.low <= 0.9 <= found.high
    assert covered >= 0.92 * 300


@pytest.mark.parametrize(("hits", "trials"), [([1], [1]), ([2, 0], [1, 1]), ([1, 0], [1, 0]), ([-1, 1], [1, 1])])
def test_an_interval_of_too_little_is_refused(hits: list[int], trials: list[int]) -> None:
    with pytest.raises(ValueError, match="groups with a trial"):
        clustered_share_interval(hits, trials)


# The probe ----------------------------------------------------------------------------------------------
def test_tags_of_the_set_must_be_the_models(names: LabelledSet) -> None:
    labels = names.classes
    whole = Subject(10**6, 10**5, TASK, labels)
    assert PROBE.cost_s(whole, names) is not None
    assert PROBE.cost_s(Subject(10**6, 10**5, TASK, labels[1:]), names) is None
    assert PROBE.cost_s(Subject(10**6, 10**5, "text.text-classification", labels), names) is None
    assert PROBE.cost_s(whole, None) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw | {"tags": raw["tags"][1:]},
        lambda raw: raw | {"tags": [tags[1:] for tags in raw["tags"]]},
        lambda raw: raw | {"tags": [["B" * 101 for _ in tags] for tags in raw["tags"]]},
        lambda raw: raw | {"load_s": -1},
        lambda raw: raw | {"successes": 400},
    ],
)
def test_answers_of_the_wrong_shape_are_never_scored(names: LabelledSet, change: Any) -> None:
    raw = {"tags": [label.split(" ") for label in names.labels], "load_s": 1.0, "run_s": 1.0}
    assert score(raw, names).all_of("f1")[0].value == 100.0
    with pytest.raises(ValueError, match=r"validation error|sentences of tags|a tag longer"):
        score(change(raw), names)


@pytest.mark.slow
def test_the_tagger_is_as_good_as_its_card(tagger: Path, names: LabelledSet, tmp_path: Path) -> None:
    raw = ask(tagger, names, tmp_path / "items")
    measured = score(raw, names)
    runs, accuracy, f1 = (measured.all_of(metric)[0] for metric in ("runs", "accuracy", "f1"))
    card = (tagger / "README.md").read_text(encoding="utf-8")
    right = sum(tag == other for tags, label in zip(raw["tags"], names.labels, strict=True)
                for tag, other in zip(tags, label.split(" "), strict=True))  # fmt: skip
    stated = re.search(r"micro F1 of whole entities ([0-9.]+) %; right tags [0-9.]+ % \((\d+) of (\d+)\)", card)
    assert stated is not None
    assert abs(float(f1.value) - float(stated[1])) < 0.3  # another processor may round a near tie differently
    assert abs(right - int(stated[2])) <= 3
    assert accuracy.value == pytest.approx(100 * right / int(stated[3]))
    assert f1.interval is not None and accuracy.interval is not None and runs.chance is not None
    assert f1.interval.low < f1.value < f1.interval.high
    assert runs.successes is not None and runs.n is not None
    assert proportion_interval(runs.successes, runs.n)[0] > runs.chance + 0.25 * (1 - runs.chance)
    assert all(found.control is not None and found.control["passed"] for found in (runs, accuracy, f1))


@pytest.mark.slow
def test_shuffled_weights_guess(tagger: Path, names: LabelledSet, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    broken = twin(tagger, tmp_path / "model", lambda value: draw.permutation(value.ravel()).reshape(value.shape))
    runs = score(ask(broken, names, tmp_path / "items"), names).all_of("runs")[0]
    assert runs.successes is not None and runs.n is not None and runs.chance is not None
    assert proportion_interval(runs.successes, runs.n)[1] < runs.chance + 0.25 * (1 - runs.chance)
    assert runs.control is not None and runs.control["passed"]


@pytest.mark.slow
def test_words_beyond_the_models_length_are_not_read(tagger: Path, tmp_path: Path) -> None:
    words = ["x", "=", "f", "(", ")"] * 100
    data = LabelledSet(
        "long", "tokens", [words, ["f", "(", ")"]], ("O " * 499 + "O", "B-FUNCTION O O"), "d", "operator"
    )
    tags = ask(tagger, data, tmp_path / "items")["tags"]
    assert [len(given) for given in tags] == [500, 3]
    assert tags[0][:5] == ["O", "O", "B-FUNCTION", "O", "O"]
    first = tags[0].index(NOT_READ)
    assert 60 < first < 130  # 128 tokens, two of them around the text
    assert set(tags[0][first:]) == {NOT_READ}


@pytest.mark.slow
def test_weights_that_are_not_finite_are_noticed(tagger: Path, names: LabelledSet, tmp_path: Path) -> None:
    broken = twin(tagger, tmp_path / "model", lambda value: np.full_like(value, np.nan))
    with pytest.raises(ProbeFailure) as caught:
        ask(broken, names, tmp_path / "items")
    assert caught.value.code == "non_finite"


@pytest.mark.slow
def test_the_length_limit_leaves_room_where_positions_start_behind_the_padding(tagger: Path) -> None:
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel, RobertaConfig, RobertaModel

    sizes = {"vocab_size": 64, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
             "intermediate_size": 8, "max_position_embeddings": 20, "pad_token_id": 1}  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(tagger, local_files_only=True)
    models = {20: BertModel(BertConfig(**sizes)), 18: RobertaModel(RobertaConfig(**sizes))}
    for expected, model in models.items():
        longest = tokens_read(tokenizer, model)
        assert longest == expected
        model.eval()(input_ids=torch.full((1, longest), 5))
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, longest + 1), 5))
    assert tokens_read(tokenizer, BertModel(BertConfig(**sizes | {"max_position_embeddings": 500}))) == 128
