"""Text generation: perplexity on passages, telling a true ending from the same words, and what it answers."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from graph.claims import Scope
from inference.data.sets import LabelledSet
from inference.probes.base import (
    ANSWER_LIMIT,
    RUNS_DECLARED,
    Measured,
    Measurement,
    ProbeFailure,
    ProbeInfo,
    RunTask,
    Seconds,
    Subject,
    load_seconds,
    loading,
    shuffled_control,
)
from inference.probes.classification import staged_items
from inference.probes.language_model import LONGEST, NEW_TOKENS, SAMPLE_CHARS, Reader, letters_of, unigram_loss
from inference.probes.shown import CHOICES, Choices, shown_choices
from inference.verdicts.intervals import LEAST_MEDIAN, perplexity_interval

TASK: Final = "text.text-generation"
LOST_LIMIT: Final = 0.01
"""Where more than this share of the letters is lost in the tokens, a perplexity says nothing about the text."""
_LOOK_AHEAD_NATS: Final = 0.1
"""Nats a token that half precision may differ by when the same tokens are read in another shape."""
_LARGEST_COUNT: Final = 10_000_000


class RawPassage(BaseModel):
    """What the child says of one passage: negative log likelihoods in nats, summed over its tokens.

    `lost` counts its letters that do not come back from the tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: FiniteFloat = Field(ge=0, le=1e9)
    tokens: int = Field(ge=0, le=_LARGEST_COUNT)
    lost: int = Field(ge=0, le=_LARGEST_COUNT)


class RawGeneration(BaseModel):
    """The child's answer.

    `choices` are places of the likeliest ending, -1 for a tie; `unigram_loss` is that of the passages' own token
    frequencies; `look_ahead` how far, in nats a token, what comes later changes the likelihood of what came before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    passages: list[RawPassage] = Field(max_length=ANSWER_LIMIT)
    choices: list[int] = Field(max_length=2 * ANSWER_LIMIT)
    unigram_loss: FiniteFloat = Field(ge=0, le=1e12)
    look_ahead: FiniteFloat = Field(ge=0, le=1e6)
    window: int = Field(ge=1, le=LONGEST)
    sample: str = Field(max_length=SAMPLE_CHARS)
    repeats: bool
    generated: int = Field(ge=0, le=2 * NEW_TOKENS)
    generate_s: Seconds
    load_s: Seconds
    run_s: Seconds


class GenerationProbe:
    """Likelihoods that a causal language model gives to passages, and greedy text from the first one's beginning.

    Perplexity is what the child sums up. What decides `runs` is multiple choice, whose right answers only the parent
    knows: of four endings with the same words in different orders, the likeliest by mean log likelihood a token. A tie
    is wrong.
    """

    info = ProbeInfo(
        name="text-generation",
        version="1",
        metrics=("perplexity", "runs"),
        tasks=(TASK,),
        needs="passages",
        modules=("torch", "transformers"),
        control="choices against shuffled places, and choices where no ending is true, must be chance; what comes "
        "later must not change the likelihood of what came before",
        declared=f"{RUNS_DECLARED}; one ending in {CHOICES} is true. Perplexity: windows of at most {LONGEST} "
        "tokens that overlap by half, passages apart",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load, to read each passage, and to read each question four times."""
        if data is None or data.kind != "passages" or subject.task != TASK:
            return None
        tokens = sum(len(str(item)) for item in data.items) / 3
        read = 3 * len(data.items) * 0.006 + (tokens + 2 * CHOICES * 24 * len(data.items)) * _token_s(subject)
        return load_seconds(subject) + read + 2 * NEW_TOKENS * (0.006 + _token_s(subject))

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: losses by passage, choices, one short text."""
        import torch

        torch.manual_seed(task.seed)
        started = time.perf_counter()
        with loading("generates"):
            reader = Reader(task)
        items = [str(item) for item in staged_items(task)]
        loaded = time.perf_counter()
        read = [reader.read(item) for item in items]
        run_s = time.perf_counter() - loaded
        choices = [reader.choose(beginning, endings) for beginning, endings in shown_questions(task)]
        return {
            "passages": [passage for passage, _ in read],
            "choices": choices,
            "unigram_loss": unigram_loss([numbers for _, numbers in read]),
            "look_ahead": reader.look_ahead(max(items, key=len)),
            "window": reader.window,
            **reader.answer(items[0]),
            "load_s": loaded - started,
            "run_s": run_s,
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Perplexity with its interval over passages, right endings, and what was observed besides."""
        if data is None:
            raise ValueError("a labelled set is needed")
        answer, choices = RawGeneration.model_validate_json(raw), shown_choices(data)
        if len(answer.passages) != len(data.items) or len(answer.choices) != len(choices.right):
            raise ValueError(f"{len(answer.passages)} passages and {len(answer.choices)} choices came back")
        if not all(-1 <= place < CHOICES for place in answer.choices):
            raise ValueError("a choice that was not to choose")
        return Measured(
            loads=True,
            finite=True,
            measurements=(*_runs(answer.choices, choices), *_perplexity(answer, data), *_observed(answer, data)),
        )


def shown_questions(task: RunTask) -> list[tuple[str, list[str]]]:
    """The staged questions: beginning, and endings of which at most one is true.

    Raises
    ------
    ProbeFailure
        None were staged.
    """
    if task.items is None or not (task.items / "choices.json").exists():
        raise ProbeFailure("no_data", "no questions were staged")
    return list(json.loads((task.items / "choices.json").read_text(encoding="utf-8")))


def _runs(given: Sequence[int], choices: Choices) -> Iterator[Measurement]:
    """Right endings among all; its control holds the questions without a right one too."""
    rows = list(zip(given, choices.right, choices.control, strict=True))
    asked = [(str(one), str(other)) for one, other, control in rows if not control]
    if not asked:
        return
    answers, right = [one for one, _ in asked], [other for _, other in asked]
    hits, n = sum(map(str.__eq__, answers, right)), len(asked)
    control = shuffled_control(answers, right)
    untrue = untrue_control([(one, other) for one, other, is_control in rows if is_control])
    passed = bool(control["passed"]) and bool(untrue["passed"])
    yield Measurement(
        metric="runs",
        value=hits / n,
        successes=hits,
        n=n,
        chance=1 / CHOICES,
        control={**control, "passed": passed, "no_true_ending": untrue},
    )


def untrue_control(rows: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Choices where no ending is true against places that were only drawn: they meet by chance.

    `passed` says whether no more are right than chance and five of its standard deviations; ties make it fewer.
    """
    hits, n = sum(one == other for one, other in rows), len(rows)
    expected = n / CHOICES
    passed = hits <= expected + 5 * math.sqrt(max(expected * (1 - 1 / CHOICES), 0.25))
    return {"kind": "no_true_ending", "successes": hits, "n": n, "expected": expected, "passed": passed}


def _perplexity(answer: RawGeneration, data: LabelledSet) -> Iterator[Measurement]:
    """Perplexity with its interval over passages; none for few passages, or where the tokenizer loses their text."""
    losses = [passage.loss for passage in answer.passages if passage.tokens]
    tokens = [passage.tokens for passage in answer.passages if passage.tokens]
    if len(losses) < LEAST_MEDIAN or _lost_share(answer, data) > LOST_LIMIT:
        return
    value = math.exp(min(math.fsum(losses) / sum(tokens), 700.0))
    yield Measurement(
        metric="perplexity",
        value=value,
        n=len(losses),
        interval=perplexity_interval(losses, tokens),
        scope=Scope(note=_windows(answer)),
        control={
            "kind": "no_look_ahead",
            "gap": round(answer.look_ahead, 9),
            "passed": answer.look_ahead <= _LOOK_AHEAD_NATS,
        },
        detail=f"a token of its own tokenizer, over {sum(tokens)} tokens of {len(losses)} passages",
    )


def _lost_share(answer: RawGeneration, data: LabelledSet) -> float:
    """The share of the passages' letters that the tokenizer loses."""
    return sum(passage.lost for passage in answer.passages) / max(
        sum(letters_of(str(i)).total() for i in data.items), 1
    )


def _windows(answer: RawGeneration) -> str:
    return f"max_length {answer.window}, stride {max(answer.window // 2, 1)}"


def _observed(answer: RawGeneration, data: LabelledSet) -> Iterator[Measurement]:
    """What nobody need have claimed: the baseline, bits a byte, speed, whether greedy text repeats, and a sample."""
    tokens = sum(passage.tokens for passage in answer.passages)
    if tokens:
        loss, size = (
            math.fsum(passage.loss for passage in answer.passages),
            sum(len(str(i).encode()) for i in data.items),
        )
        baseline = math.exp(min(answer.unigram_loss / tokens, 700.0))
        yield Measurement(metric="unigram_perplexity", value=baseline, unit="none")
        yield Measurement(metric="bits_per_byte", value=loss / math.log(2) / size, unit="bits")
        yield Measurement(metric="lost_share", value=_lost_share(answer, data), unit="none")
    if answer.generated and answer.generate_s > 0:
        speed = answer.generated / answer.generate_s
        yield Measurement(metric="tokens_per_second", value=speed, unit="tokens_per_second", scope=Scope(batch_size=1))
    yield Measurement(metric="greedy_repeats", value="yes" if answer.repeats else "no", unit="none")
    yield Measurement(metric="sample", value=answer.sample, unit="none")
    yield Measurement(metric="context_used", value=float(answer.window), unit="tokens")
    yield Measurement(metric="load_s", value=answer.load_s)
    yield Measurement(metric="seconds_per_item", value=answer.run_s / len(data.items))


def _token_s(subject: Subject) -> float:
    """Seconds a token that is read, roughly."""
    return 2 * (subject.parameters or 0) / 2e10
