"""How large a model is, from its configuration and headers: what it may take of memory, and what cannot be true."""

from __future__ import annotations

from typing import Any, Final

from inference.models.architectures import bounded_count

_WIDTHS: Final = ("hidden_size", "d_model", "n_embd", "dim")
_LAYERS: Final = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers")
_MOST_EXCESS: Final = 16
"""Layers that share their weights make the estimate too large by up to 12 (ALBERT)."""
_SLACK_PARAMETERS: Final = 10_000_000
LIBRARY_BYTES: Final = 3 << 30
"""Address space of the libraries' own work in a child that runs a small model (mapped, mostly never touched)."""
_COPIES: Final = {"fine-tuning": 8, "export": 6, "quantization": 6}
"""How many times its weights in float32 a probe may hold: gradients and moments, graphs, two models at once."""
_PLAIN_COPIES: Final = 4
_MOST_BITS: Final = 32


def least_parameters(config: dict[str, Any]) -> int:
    """Parameters that a configuration needs at least: one square matrix a layer, and the vocabulary.

    The largest of the configuration's own parts counts (text, vision, …); 0 where it names no width.
    """
    width, layers = bounded_count(config, *_WIDTHS), bounded_count(config, *_LAYERS)
    rows = bounded_count(config, "embedding_size") or width or 0
    own = (layers or 0) * (width or 0) ** 2 + (bounded_count(config, "vocab_size") or 0) * rows
    parts = (least_parameters(part) for part in config.values() if isinstance(part, dict))
    return max([own, *parts])


def excess_of(config: dict[str, Any], size_bytes: int) -> str | None:
    """One line where a configuration describes far more parameters than its files can hold; None where it does not.

    Parameters
    ----------
    config
        A configuration of transformers.
    size_bytes
        Of the weight files; two parameters a byte are believed, for packed weights.
    """
    least, held = least_parameters(config), 2 * size_bytes
    if least <= _MOST_EXCESS * held + _SLACK_PARAMETERS:
        return None
    return f"config.json describes at least {least} parameters, and its files hold at most {held}: refused"


def estimate_memory_bytes(size_bytes: int, parameters: int | None, probe: str) -> int:
    """Bytes of address space that a child may add while it runs a probe on a model.

    Parameters
    ----------
    size_bytes
        Of the weight files.
    parameters
        As many float32 numbers count where they are larger than the files; None where unknown.
    probe
        The probe's name; those that train or convert hold more copies.
    """
    weights = max(size_bytes, (parameters or 0) * _MOST_BITS // 8)
    copies = next((most for name, most in _COPIES.items() if probe.startswith(name)), _PLAIN_COPIES)
    return LIBRARY_BYTES + copies * weights
