"""How many tokens of a text a model reads."""

from __future__ import annotations

from typing import Any, Final

_NO_LIMIT: Final = 1_000_000
"""Tokenizers that know no limit name a very large number."""


def tokens_read(tokenizer: Any, model: Any) -> int | None:
    """The most tokens that fit, by what the tokenizer says and by the model's positions; None where neither tells.

    RoBERTa and its kin count positions from behind the padding's number, so that fewer tokens fit than there are
    positions; such a position table has a `padding_idx`.
    """
    limits = [getattr(tokenizer, "model_max_length", None)]
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        limits.append(positions - _first_position(model))
    fitting = [int(limit) for limit in limits if limit and 0 < limit < _NO_LIMIT]
    return min(fitting, default=None)


def _first_position(model: Any) -> int:
    """The position of a text's first token: 0, or behind the padding's."""
    for name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            return int(padding) + 1
    return 0
