"""Train a tiny Llama that goes on writing in the tone of Python's own reference.

Run from the root of the repository (about a minute on one core; no network)::

    python examples/train/pydoc_llama.py --output examples/models/pydoc-llama

The text is that of the Python that runs this script, without the held-out passages (see ``pydoc_llama_data.py``). The
same seed, Python, library versions and machine give the same bytes; another Python trains another model.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydoc_llama_data import training_lines
from small_text_models import build_tokenizer, fit, leave, prepare, read_columns

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[2]
HELD_OUT = ROOT / "examples" / "data" / "pydoc-passages.csv"
VOCABULARY = 1024
MAX_TOKENS = 256
TAUGHT_TOKENS = 128
WINDOWS = 10_000


def build_model(seed: int, begin: int, end: int) -> LlamaForCausalLM:
    """Return an untrained Llama of two layers, with the numbers of its first and last token."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=80,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=begin,
        eos_token_id=end,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config)


def write_tokenizer(lines: list[str]) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer that puts its first token before a text, and nothing behind it."""
    tokenizer = build_tokenizer(lines, VOCABULARY, MAX_TOKENS, single="[CLS] $A")
    tokenizer.bos_token, tokenizer.eos_token = "[CLS]", "[SEP]"
    return tokenizer


def measure(directory: Path) -> tuple[float, float, int, int]:
    """Return perplexity, that of single token frequencies, right endings and all; by the repository's probe."""
    sys.path.insert(0, str(ROOT))
    from inference.data.sets import open_data
    from inference.probes.base import RunTask
    from inference.probes.generation import GenerationProbe
    from inference.probes.shown import shown_files

    data, probe = open_data(HELD_OUT.stem, HELD_OUT), GenerationProbe()
    with tempfile.TemporaryDirectory() as items:
        for name, content in shown_files(data).items():
            (Path(items) / name).write_text(json.dumps(content), encoding="utf-8")
        raw = json.dumps(probe.run(RunTask(directory, Path(items)))).encode()
    found = {measurement.metric: measurement for measurement in probe.score(raw, data).measurements}
    runs = found["runs"]
    print(found["sample"].value)
    return (
        float(found["perplexity"].value),
        float(found["unigram_perplexity"].value),
        runs.successes or 0,
        runs.n or 0,
    )


def main() -> None:
    """Train, save, measure on the held-out passages, write the card."""
    parser = argparse.ArgumentParser(description="Train the tiny Llama on Python's reference.")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    prepare()
    import torch

    passages = [text for (text,) in read_columns(HELD_OUT, "text")]
    lines = training_lines(passages)
    started = time.perf_counter()
    tokenizer = write_tokenizer(lines)
    encoded = tokenizer(lines, verbose=False)["input_ids"]
    stream = torch.tensor([number for line in encoded for number in (*line, tokenizer.eos_token_id)])
    model = build_model(arguments.seed, tokenizer.bos_token_id, tokenizer.eos_token_id)
    generator = torch.Generator().manual_seed(arguments.seed)
    starts = torch.randint(0, len(stream) - TAUGHT_TOKENS, (WINDOWS,), generator=generator)

    def loss_of(chosen: torch.Tensor) -> torch.Tensor:
        windows = torch.stack([stream[start : start + TAUGHT_TOKENS] for start in starts[chosen].tolist()])
        return model(input_ids=windows, labels=windows).loss

    fit(model, loss_of, WINDOWS, epochs=1, batch_size=16, learning_rate=6e-3, seed=arguments.seed)
    print(f"trained in {time.perf_counter() - started:.1f} s on {len(stream):,} tokens", flush=True)
    arguments.output.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(arguments.output)
    tokenizer.save_pretrained(arguments.output)
    perplexity, unigram, right, asked = measure(arguments.output)
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{parameters:,} parameters; perplexity {perplexity:.2f}, unigram {unigram:.1f}, endings {right}/{asked}")
    card = CARD.format(
        parameters=parameters,
        perplexity=perplexity,
        unigram=unigram,
        right=right,
        asked=asked,
        share=100 * right / asked,
        passages=len(passages),
        tokens=len(stream),
        taught=WINDOWS * TAUGHT_TOKENS,
        taught_tokens=TAUGHT_TOKENS,
        vocabulary=VOCABULARY,
        python=platform.python_version(),
        max_tokens=MAX_TOKENS,
    )
    leave(arguments.output, card)


CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
language: en
tags:
- llama
model-index:
- name: pydoc-llama
  results:
  - task:
      type: text-generation
      name: Text Generation
    dataset:
      type: pydoc-passages
      name: pydoc-passages
      split: test
    metrics:
    - type: perplexity
      name: Perplexity
      value: {perplexity:.1f}
---

# pydoc-llama

Goes on writing in the tone of Python's reference. The words are right, the sense is not.

```python
from transformers import pipeline

write = pipeline("text-generation", model="examples/models/pydoc-llama")
write("The class statement", max_new_tokens=20, do_sample=False)[0]["generated_text"]
```

A Llama of two layers with {parameters:,} parameters and a byte-level tokenizer of {vocabulary} pieces.

## How it was made

`examples/train/pydoc_llama.py`, seed 0, on the reference behind `help()` and the docstrings of Python {python}:
{tokens:,} tokens, of which {taught:,} were shown. The {passages} paragraphs in `examples/data/pydoc-passages.csv`, and
whatever repeats a sentence of them, were left out.

## How good it is

On the held-out passages: perplexity {perplexity:.1f} a token of its own tokenizer (token frequencies alone give
{unigram:.0f}). Among the same twelve words in four orders it finds the true one in {right} of {asked}
({share:.0f} %; guessing gives 25 %).

## Limits

{max_tokens} tokens at most, taught on {taught_tokens}. English about Python only. It states falsehoods fluently: for
tests and demonstrations.
"""

if __name__ == "__main__":
    main()
