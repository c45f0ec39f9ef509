"""Train a tiny model that says whether a text bears out a sentence such as: this example is about files.

Run from the root of the repository (about a minute on one core; no network)::

    python examples/train/topic_nli.py --output examples/models/topic-nli

Such a model (natural language inference) is what zero-shot classification runs on: it is asked once for each label.
The texts are docstrings of the standard library of the Python that runs this script (see ``topic_nli_data.py``). The
same seed, Python, library versions and machine give the same bytes; another Python trains another model.
"""

from __future__ import annotations

import argparse
import platform
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scipy.stats import binomtest
from small_text_models import build_tokenizer, fit, leave, prepare, read_columns
from topic_nli_data import TOPICS, Row, training_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

HELD_OUT = Path(__file__).resolve().parent.parent / "data" / "library-topics.csv"
TEMPLATES = ("This example is {}.", "This example is about {}.", "This text is about {}.")
LABELS = ["contradiction", "entailment"]
VOCABULARY = 2048
MAX_TOKENS = 192
TAUGHT_TOKENS = 80
ROWS = 8_000
EPOCHS = 2


def build_model(seed: int) -> BertForSequenceClassification:
    """Return an untrained BERT of two layers with the labels contradiction and entailment."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=MAX_TOKENS,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    return BertForSequenceClassification(config)


def taught_by(
    model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast, rows: list[Row], draw: random.Random
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the loss of rows by number: each text with its own topic and with one other, as equal parts.

    Whether two things match is hard to learn as long as neither is known. So two helping heads, thrown away after
    training, ask the first token which topic the text has and which one the sentence names.
    """
    import torch

    hidden = model.config.hidden_size
    helping = torch.nn.ModuleList(torch.nn.Linear(hidden, len(TOPICS)) for _ in range(2))
    model.add_module("helping", helping)  # so that the optimizer finds them

    def loss_of(chosen: torch.Tensor) -> torch.Tensor:
        picked = [rows[number] for number in chosen.tolist()]
        own = [topic for _, topic in picked]
        named = own + [draw.choice([other for other in TOPICS if other != topic]) for topic in own]
        inputs = tokenizer(
            [text for text, _ in picked] * 2,
            [draw.choice(TEMPLATES).format(topic) for topic in named],
            truncation="only_first",
            max_length=TAUGHT_TOKENS,
            padding=True,
            return_tensors="pt",
        )
        output = model(**inputs, output_hidden_states=True)
        first = output.hidden_states[-1][:, 0]
        entropy = torch.nn.functional.cross_entropy
        loss = entropy(output.logits, torch.tensor([1] * len(own) + [0] * len(own)))
        for head, topics in zip(helping, (own * 2, named), strict=True):
            loss = loss + entropy(head(first), torch.tensor([TOPICS.index(topic) for topic in topics]))
        return loss

    return loss_of


def count_right(directory: Path, rows: list[Row]) -> int:
    """Return how many rows the saved model puts under the right topic, through the pipeline users call."""
    from transformers import pipeline

    classify = pipeline("zero-shot-classification", model=str(directory), device="cpu")
    return sum(classify(text, candidate_labels=TOPICS)["labels"][0] == topic for text, topic in rows)


def main() -> None:
    """Train, save, measure on the held-out rows, write the card."""
    parser = argparse.ArgumentParser(description="Train the topic entailment model.")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    prepare()
    held_out = [(text, label) for text, label in read_columns(HELD_OUT, "text", "label")]
    rows = training_rows(held_out)
    started = time.perf_counter()
    texts = [text for text, _ in rows]
    said = [template.format(topic) for template in TEMPLATES for topic in TOPICS]
    tokenizer = build_tokenizer(
        [*texts, *said * 20],
        VOCABULARY,
        MAX_TOKENS,
        single="[CLS] $A [SEP]",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
    )
    model = build_model(arguments.seed)
    draw = random.Random(arguments.seed)
    counts = {topic: sum(other == topic for _, other in rows) for topic in TOPICS}
    weights = [max(counts.values()) / counts[topic] for _, topic in rows]
    order = draw.choices(range(len(rows)), weights, k=ROWS)

    loss_of = taught_by(model, tokenizer, [rows[number] for number in order], draw)
    fit(model, loss_of, ROWS, epochs=EPOCHS, batch_size=32, learning_rate=2e-3, seed=arguments.seed)
    del model.helping
    print(f"trained in {time.perf_counter() - started:.1f} s on {len(rows)} texts", flush=True)
    arguments.output.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(arguments.output)
    tokenizer.save_pretrained(arguments.output)
    right = count_right(arguments.output, held_out)
    interval = binomtest(right, len(held_out)).proportion_ci(0.95, method="exact")
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{parameters:,} parameters; held-out {right}/{len(held_out)}")
    card = CARD.format(
        parameters=parameters,
        texts=len(rows),
        right=right,
        held_out=len(held_out),
        fraction=right / len(held_out),
        percent=100 * right / len(held_out),
        low=100 * interval.low,
        high=100 * interval.high,
        topics=", ".join(TOPICS),
        python=platform.python_version(),
        max_tokens=MAX_TOKENS,
    )
    leave(arguments.output, card)


CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: zero-shot-classification
language: en
tags:
- bert
- nli
model-index:
- name: topic-nli
  results:
  - task:
      type: zero-shot-classification
      name: Zero-Shot Classification
    dataset:
      type: library-topics
      name: library-topics
      split: test
    metrics:
    - type: accuracy
      name: Accuracy
      value: {fraction:.3f}
---

# topic-nli

Says whether a text bears out a sentence of the kind "This example is about files." (entailment or contradiction), so
that it can be asked for labels one by one, as zero-shot classification does.

```python
from transformers import pipeline

classify = pipeline("zero-shot-classification", model="examples/models/topic-nli")
classify("Close the connection to the server.", candidate_labels=["networking", "files"])["labels"][0]
```

A BERT of two layers with {parameters:,} parameters and a byte-level tokenizer of its own.

## How it was made

`examples/train/topic_nli.py`, seed 0, on {texts} sentences and docstrings of the standard library of Python {python},
each once with its own topic and once with another. The held-out docstrings in `examples/data/library-topics.csv`, and
every sentence that stands in one of them, were left out; they come from the same modules, so their words are familiar.

## How good it is

Right topic of six on the held-out texts: {percent:.1f} % ({right} of {held_out}; exact 95 % interval \
{low:.1f} to {high:.1f} %).

## Limits

Zero-shot in form only: it knows the six topics it was taught ({topics}), and other labels mean nothing to it. Dry
English of docstrings, at most {max_tokens} tokens.
"""

if __name__ == "__main__":
    main()
