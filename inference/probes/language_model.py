"""A causal language model as the probe reads with it: likelihoods of texts, and what it writes."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from inference.probes.base import LOAD_SAFELY, ProbeFailure, RunTask
from inference.probes.lengths import tokens_read

LONGEST: Final = 1024
"""Most tokens read at once: passages beyond it are read in windows that overlap by half."""
NEW_TOKENS: Final = 24
SAMPLE_CHARS: Final = 400


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
        lost = (letters_of(text) - letters_of(str(back))).total()
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

    def look_ahead(self, text: str) -> float:
        """How far, in nats a token, the first half of a text becomes likelier or less so by what comes behind it."""
        numbers = self._numbers(text)[: self.window]
        half = max(len(numbers) // 2, 2)
        within, alone = self._losses(numbers)[: half - 1], self._losses(numbers[:half])
        return math.fsum(abs(one - other) for one, other in zip(within, alone, strict=True)) / max(len(alone), 1)

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
        written = str(self._tokenizer.decode(texts[0], skip_special_tokens=True))[:SAMPLE_CHARS]
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


def unigram_loss(passages: Sequence[Sequence[int]]) -> float:
    """The loss of all tokens but first ones under their own frequencies, in nats: the best that frequencies can do."""
    import torch

    tokens = torch.tensor([number for numbers in passages for number in numbers[1:]])
    counts = tokens.unique(return_counts=True)[1].double()
    return float((counts * (counts.sum().log() - counts.log())).sum()) if len(tokens) else 0.0


def letters_of(text: str) -> Counter[str]:
    """How often each character occurs, case and blanks aside."""
    return Counter("".join(text.split()).casefold())
