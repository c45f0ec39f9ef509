"""Text generation: perplexity on passages, finding the true continuation among four, and what it answers."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from graph.claims import Scope
from inference.data.sets import LabelledSet
from inference.intervals import perplexity_interval
from inference.probes.base import (
    ANSWER_LIMIT,
    LOAD_SAFELY,
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
from inference.probes.lengths import tokens_read
from inference.probes.shown import CHOICES, Choices, shown_choices

TASK: Final = "text.text-generation"
LONGEST: Final = 1024
"""Most tokens read at once: passages beyond it are read in windows that overlap by half."""
NEW_TOKENS: Final = 24
LOST_LIMIT: Final = 0.01
"""Where more than this share of the letters is lost in the tokens, a perplexity says nothing about the text."""
_FUTURE_TOLERANCE: Final = 0.01
"""Nats a token, and share: what half precision may differ by when the same tokens are read in another shape."""
_SAMPLE_CHARS: Final = 400
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

    `choices` are places of the likeliest continuation, -1 for a tie; `unigram_loss` is that of the passages' own token
    frequencies; `early` and `alone` are the losses a token of one beginning, read within its passage and alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    passages: list[RawPassage] = Field(max_length=ANSWER_LIMIT)
    choices: list[int] = Field(max_length=2 * ANSWER_LIMIT)
    unigram_loss: FiniteFloat = Field(ge=0, le=1e12)
    early: FiniteFloat = Field(ge=0, le=1e6)
    alone: FiniteFloat = Field(ge=0, le=1e6)
    window: int = Field(ge=1, le=LONGEST)
    sample: str = Field(max_length=_SAMPLE_CHARS)
    repeats: bool
    generated: int = Field(ge=0, le=2 * NEW_TOKENS)
    generate_s: Seconds
    load_s: Seconds
    run_s: Seconds


class GenerationProbe:
    """Likelihoods that a causal language model gives to passages, and greedy text from the first one's beginning.

    Perplexity is what the child sums up. What decides `runs` is multiple choice, whose right answers only the parent
    knows: the likeliest of four continuations, by mean log likelihood a token. A tie is wrong.
    """

    info = ProbeInfo(
        name="text-generation",
        version="1",
        metrics=("perplexity", "runs"),
        tasks=(TASK,),
        needs="passages",
        modules=("torch", "transformers"),
        control="choices against shuffled places, and choices after another passage's beginning, must be chance; what "
        "comes later must not change the likelihood of what came before",
        declared=f"{RUNS_DECLARED}; one continuation in {CHOICES} is true. Perplexity: windows of at most {LONGEST} "
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
        choices = [reader.choose(beginning, endings) for beginning, endings in shown_questions(task)]
        run_s = time.perf_counter() - loaded
        return {
            "passages": [passage for passage, _ in read],
            "choices": choices,
            "unigram_loss": _unigram_loss([numbers for _, numbers in read]),
            **reader.look_ahead(max(items, key=len)),
            "window": reader.window,
            **reader.answer(items[0]),
            "load_s": loaded - started,
            "run_s": run_s,
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Perplexity with its interval over passages, right continuations, and what was observed besides."""
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


class Reader:
    """A causal language model and its tokenizer, loaded from a folder alone."""

    def __init__(self, task: RunTask) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(task.folder, **LOAD_SAFELY)
        model: Any = AutoModelForCausalLM.from_pretrained(task.folder, use_safetensors=True, **LOAD_SAFELY)
        self._model = model.eval()
        self.window = min(LONGEST, tokens_read(self._tokenizer, model) or LONGEST)

    def read(self, text: str) -> tuple[dict[str, Any], list[int]]:
        """Loss, tokens scored and letters lost of a passage; and its tokens' numbers."""
        numbers = self._numbers(text)
        losses, back = self._losses(numbers), self._tokenizer.decode(numbers, skip_special_tokens=True)
        lost = (_letters(text) - _letters(str(back))).total()
        return {"loss": math.fsum(losses), "tokens": len(losses), "lost": lost}, numbers

    def choose(self, beginning: str, endings: Sequence[str]) -> int:
        """The place of the ending with the least loss a token behind this beginning; -1 where the least two tie."""
        before = len(self._numbers(beginning))
        means = []
        for ending in endings:
            numbers = self._numbers(f"{beginning} {ending}")
            tail = self._losses(numbers[-self.window :])[-max(len(numbers) - before, 1) :]
            means.append(math.fsum(tail) / max(len(tail), 1))
        least, second = sorted(means)[:2]
        return -1 if second - least < 1e-9 else means.index(least)

    def look_ahead(self, text: str) -> dict[str, float]:
        """Loss a token of the first half of a text, read with the second half behind it and alone: equal."""
        numbers = self._numbers(text)[: self.window]
        half = max(len(numbers) // 2, 2)
        early, alone = self._losses(numbers)[: half - 1], self._losses(numbers[:half])
        return {"early": math.fsum(early) / max(len(early), 1), "alone": math.fsum(alone) / max(len(alone), 1)}

    def answer(self, text: str) -> dict[str, Any]:
        """A short greedy continuation of a text's first words, and whether a second one is the same."""
        import torch

        numbers = self._numbers(" ".join(text.split()[:8]))[: max(1, self.window - NEW_TOKENS)]
        inputs = torch.tensor([numbers or [0]])
        room = max(1, min(NEW_TOKENS, self.window - inputs.shape[1]))
        started = time.perf_counter()
        texts = []
        for _ in range(2):
            with torch.inference_mode():
                texts.append(self._model.generate(
                    inputs, attention_mask=torch.ones_like(inputs), do_sample=False, num_beams=1, max_new_tokens=room,
                    pad_token_id=self._tokenizer.pad_token_id or 0,
                )[0].tolist())  # fmt: skip
        seconds = time.perf_counter() - started
        written = str(self._tokenizer.decode(texts[0], skip_special_tokens=True))[:_SAMPLE_CHARS]
        new = sum(len(one) - inputs.shape[1] for one in texts)
        return {"sample": written, "repeats": texts[0] == texts[1], "generated": new, "generate_s": seconds}

    def _numbers(self, text: str) -> list[int]:
        """The numbers of a text's tokens, with the token that begins texts where the model has one."""
        numbers = [int(number) for number in self._tokenizer(text, truncation=False)["input_ids"]]
        begin, end = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        if begin is not None and numbers[:1] != [begin]:
            numbers = [begin, *numbers]
        return numbers[:-1] if len(numbers) > 1 and numbers[-1] == end else numbers

    def _losses(self, numbers: Sequence[int]) -> list[float]:
        """The negative log likelihood, in nats, of every token but the first, from at least half a window before it.

        Raises
        ------
        ProbeFailure
            One is not finite.
        """
        import torch

        losses: list[float] = []
        half = max(self.window // 2, 1)
        for start in range(0, max(len(numbers) - 1, 0), half):
            piece = torch.tensor([list(numbers[start : start + self.window])])
            with torch.inference_mode():
                scores = self._model(input_ids=piece).logits[0, :-1].float().log_softmax(-1)
            found = -scores.gather(1, piece[0, 1:, None])[:, 0].double()
            losses += found.tolist()[len(losses) - start :]
            if start + self.window >= len(numbers):
                break
        if not all(math.isfinite(loss) for loss in losses):
            raise ProbeFailure("non_finite", "a token's likelihood is not a finite number")
        return losses


def shown_questions(task: RunTask) -> list[tuple[str, list[str]]]:
    """The staged questions: beginning, and continuations of which one is true.

    Raises
    ------
    ProbeFailure
        None were staged.
    """
    if task.items is None or not (task.items / "choices.json").exists():
        raise ProbeFailure("no_data", "no questions were staged")
    return list(json.loads((task.items / "choices.json").read_text(encoding="utf-8")))


def _unigram_loss(passages: Sequence[Sequence[int]]) -> float:
    """The loss of all tokens but first ones under their own frequencies, in nats: the best that frequencies can do."""
    import torch

    tokens = torch.tensor([number for numbers in passages for number in numbers[1:]])
    counts = tokens.unique(return_counts=True)[1].double()
    return float((counts * (counts.sum().log() - counts.log())).sum()) if len(tokens) else 0.0


def _runs(given: Sequence[int], choices: Choices) -> Iterator[Measurement]:
    """Right continuations among all; its control holds those after another passage's beginning."""
    rows = list(zip(given, choices.right, choices.control, strict=True))
    asked = [(str(one), str(other)) for one, other, control in rows if not control]
    if not asked:
        return
    answers, right = [one for one, _ in asked], [other for _, other in asked]
    hits, n = sum(map(str.__eq__, answers, right)), len(asked)
    control = shuffled_control(answers, right)
    foreign = foreign_control([(one, other) for one, other, is_control in rows if is_control])
    passed = bool(control["passed"]) and bool(foreign["passed"])
    yield Measurement(
        metric="runs",
        value=hits / n,
        successes=hits,
        n=n,
        chance=1 / CHOICES,
        control={**control, "passed": passed, "foreign_beginning": foreign},
    )


def foreign_control(rows: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Choices after another passage's beginning against the right places: nothing tells the true one, so chance.

    `passed` says whether no more are right than chance and five of its standard deviations; ties make it fewer.
    """
    hits, n = sum(one == other for one, other in rows), len(rows)
    expected = n / CHOICES
    passed = hits <= expected + 5 * math.sqrt(max(expected * (1 - 1 / CHOICES), 0.25))
    return {"kind": "foreign_beginning", "successes": hits, "n": n, "expected": expected, "passed": passed}


def _perplexity(answer: RawGeneration, data: LabelledSet) -> Iterator[Measurement]:
    """Perplexity with its interval over passages; none where the tokenizer does not know the text."""
    losses = [passage.loss for passage in answer.passages if passage.tokens]
    tokens = [passage.tokens for passage in answer.passages if passage.tokens]
    if len(losses) < 2 or _lost_share(answer, data) > LOST_LIMIT:
        return
    value = math.exp(min(math.fsum(losses) / sum(tokens), 700.0))
    gap = abs(answer.early - answer.alone)
    yield Measurement(
        metric="perplexity",
        value=value,
        n=len(losses),
        interval=perplexity_interval(losses, tokens),
        scope=Scope(note=_windows(answer)),
        control={
            "kind": "no_look_ahead",
            "gap": round(gap, 9),
            "passed": gap <= _FUTURE_TOLERANCE * (1 + answer.alone),
        },
        detail=f"a token of its own tokenizer, over {sum(tokens)} tokens of {len(losses)} passages",
    )


def _lost_share(answer: RawGeneration, data: LabelledSet) -> float:
    """The share of the passages' letters that the tokenizer loses."""
    return sum(passage.lost for passage in answer.passages) / max(sum(_letters(str(i)).total() for i in data.items), 1)


def _letters(text: str) -> Counter[str]:
    """How often each character occurs, case and blanks aside."""
    return Counter("".join(text.split()).casefold())


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
