"""Pipelines of diffusers in the child: loaded whole or not at all, and asked for pictures."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inference.models.weights import is_pipeline_module
from inference.probes.base import ProbeFailure, RunTask, Subject, load_seconds, loading

TASK: Final = "vision.text-to-image"
LIBRARY: Final = "diffusers"
MODULES: Final = (
    "torch",
    "transformers.pipelines",
    "diffusers.pipelines.auto_pipeline",
    "diffusers.pipelines.flux.pipeline_flux",
    "scipy.stats",
)
"""What the worker imports: without the pipelines every child would spend seconds on them."""
BATCH: Final = 24
_LIBRARIES: Final = ("diffusers", "transformers")

Pictures = NDArray[np.float32]
Size = tuple[int, int]


def draws(subject: Subject) -> bool:
    """Whether these probes fit a model: a diffusers pipeline, with its weights, that draws what a text says."""
    return subject.library == LIBRARY and subject.tier == "artifact" and subject.task == TASK


def drawing_seconds(subject: Subject, picture_steps: int) -> float:
    """Seconds to load and to take so many denoising steps, of one picture each.

    From a pipeline of half a million parameters on a busy core (2 to 3 ms a step), in proportion to the parameters.
    """
    return 0.5 + load_seconds(subject) + picture_steps * (0.001 + 4e-9 * (subject.parameters or 0))


def load_pipeline(folder: Path) -> tuple[Any, dict[str, int]]:
    """The pipeline in single precision on the CPU, and the parameters of each of its networks.

    The library itself loads a pipeline whose text encoder lacks tensors and leaves random numbers in their place.
    So each network is loaded by itself first, with the library's own report on what it missed.

    Raises
    ------
    ProbeFailure
        `load_failed` names the network whose tensors are missing; `unsafe_refused`, a part with code of its own.
    """
    import torch
    from diffusers import DiffusionPipeline
    from diffusers.utils import logging

    logging.set_verbosity_error()  # what it says to odd sizes is measured
    with loading("pipeline"):
        table = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        listed = {name: entry for name, entry in sorted(table.items())
                  if isinstance(entry, list) and entry and entry[0] is not None and name[:1] != "_"}  # fmt: skip
        parts = {name: _load_network(folder, name, *entry[:2]) for name, entry in listed.items()}
        networks: dict[str, Any] = {name: part for name, part in parts.items() if part is not None}
        pipe = DiffusionPipeline.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32,
            **networks,
        )  # fmt: skip
    return quiet(pipe), {name: sum(t.numel() for t in network.parameters()) for name, network in networks.items()}


def _load_network(folder: Path, name: str, library: str, named: str) -> Any | None:
    """One network of a pipeline with all its tensors; None for a part that has none (scheduler, tokenizer)."""
    import importlib

    import torch

    if library not in _LIBRARIES and not is_pipeline_module(library):
        raise ProbeFailure("unsafe_refused", f"{name}: it needs code of {library!r}, which is never run")
    module = importlib.import_module(library if library in _LIBRARIES else f"diffusers.pipelines.{library}")
    declared = getattr(module, str(named), None)
    if declared is None:
        raise ProbeFailure("missing_dependency", f"{name}: {library} has no class {named!r} in the version here")
    if not (isinstance(declared, type) and issubclass(declared, torch.nn.Module)):
        return None
    with loading(name):
        network, report = declared.from_pretrained(  # type: ignore[attr-defined]
            folder / name, local_files_only=True, use_safetensors=True, output_loading_info=True, dtype=torch.float32
        )
    missing = sorted(str(key) for key in report["missing_keys"])
    mismatched = sorted(str(key[0] if isinstance(key, tuple) else key) for key in report["mismatched_keys"])
    if missing:
        raise ProbeFailure("load_failed", f"{name}: {len(missing)} tensors are not in its files, {missing[0]} first")
    if mismatched:
        raise ProbeFailure("load_failed", f"{name}: {len(mismatched)} tensors of another shape, {mismatched[0]} first")
    return network.eval()


def quiet(pipe: Any) -> Any:
    """The same pipeline without progress bars."""
    pipe.set_progress_bar_config(disable=True)
    return pipe


def native_size(pipe: Any) -> Size:
    """Height and width that the pipeline was made for: its autoencoder's sample size, else its own default."""
    side = getattr(getattr(getattr(pipe, "vae", None), "config", None), "sample_size", None)
    if isinstance(side, list | tuple) and len(side) == 2:
        return int(side[0]), int(side[1])
    if isinstance(side, int):
        return side, side
    default = int(getattr(pipe, "default_sample_size", 64)) * int(getattr(pipe, "vae_scale_factor", 8))
    return default, default


def default_steps(pipe: Any) -> int:
    """The number of denoising steps that a call takes which does not say how many."""
    return int(inspect.signature(pipe.__call__).parameters["num_inference_steps"].default)


def asked_steps(task: RunTask, pipe: Any) -> int:
    """The steps that the unit's claims state, else the pipeline's own default."""
    return int(task.settings.get("steps") or default_steps(pipe))


def asked_size(task: RunTask, pipe: Any) -> Size:
    """The picture size that the unit's claims state, as height and width, else the one it was made for.

    Raises
    ------
    ProbeFailure
        It is not "WIDTHxHEIGHT".
    """
    stated = str(task.settings.get("size") or "")
    if not stated:
        return native_size(pipe)
    width, _, height = stated.lower().replace("×", "x").partition("x")
    if not (width.strip().isdecimal() and height.strip().isdecimal()):
        raise ProbeFailure("no_data", f"a picture size is WIDTHxHEIGHT, not {stated[:40]!r}")
    return int(height), int(width)


def takes(pipe: Any, name: str) -> bool:
    """Whether a call of the pipeline knows this parameter."""
    return name in inspect.signature(pipe.__call__).parameters


def draw(pipe: Any, prompts: Sequence[str], seeds: Sequence[int], *, steps: int, size: Size, **more: Any) -> Pictures:
    """Pictures of the prompts, each from its own seed: shape (prompts, height, width, 3), float32, 0..1.

    `more` goes to the call as it is, except that arrays with a row a prompt are cut into the same batches.

    Raises
    ------
    ProbeFailure
        A picture is not finite.
    """
    import torch

    drawn = []
    for start in range(0, len(prompts), BATCH):
        rows = slice(start, start + BATCH)
        given = {key: value[rows] if isinstance(value, np.ndarray) else value for key, value in more.items()}
        generators = [torch.Generator().manual_seed(seed) for seed in seeds[rows]]
        if takes(pipe, "max_sequence_length"):
            given["max_sequence_length"] = _text_tokens(pipe)
        pictures = pipe(
            prompt=list(prompts[rows]), num_inference_steps=steps, height=size[0], width=size[1],
            generator=generators, output_type="np", **given,
        ).images  # fmt: skip
        drawn.append(np.asarray(pictures, np.float32))
    found = np.concatenate(drawn)
    if not np.isfinite(found).all():
        raise ProbeFailure("non_finite", "a picture holds numbers that are not finite")
    return found


def _text_tokens(pipe: Any) -> int:
    """Tokens of a prompt that the last text encoder is given: as many as its own tokenizer says it reads."""
    default = int(inspect.signature(pipe.__call__).parameters["max_sequence_length"].default)
    tokenizer = next((part for name in ("tokenizer_3", "tokenizer_2", "tokenizer")
                      if (part := getattr(pipe, name, None)) is not None), None)  # fmt: skip
    return min(default, int(getattr(tokenizer, "model_max_length", default)))
