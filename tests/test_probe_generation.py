"""Text generation on the tiny Llama: perplexity against other ways to compute it, questions, controls, broken twins."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from inference.data.sets import LabelledSet, open_data
from inference.probes.base import Measured, ProbeFailure, RunTask, Subject
from inference.probes.generation import TASK, GenerationProbe, untrue_control
from inference.probes.language_model import Reader, unigram_loss
from inference.probes.shown import CHOICES, CONTROLS, shown_choices, shown_files
from inference.verdicts.intervals import proportion_interval

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
MODEL = EXAMPLES / "models" / "pydoc-llama"
PROBE = GenerationProbe()


@pytest.fixture(scope="module")
def passages() -> LabelledSet:
    return open_data("pydoc-passages", EXAMPLES / "data" / "pydoc-passages.csv")


@pytest.fixture(scope="module")
def raw(passages: LabelledSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole answer about the tiny Llama; only slow tests ask for it."""
    return ask(MODEL, passages, tmp_path_factory.mktemp("set") / "items")


def ask(model: Path, data: LabelledSet, folder: Path) -> dict[str, Any]:
    """The raw answer about a model, staged as a child sees it."""
    folder.mkdir()
    for name, content in shown_files(data).items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return PROBE.run(RunTask(model, folder))


def score(raw: dict[str, Any], data: LabelledSet) -> Measured:
    return PROBE.score(json.dumps(raw).encode(), data)


def made_up(data: LabelledSet, **changes: Any) -> dict[str, Any]:
    """An answer that a child might give, all questions right."""
    shown = shown_choices(data)
    choices = [0 if control else right for right, control in zip(shown.right, shown.control, strict=True)]
    return {
        "passages": [{"loss": 300.0 + row, "tokens": 100, "lost": 0} for row in range(len(data.items))],
        "choices": choices, "unigram_loss": 1e5, "look_ahead": 0.0, "window": 256, "sample": "x",
        "repeats": True, "generated": 48, "generate_s": 1.0, "load_s": 1.0, "run_s": 1.0,
    } | changes  # fmt: skip


def part_of(data: LabelledSet, count: int) -> LabelledSet:
    return LabelledSet("part", "passages", data.items[:count], (), "d", "operator")


def twin(folder: Path, change: Any) -> Path:
    """A copy of the model whose weights went through `change`."""
    shutil.copytree(MODEL, folder)
    held = load_file(MODEL / "model.safetensors")
    save_file({name: change(value) for name, value in held.items()}, folder / "model.safetensors", {"format": "pt"})
    return folder


# Questions ----------------------------------------------------------------------------------------------
def test_questions_have_one_true_ending_of_the_same_words(passages: LabelledSet) -> None:
    shown = shown_choices(passages)
    assert sum(not control for control in shown.control) == len(passages.items)
    assert sum(shown.control) == CONTROLS
    together = {" ".join(str(item).split()) for item in passages.items}
    for (beginning, endings), right, control in zip(shown.questions, shown.right, shown.control, strict=True):
        assert len(set(endings)) == CHOICES
        assert len({tuple(sorted(ending.split())) for ending in endings}) == 1
        true = [any(f"{beginning} {ending}" in passage for passage in together) for ending in endings]
        assert true == [not control and place == right for place in range(CHOICES)]


def test_places_are_drawn_and_come_out_the_same(passages: LabelledSet) -> None:
    shown = shown_choices(passages)
    assert shown == shown_choices(passages)
    assert shown.right != shown_choices(passages, seed=1).right
    assert min(Counter(shown.right).values()) > len(shown.right) / CHOICES / 2
    assert set(shown_files(passages)) == {"items.json", "choices.json"}


def test_short_and_repeated_passages_make_no_question() -> None:
    data = LabelledSet("s", "passages", ["too short", "again " * 40, " ".join("abcdefghijklmnop")], (), "d", "operator")
    assert len(shown_choices(data).questions) == 2  # one question of the last, and its control


# Scoring ------------------------------------------------------------------------------------------------
def test_perplexity_is_that_of_all_tokens_together(passages: LabelledSet) -> None:
    losses = [300.0 + row for row in range(len(passages.items))]
    found = score(made_up(passages), passages).all_of("perplexity")[0]
    assert found.value == pytest.approx(math.exp(sum(losses) / (100 * len(losses))))
    assert found.interval is not None and found.interval.low < float(found.value) < found.interval.high
    assert found.scope.note == "max_length 256, stride 128"


def test_what_comes_later_must_not_help(passages: LabelledSet) -> None:
    control = score(made_up(passages, look_ahead=0.5), passages).all_of("perplexity")[0].control
    assert control is not None
    assert not control["passed"]


def test_no_perplexity_where_letters_are_lost(passages: LabelledSet) -> None:
    lost = [{"loss": 1.0, "tokens": 100, "lost": 40} for _ in passages.items]
    measured = score(made_up(passages, passages=lost), passages)
    assert not measured.all_of("perplexity")
    assert float(measured.all_of("lost_share")[0].value) > 0.05


def test_few_passages_give_no_perplexity(passages: LabelledSet) -> None:
    few = part_of(passages, 14)
    assert not score(made_up(few), few).all_of("perplexity")
    assert score(made_up(few), few).all_of("bits_per_byte")


def test_a_tie_is_no_right_answer(passages: LabelledSet) -> None:
    ties = [-1] * len(shown_choices(passages).right)
    assert score(made_up(passages), passages).all_of("runs")[0].value == 1.0
    assert score(made_up(passages, choices=ties), passages).all_of("runs")[0].successes == 0


def test_knowing_drawn_places_shows(passages: LabelledSet) -> None:
    control = score(made_up(passages, choices=shown_choices(passages).right), passages).all_of("runs")[0].control
    assert control is not None
    assert not control["passed"]
    assert untrue_control([(0, place % CHOICES) for place in range(60)])["passed"]


@pytest.mark.parametrize(
    "changes",
    [
        {"passages": []},
        {"choices": [0]},
        {"choices": None},
        {"choices": [CHOICES] * 220},
        {"sample": "x" * 401},
        {"window": 0},
        {"look_ahead": "NaN"},
        {"verdict": "verified"},
        {"passages": [{"loss": -1.0, "tokens": 1, "lost": 0}] * 160},
    ],
)
def test_answers_of_the_wrong_shape_are_never_scored(passages: LabelledSet, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"validation error|came back|not to choose"):
        score(made_up(passages, **changes), passages)


def test_only_language_models_are_asked(passages: LabelledSet) -> None:
    assert PROBE.cost_s(Subject(10**6, 10**5, TASK), passages) is not None
    assert PROBE.cost_s(Subject(10**6, 10**5, "text.fill-mask"), passages) is None
    assert PROBE.cost_s(Subject(10**6, 10**5, TASK), None) is None


# The model ----------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_tiny_llama_is_as_good_as_its_card(passages: LabelledSet, raw: dict[str, Any]) -> None:
    measured = score(raw, passages)
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    stated = re.search(r"perplexity ([0-9.]+) a token", card)
    assert stated is not None
    assert float(measured.all_of("perplexity")[0].value) == pytest.approx(float(stated[1]), rel=0.01)
    runs = measured.all_of("runs")[0]
    assert runs.successes is not None and runs.n is not None
    assert f" {runs.successes} of {runs.n}\n" in card
    assert proportion_interval(runs.successes, runs.n)[0] > 1 / CHOICES + 0.25 * (1 - 1 / CHOICES)
    for found in (runs, measured.all_of("perplexity")[0]):
        assert found.control is not None and found.control["passed"]
    baseline = measured.all_of("unigram_perplexity")[0].value
    assert float(measured.all_of("perplexity")[0].value) < 0.25 * float(baseline)
    assert measured.all_of("greedy_repeats")[0].value == "yes"
    assert str(measured.all_of("sample")[0].value).strip()
    assert float(measured.all_of("tokens_per_second")[0].value) > 0


@pytest.mark.slow
def test_losses_are_those_that_the_library_gives(passages: LabelledSet, raw: dict[str, Any]) -> None:
    import torch

    reader = Reader(RunTask(MODEL, None))
    model, tokenizer = reader._model, reader._tokenizer
    fitting = [row for row, text in enumerate(passages.items) if len(tokenizer(text)["input_ids"]) <= reader.window][:4]
    for row in fitting:
        inputs = tokenizer(passages.items[row], return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            mean = float(model(input_ids=inputs, labels=inputs).loss)
        told = raw["passages"][row]
        assert told["tokens"] == inputs.shape[1] - 1
        assert told["loss"] == pytest.approx(mean * told["tokens"], rel=1e-4)
    numbers = tokenizer(" ".join(passages.items[:4]), verbose=False)["input_ids"]
    assert len(numbers) > reader.window
    losses, half = reader._losses(numbers), reader.window // 2
    assert len(losses) == len(numbers) - 1
    for token in (1, half, reader.window - 1, reader.window, reader.window + 5, len(numbers) - 1):
        start = max(0, -(-(token + 1 - reader.window) // half)) * half  # the first window that holds the token
        with torch.inference_mode():
            scores = model(input_ids=torch.tensor([numbers[start:token]])).logits[0, -1].log_softmax(-1)
        assert losses[token - 1] == pytest.approx(-float(scores[numbers[token]]), abs=1e-3)
    counts = Counter([3, 3, 5])
    expected = -sum(count * math.log(count / 3) for count in counts.values())
    assert unigram_loss([[0, 3, 3], [0, 5], [0]]) == pytest.approx(expected)


@pytest.mark.slow
def test_a_model_that_knows_nothing_gives_every_token_the_same(passages: LabelledSet, tmp_path: Path) -> None:
    data = part_of(passages, 20)
    measured = score(ask(twin(tmp_path / "model", np.zeros_like), data, tmp_path / "items"), data)
    assert float(measured.all_of("perplexity")[0].value) == pytest.approx(1024, rel=1e-4)
    # equal sums of equal numbers; endings of another number of tokens have the same mean, so all tie
    assert measured.all_of("runs")[0].successes == 0


@pytest.mark.slow
def test_shuffled_weights_guess(passages: LabelledSet, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    broken = twin(tmp_path / "model", lambda value: draw.permutation(value.ravel()).reshape(value.shape))
    data = part_of(passages, 80)
    measured = score(ask(broken, data, tmp_path / "items"), data)
    runs = measured.all_of("runs")[0]
    assert runs.successes is not None and runs.n is not None
    assert proportion_interval(runs.successes, runs.n)[1] < 1 / CHOICES + 0.25 * (1 - 1 / CHOICES)
    assert float(measured.all_of("perplexity")[0].value) > 500


@pytest.mark.slow
def test_a_model_that_sees_what_comes_is_noticed(passages: LabelledSet, tmp_path: Path) -> None:
    import torch
    from transformers import BertConfig, BertLMHeadModel

    shutil.copytree(MODEL, tmp_path / "model")
    torch.manual_seed(0)
    config = BertConfig(vocab_size=1024, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=32, max_position_embeddings=256, initializer_range=1.0)  # fmt: skip
    BertLMHeadModel(config).save_pretrained(tmp_path / "model")  # no decoder: every word sees all others
    data = part_of(passages, 16)
    control = score(ask(tmp_path / "model", data, tmp_path / "items"), data).all_of("perplexity")[0].control
    assert control is not None
    assert not control["passed"]


@pytest.mark.slow
def test_weights_that_are_not_finite_are_noticed(passages: LabelledSet, tmp_path: Path) -> None:
    broken = twin(tmp_path / "model", lambda value: np.full_like(value, np.nan))
    with pytest.raises(ProbeFailure) as caught:
        ask(broken, part_of(passages, 2), tmp_path / "items")
    assert caught.value.code == "non_finite"
