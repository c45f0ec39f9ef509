"""The model that a probe runs: loaded from its files, or built from its configuration and initialised."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, Final

from graph.claims import Scope
from inference.probes.base import LOAD_SAFELY, ProbeFailure, RunTask, loading, transformer_folder
from inference.probes.loading import load_declared

LARGEST_INITIALISED: Final = 200_000_000
"""Parameters of a model that is built and initialised at most; in float32 that is 0.8 GB."""
TOKENS: Final = 64
"""Length of a made-up text."""
_CALIBRATION: Final = 4
_LARGEST_SIDE: Final = 4096


def open_model(task: RunTask) -> Any:
    """The whole model in evaluation mode, on one thread: from its files, or initialised where there are none.

    Raises
    ------
    ProbeFailure
        It does not load whole, or is too large to be initialised.
    """
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(task.seed)
    if task.initialised:
        return initialised_model(task.folder, task.seed)
    with loading("loads"):
        model, report = load_declared(task.folder)
    if report["missing_keys"] or report["mismatched_keys"]:
        raise ProbeFailure("load_failed", "tensors are missing from its files or have another shape")
    return model


def build_on_meta(folder: Path) -> Any:
    """The architecture of a folder's config.json on torch's meta device: shapes without memory."""
    import torch

    with loading("builds"), torch.device("meta"):
        return _build(folder)


def initialised_model(folder: Path, seed: int) -> Any:
    """The architecture with weights drawn by `seed`, in evaluation mode, as sound as a trained one for timing.

    Weights are He-initialised, and the batch norms take their statistics from made-up items: with the library's own
    initialisation the numbers of a deep network shrink until arithmetic is on denormals (logits of 1e-40).

    Raises
    ------
    ProbeFailure
        It does not build, or has more than LARGEST_INITIALISED parameters.

    Notes
    -----
    Source: K. He et al., Delving Deep into Rectifiers, ICCV 2015.
    """
    import torch
    from transformers.initialization import no_init_weights

    count = sum(tensor.numel() for tensor in build_on_meta(folder).parameters())
    if count > LARGEST_INITIALISED:
        raise ProbeFailure("oom", f"{count:,} parameters: at most {LARGEST_INITIALISED:,} are initialised for a run")
    torch.manual_seed(seed)
    with loading("builds"), no_init_weights():
        model = _build(folder)
    with torch.no_grad():
        for module in model.modules():
            for name, tensor in module.named_parameters(recurse=False):
                _draw(name, tensor)
    _calibrate(model, folder, seed)
    return model.eval()


def _build(folder: Path) -> Any:
    """A new model of the class that config.json names; its weights are whatever the library leaves there."""
    folder = transformer_folder(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "_class_name" in config:
        import diffusers

        part: Any = getattr(diffusers, str(config["_class_name"]), None)
        known = isinstance(part, type) and issubclass(part, diffusers.ModelMixin)
        if not known:
            raise ProbeFailure("missing_dependency", f"diffusers has no model {config['_class_name']!r}")
        return part.from_config(config)
    import transformers

    parsed = transformers.AutoConfig.from_pretrained(folder, **LOAD_SAFELY)
    named = (getattr(parsed, "architectures", None) or ["AutoModel"])[0]
    declared: Any = getattr(transformers, str(named), None)
    known = isinstance(declared, type) and issubclass(declared, transformers.PreTrainedModel)
    if not known:
        raise ProbeFailure("missing_dependency", f"transformers {transformers.__version__} has no class {named!r}")
    return declared(parsed)


def _draw(name: str, tensor: Any) -> None:
    """Fill one tensor: norms' scales with 1, biases with 0, matrices and kernels by their fan-in, tokens small."""
    from torch import nn

    if name == "bias":
        nn.init.zeros_(tensor)
    elif tensor.ndim < 2:
        nn.init.ones_(tensor)
    elif name == "weight":
        nn.init.kaiming_normal_(tensor, nonlinearity="linear" if tensor.ndim == 2 else "relu")
    else:  # class tokens, position tables
        nn.init.normal_(tensor, std=0.02)


def _calibrate(model: Any, folder: Path, seed: int) -> None:
    """Give each batch norm the mean and variance of what reaches it, from made-up items; nothing where it has none."""
    import torch

    norms = [module for module in model.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    if norms:
        with torch.no_grad():
            model(**made_up(model, _CALIBRATION, folder, seed))
    model.eval()


def made_up(
    model: Any, batch_size: int, folder: Path, seed: int = 0, size: str | None = None, device: str = "cpu"
) -> dict[str, Any]:
    """Made-up inputs drawn by `seed`: float32 pictures (n, channels, height, width), or int64 tokens (n, length).

    Pictures have the model's own size unless `size` ("256x256", width first) says otherwise; texts have TOKENS
    tokens, or as many as the model reads.

    Raises
    ------
    ProbeFailure
        The model takes something else, or the size is not one.
    """
    import torch

    draw = torch.Generator().manual_seed(seed)
    config = getattr(model, "config", None)
    takes = getattr(model, "main_input_name", "")
    if takes == "pixel_values":
        width, height = picture_size(config, folder, size)
        shape = (batch_size, getattr(config, "num_channels", None) or 3, height, width)
        return {"pixel_values": torch.randn(shape, generator=draw).to(device)}
    if takes == "input_ids" and config is not None and not config.is_encoder_decoder:
        text = config.get_text_config()
        length = text_length(config)
        tokens = torch.randint(0, text.vocab_size, (batch_size, length), generator=draw)
        if device == "meta":  # libraries look into a mask, and there is nothing to see on that device
            return {"input_ids": tokens.to(device)}
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    raise ProbeFailure("missing_dependency", f"no made-up input for {type(model).__name__}")


def text_length(config: Any) -> int:
    """Tokens of a made-up text for this model: two fewer than its positions, of which some models reserve two."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return min(TOKENS, int(positions) - 2) if isinstance(positions, int) and positions > 4 else TOKENS


def picture_size(config: Any, folder: Path, size: str | None = None) -> tuple[int, int]:
    """Width and height in pixels: those asked for, the configuration's, the picture processor's, or 224.

    Raises
    ------
    ProbeFailure
        `size` is not WIDTHxHEIGHT within 1..4096.
    """
    if size is not None:
        found = re.fullmatch(r"(\d{1,4})\s*[x×]\s*(\d{1,4})(?: ?px| ?pixels)?", size.strip().lower())
        sides = (int(found[1]), int(found[2])) if found else (0, 0)
        if not all(1 <= side <= _LARGEST_SIDE for side in sides):
            raise ProbeFailure("missing_dependency", f"size {size[:40]!r} is no WIDTHxHEIGHT that can be tried")
        return sides
    own = getattr(config, "image_size", None) or _processor_size(folder) or 224
    height, width = own if isinstance(own, list | tuple) else (own, own)
    return int(width), int(height)


def _processor_size(folder: Path) -> tuple[int, int] | int | None:
    """Height and width, or the side, to which preprocessor_config.json brings pictures; None where it says nothing."""
    file = folder / "preprocessor_config.json"
    if not file.exists():
        return None
    settings = json.loads(file.read_text(encoding="utf-8"))
    size = (settings.get("do_center_crop") and settings.get("crop_size")) or settings.get("size")
    if isinstance(size, dict):
        side = size.get("shortest_edge")
        return int(side) if side else (int(size.get("height", 224)), int(size.get("width", 224)))
    return int(size) if isinstance(size, int) else None


def shown_size(inputs: dict[str, Any]) -> Scope:
    """The part of a scope that made-up inputs fix: a picture's size, or a text's tokens as a note."""
    if "pixel_values" in inputs:
        height, width = inputs["pixel_values"].shape[-2:]
        return Scope(size=f"{width}x{height}")
    return Scope(note=f"texts of {inputs['input_ids'].shape[1]} tokens")


def main_output(output: Any) -> Any:
    """The tensor of a model's output that counts: its logits, else its first tensor of floats."""
    import torch

    if output.get("logits") is not None:
        return output["logits"]
    return next(value for value in output.values() if torch.is_tensor(value) and value.is_floating_point())


def require_finite(numbers: Any) -> None:
    """Raises ProbeFailure where an output (an array or a tensor) is not finite."""
    if not math.isfinite(float(abs(numbers).max())):
        raise ProbeFailure("non_finite", "its output is not finite")
