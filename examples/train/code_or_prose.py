"""Train a tiny text classifier that tells a line of code from a sentence of prose.

Run from the root of the repository (about half a minute on one core, most of it reading; no network)::

    python examples/train/code_or_prose.py --output examples/models/code-or-prose

The text is that of the standard library of the Python that runs this script, without the modules and
lines of the held-out set (see ``code_or_prose_data.py``). The same seed, Python, library versions and
machine give the same bytes; another Python has another library and so trains another model.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from code_or_prose_data import LABELS, read_rows, training_rows
from scipy.stats import binomtest

if TYPE_CHECKING:
    import torch
    from transformers import DistilBertForSequenceClassification, PreTrainedTokenizerFast

HELD_OUT = Path(__file__).resolve().parent.parent / "data" / "code-or-prose.csv"
ROWS_PER_LABEL = 4000
VOCABULARY = 1024
MAX_TOKENS = 128
EPOCHS = 2
BATCH_SIZE = 64
LEARNING_RATE = 2e-3

Row = tuple[str, str]


def balanced_rows(held_out: list[Row], seed: int) -> list[Row]:
    """Return the same number of (text, label) rows of each label, shuffled."""
    draw = random.Random(seed)
    by_label: dict[str, list[Row]] = {label: [] for label in LABELS}
    for row in training_rows(held_out):
        by_label[row[1]].append(row)
    count = min(ROWS_PER_LABEL, *(len(rows) for rows in by_label.values()))
    rows = [row for label in LABELS for row in draw.sample(by_label[label], count)]
    draw.shuffle(rows)
    return rows


def build_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer learned from the texts: no text is unknown to it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special_tokens = ["[PAD]", "[CLS]", "[SEP]"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    numbered = [(token, tokenizer.token_to_id(token)) for token in special_tokens]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=numbered[1:])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=MAX_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
    )


def build_model(seed: int) -> DistilBertForSequenceClassification:
    """Return an untrained one-layer DistilBERT with the two labels."""
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=MAX_TOKENS,
        n_layers=1,
        n_heads=4,
        dim=56,
        hidden_dim=112,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    return DistilBertForSequenceClassification(config)


def train(
    model: DistilBertForSequenceClassification, inputs: dict[str, torch.Tensor], labels: torch.Tensor, seed: int
) -> None:
    """Fit the model in place; prints the mean loss of each epoch.

    Parameters
    ----------
    inputs
        ``input_ids`` and ``attention_mask``, each of shape (rows, tokens), int64, padded on the right.
    labels
        Shape (rows,), int64, index into ``LABELS``.
    seed
        Seed of the order in which the rows are shown.
    """
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    steps = EPOCHS * -(-len(labels) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for epoch in range(EPOCHS):
        losses = []
        for rows in torch.randperm(len(labels), generator=generator).split(BATCH_SIZE):
            mask = inputs["attention_mask"][rows]
            longest = int(mask.sum(dim=1).max())  # columns beyond it are padding
            logits = model(input_ids=inputs["input_ids"][rows, :longest], attention_mask=mask[:, :longest]).logits
            loss = torch.nn.functional.cross_entropy(logits, labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}/{EPOCHS}  mean loss {sum(losses) / len(losses):.4f}", flush=True)
    model.eval()


def count_right(directory: Path, rows: list[Row]) -> int:
    """Return how many rows the saved model labels rightly, through the pipeline users call."""
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(directory), device="cpu")
    answers = classify([text for text, _ in rows])
    return sum(answer["label"] == label for answer, (_, label) in zip(answers, rows, strict=True))


def write_card(directory: Path, parameters: int, right: int, held_out: int, trained_on: int) -> None:
    """Write the model card (README.md) with the numbers that this run measured."""
    interval = binomtest(right, held_out).proportion_ci(0.95, method="exact")
    card = CARD.format(
        parameters=parameters,
        right=right,
        held_out=held_out,
        trained_on=trained_on,
        python=platform.python_version(),
        max_tokens=MAX_TOKENS,
        fraction=right / held_out,
        percent=100 * right / held_out,
        low=100 * interval.low,
        high=100 * interval.high,
    )
    (directory / "README.md").write_text(card, encoding="utf-8")


def main() -> None:
    """Train, save, measure on the held-out rows, write the card."""
    parser = argparse.ArgumentParser(description="Train the code-or-prose classifier.")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    started = time.perf_counter()
    held_out = read_rows(HELD_OUT)
    rows = balanced_rows(held_out, arguments.seed)
    texts = [text for text, _ in rows]
    print(f"read {len(rows)} training rows in {time.perf_counter() - started:.1f} s", flush=True)

    started = time.perf_counter()
    tokenizer = build_tokenizer(texts)
    inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    model = build_model(arguments.seed)
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{parameters:,} parameters", flush=True)
    train(model, dict(inputs), torch.tensor([LABELS.index(label) for _, label in rows]), arguments.seed)
    print(f"trained in {time.perf_counter() - started:.1f} s", flush=True)

    arguments.output.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(arguments.output)
    tokenizer.save_pretrained(arguments.output)
    right = count_right(arguments.output, held_out)
    write_card(arguments.output, parameters, right, len(held_out), len(rows))
    # The library saves weights as 0600, which no other user (a sandboxed loader) could read.
    for path in arguments.output.iterdir():
        path.chmod(0o644)
    digest = hashlib.sha256((arguments.output / "model.safetensors").read_bytes()).hexdigest()
    print(f"held-out accuracy {right}/{len(held_out)} = {100 * right / len(held_out):.1f} %")
    print(f"model.safetensors sha256 {digest}")


CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: text-classification
language: en
tags:
- distilbert
- code
model-index:
- name: code-or-prose
  results:
  - task:
      type: text-classification
      name: Text Classification
    dataset:
      type: code-or-prose
      name: code-or-prose
      split: test
    metrics:
    - type: accuracy
      name: Accuracy
      value: {fraction:.3f}
---

# code-or-prose

Tells a line of Python from a sentence of English. The answer is one of two labels, "code" or "prose".

```python
from transformers import pipeline

classify = pipeline("text-classification", model="examples/models/code-or-prose")
classify("for path in sorted(paths):")[0]["label"]
```

A DistilBERT of one layer with {parameters:,} parameters and a byte-level tokenizer of its own.

## How it was made

`examples/train/code_or_prose.py`, seed 0, on {trained_on} lines and sentences of the standard library of
Python {python}, half of them code. The held-out rows in `examples/data/code-or-prose.csv` come from
other modules, which were never shown in training.

## How good it is

Accuracy on the held-out rows: {percent:.1f} % ({right} of {held_out}; exact 95 % interval \
{low:.1f} to {high:.1f} %).

## Limits

Python and English only, one line or sentence of 20 to 160 characters at a time: the size it was taught.
Texts of more than {max_tokens} tokens raise an error unless the call says `truncation=True`. Prose here is the
dry English of docstrings; poems and chats were never seen.
"""

if __name__ == "__main__":
    main()
