"""Train a tiny token classifier that says what the names in a line of Python are.

Run from the root of the repository (about a minute on one core; no network)::

    python examples/train/python_names.py --output examples/models/python-names

The lines are those of the standard library of the Python that runs this script, without the modules and lines of
the held-out set; their tags come from Python's own parser (see ``python_names_data.py``). The same seed, Python,
library versions and machine give the same bytes; another Python has another library and so trains another model.
"""

from __future__ import annotations

import argparse
import platform
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_names_data import LABELS, Row, training_rows
from small_text_models import build_tokenizer, fit, leave, prepare, read_columns

if TYPE_CHECKING:
    import torch
    from transformers import BertForTokenClassification, PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[2]
HELD_OUT = ROOT / "examples" / "data" / "python-names.csv"
ROWS = 12_000
VOCABULARY = 1024
MAX_TOKENS = 128
IGNORED = -100


def build_model(seed: int) -> BertForTokenClassification:
    """Return an untrained BERT of two layers with one output for each tag."""
    import torch
    from transformers import BertConfig, BertForTokenClassification

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=MAX_TOKENS,
        type_vocab_size=1,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    return BertForTokenClassification(config)


def encode(tokenizer: PreTrainedTokenizerFast, rows: list[Row]) -> tuple[Any, torch.Tensor]:
    """Return the tokenizer's tensors, and the tag's number at the first piece of each word, IGNORED elsewhere."""
    import torch

    words = [tokens.split(" ") for tokens, _ in rows]
    inputs = tokenizer(words, is_split_into_words=True, padding=True, truncation=True, return_tensors="pt")
    numbers = torch.full(inputs["input_ids"].shape, IGNORED)
    for row, (_, tags) in enumerate(rows):
        before = None
        for place, word in enumerate(inputs.word_ids(row)):
            if word is not None and word != before:
                numbers[row, place] = LABELS.index(tags.split(" ")[word])
            before = word
    return inputs, numbers


def measure(directory: Path, rows: list[Row]) -> tuple[int, int, float]:
    """Return right tags, all tags and the entities' micro F1 in percent, all through the repository's own probe."""
    sys.path.insert(0, str(ROOT))
    from inference.probes.entities import entity_f1
    from inference.probes.tokens import load_tagger, tag_sentences

    given = list(tag_sentences(*load_tagger(directory), iter([tokens.split(" ") for tokens, _ in rows])))
    right = [tags.split(" ") for _, tags in rows]
    pairs = [pair for one, other in zip(given, right, strict=True) for pair in zip(one, other, strict=True)]
    return sum(one == other for one, other in pairs), len(pairs), 100 * entity_f1(given, right)


def main() -> None:
    """Train, save, measure on the held-out rows, write the card."""
    parser = argparse.ArgumentParser(description="Train the tagger of names in Python code.")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    prepare()
    import torch

    held_out = [(tokens, tags) for tokens, tags in read_columns(HELD_OUT, "tokens", "tags")]
    rows = random.Random(arguments.seed).sample(training_rows(held_out), ROWS)
    started = time.perf_counter()
    tokenizer = build_tokenizer([tokens for tokens, _ in rows], VOCABULARY, MAX_TOKENS, add_prefix_space=True)
    inputs, numbers = encode(tokenizer, rows)
    model = build_model(arguments.seed)

    def loss_of(chosen: torch.Tensor) -> torch.Tensor:
        mask = inputs["attention_mask"][chosen]
        longest = int(mask.sum(dim=1).max())  # columns beyond it are padding
        logits = model(input_ids=inputs["input_ids"][chosen, :longest], attention_mask=mask[:, :longest]).logits
        wanted = numbers[chosen, :longest]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)

    fit(model, loss_of, ROWS, epochs=3, batch_size=64, learning_rate=3e-3, seed=arguments.seed)
    print(f"trained in {time.perf_counter() - started:.1f} s", flush=True)
    arguments.output.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(arguments.output)
    tokenizer.save_pretrained(arguments.output)
    right, tags, f1 = measure(arguments.output, held_out)
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{parameters:,} parameters; tags {right}/{tags}; F1 {f1:.2f} %")
    card = CARD.format(
        parameters=parameters,
        right=right,
        tags=tags,
        share=100 * right / tags,
        accuracy=right / tags,
        f1=f1,
        f1_share=f1 / 100,
        held_out=len(held_out),
        rows=ROWS,
        python=platform.python_version(),
        max_tokens=MAX_TOKENS,
    )
    leave(arguments.output, card)


CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: token-classification
language: en
tags:
- bert
- code
model-index:
- name: python-names
  results:
  - task:
      type: token-classification
      name: Token Classification
    dataset:
      type: python-names
      name: python-names
      split: test
    metrics:
    - type: f1
      name: F1
      value: {f1_share:.3f}
    - type: accuracy
      name: Accuracy
      value: {accuracy:.3f}
---

# python-names

Says what the names in a line of Python are: CLASS, FUNCTION, MODULE or PARAMETER, as BIO tags. Names with dots are
one entity. The line has to come as Python's own tokens, as `tokenize` gives them.

```python
from transformers import pipeline

tag = pipeline("token-classification", model="examples/models/python-names", aggregation_strategy="simple")
tag("from os . path import join")
```

A BERT of two layers with {parameters:,} parameters and a byte-level tokenizer of its own.

## How it was made

`examples/train/python_names.py`, seed 0, on {rows} lines of the standard library of Python {python}. The tags are
those of Python's parser: FUNCTION is what is called or defined, CLASS what `class` defines or derives from, what is
raised by a call or caught, MODULE what is imported, PARAMETER what a function takes or is given by name. The
held-out rows in `examples/data/python-names.csv` come from other modules, which were never shown in training.

## How good it is

On {held_out} held-out lines: micro F1 of whole entities {f1:.1f} %; right tags {share:.1f} % ({right} of {tags}).

## Limits

One line at a time, at most {max_tokens} tokens of its own tokenizer. Code in other languages, prose and lines with
blanks inside a string were never seen.
"""

if __name__ == "__main__":
    main()
