"""What the scripts of the small text models share: a tokenizer, a training loop, how files are left behind.

Imported by ``python_names.py``, ``topic_nli.py`` and ``pydoc_llama.py``.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ["[PAD]", "[CLS]", "[SEP]"]


def build_tokenizer(
    texts: list[str],
    vocabulary: int,
    max_tokens: int,
    *,
    single: str = "[CLS] $A [SEP]",
    pair: str | None = None,
    add_prefix_space: bool = False,
) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer learned from the texts: no text is unknown to it.

    Parameters
    ----------
    single, pair
        Templates for one text and for two; a pair also gets token types.
    add_prefix_space
        Whether a text starts like a word after a blank, which texts that come word by word need.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    numbered = [(token, tokenizer.token_to_id(token)) for token in SPECIAL_TOKENS]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=numbered[1:])
    names = ["input_ids", "token_type_ids", "attention_mask"] if pair else ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=max_tokens,
        model_input_names=names,
    )


def fit(
    model: Any,
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    rows: int,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> None:
    """Fit a model in place with AdamW and one cycle of the learning rate; prints the mean loss of each epoch.

    ``loss_of`` gives the loss of the rows with these numbers (int64, shape (batch,)).
    """
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    steps = epochs * -(-rows // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for epoch in range(epochs):
        losses = []
        for chosen in torch.randperm(rows, generator=generator).split(batch_size):
            loss = loss_of(chosen)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}/{epochs}  mean loss {sum(losses) / len(losses):.4f}", flush=True)
    model.eval()


def prepare() -> None:
    """Set the libraries so that the same seed gives the same bytes: one thread, deterministic operations."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def leave(directory: Path, card: str) -> None:
    """Write the card, make all files readable by other users (the library saves weights as 0600), print the digest."""
    (directory / "README.md").write_text(card, encoding="utf-8")
    for path in directory.iterdir():
        path.chmod(0o644)
    digest = hashlib.sha256((directory / "model.safetensors").read_bytes()).hexdigest()
    print(f"model.safetensors sha256 {digest}")


def read_columns(path: Path, *columns: str) -> list[tuple[str, ...]]:
    """Return these columns of a CSV file, row by row."""
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


def write_columns(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a CSV file with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    print(f"{len(rows)} rows in {path}")


def same_text(text: str) -> str:
    """Return the text without white space and case: what counts as the same text."""
    return re.sub(r"\s+", "", text).casefold()
