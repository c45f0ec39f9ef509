"""Do the files hold just the tensors that the model is made of? Asked on the meta device: no weight is read.

For the sandboxed child: the classes that the configuration names are built. A library loads a model whose tensors are
missing with random ones in their place, and a pipeline without its text encoder's weights draws all the same.
"""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from inference.models.tensors import Tensor, safetensors_tensors
from inference.probes.base import LOAD_SAFELY, ProbeFailure, transformer_folder

BUILD_S: Final = 10.0
"""The largest published architectures take 2 s on the meta device."""
_CONFIG: Final = "config.json"


@dataclass(frozen=True)
class TensorReport:
    """Which tensors of a model are not in its files, are there for nothing, or have another shape; each list sorted.

    Names begin with the component's where the model is a pipeline. `parameters` counts what the model is made of.
    """

    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    parameters: int = 0

    @property
    def whole(self) -> bool:
        """Whether every tensor of the model comes from its files."""
        return not self.missing and not self.mismatched

    def what(self) -> str:
        """One line about the first thing that is wrong; "" where the model is whole."""
        for names, wrong in ((self.missing, "are not in the files"), (self.mismatched, "have another shape")):
            if names:
                return f"{len(names)} tensors {wrong}, {names[0][:200]} first"
        return ""


def meta_parameters(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that the model in a folder is made of, buffers that are saved included.

    A model of transformers, a component of diffusers, or a whole pipeline, whose names begin with the component's.

    Raises
    ------
    ProbeFailure
        The architecture cannot be built, or not within `BUILD_S` seconds.
    """
    return {
        f"{prefix}{name}": tuple(tensor.shape)
        for prefix, part in _parts(folder)
        for name, tensor in _built(part).state_dict().items()
    }


def check_tensors(folder: Path) -> TensorReport:
    """Whether the headers of the files name every tensor that the model is made of, in its shape.

    For transformers the library itself compares, so that its renaming of old names and its tied weights hold; for
    components of diffusers the names of the state dictionary must be those of the headers.

    Parameters
    ----------
    folder : Path
        A staged model: of transformers, of sentence-transformers, or a pipeline of diffusers.

    Raises
    ------
    ProbeFailure
        The architecture cannot be built, or not within `BUILD_S` seconds.
    """
    missing: list[str] = []
    unused: list[str] = []
    mismatched: list[str] = []
    parameters = 0
    for prefix, part in _parts(folder):
        report = _compared(part) if _class_name(part) else _reported(part)
        missing += [prefix + name for name in report.missing]
        unused += [prefix + name for name in report.unused]
        mismatched += [prefix + name for name in report.mismatched]
        parameters += report.parameters
    return TensorReport(tuple(sorted(missing)), tuple(sorted(unused)), tuple(sorted(mismatched)), parameters)


def _parts(folder: Path) -> Iterator[tuple[str, Path]]:
    """The folders of the networks in a model with the prefix of their names; one without a prefix where it is no pipe.

    A component is a network where it has a configuration that names its class or its architecture.
    """
    index = folder / "model_index.json"
    if not index.exists():
        yield "", transformer_folder(folder)
        return
    for component, entry in sorted(json.loads(index.read_text(encoding="utf-8")).items()):
        part = folder / component
        if not component.startswith("_") and isinstance(entry, list) and entry and entry[0] is not None:
            named = str(entry[-1])
            if (part / _CONFIG).exists() and not named.endswith(("Tokenizer", "TokenizerFast", "Processor")):
                yield f"{component}.", part


def _class_name(part: Path) -> str:
    """The class of diffusers that a configuration names; "" where it is one of transformers."""
    return str(json.loads((part / _CONFIG).read_text(encoding="utf-8")).get("_class_name") or "")


def _built(part: Path) -> Any:
    """The network of a folder on the meta device."""
    import torch

    with _within(BUILD_S, part), torch.device("meta"):
        if _class_name(part):
            declared, config = _diffusers_class(part)
            return declared.from_config(config)
        declared, config = _transformers_class(part)
        return declared._from_config(config) if hasattr(declared, "_from_config") else declared.from_config(config)


def _compared(part: Path) -> TensorReport:
    """A component of diffusers: its state dictionary against the headers of its files."""
    import torch

    model = _built(part)
    held = {tensor.name: tensor for tensor in _header_tensors(part)}
    renamed = {name: torch.empty(tensor.shape, device="meta") for name, tensor in held.items()}
    if hasattr(model, "_fix_state_dict_keys_on_load"):
        model._fix_state_dict_keys_on_load(renamed)  # old names of attention blocks, which the library still reads
    wanted = model.state_dict()
    mismatched = [name for name, tensor in wanted.items() if name in renamed and renamed[name].shape != tensor.shape]
    return TensorReport(
        tuple(sorted(wanted.keys() - renamed.keys())), tuple(sorted(renamed.keys() - wanted.keys())),
        tuple(sorted(mismatched)), sum(tensor.numel() for tensor in model.parameters()),
    )  # fmt: skip


def _reported(part: Path) -> TensorReport:
    """A model of transformers: what the library reports when it loads it onto the meta device."""
    declared, config = _transformers_class(part)
    with _within(BUILD_S, part):
        model, report = declared.from_pretrained(
            part, config=config, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True,
            device_map={"": "meta"}, **LOAD_SAFELY,
        )  # fmt: skip
    mismatched = [str(key[0] if isinstance(key, tuple) else key) for key in report["mismatched_keys"]]
    return TensorReport(
        tuple(sorted(report["missing_keys"])), tuple(sorted(report["unexpected_keys"])), tuple(sorted(mismatched)),
        sum(tensor.numel() for tensor in model.parameters()),
    )  # fmt: skip


def _transformers_class(part: Path) -> tuple[Any, Any]:
    """The class of transformers that config.json names, AutoModel where it names none, and the configuration."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(part, **LOAD_SAFELY)
    named = (getattr(config, "architectures", None) or ["AutoModel"])[0]
    declared: Any = getattr(transformers, str(named), None)
    known = isinstance(declared, type) and issubclass(declared, transformers.PreTrainedModel)
    if not known and named != "AutoModel":
        raise ProbeFailure("missing_dependency", f"transformers {transformers.__version__} has no class {named!r}")
    return declared, config


def _diffusers_class(part: Path) -> tuple[Any, dict[str, Any]]:
    """The network class of diffusers that a component's configuration names, and the configuration."""
    import diffusers

    named = _class_name(part)
    declared: Any = getattr(diffusers, named, None)
    if not (isinstance(declared, type) and issubclass(declared, diffusers.ModelMixin)):
        raise ProbeFailure("missing_dependency", f"diffusers {diffusers.__version__} has no network {named[:80]!r}")
    network: Any = declared
    return network, network.load_config(part, local_files_only=True)


def _header_tensors(part: Path) -> list[Tensor]:
    """All tensors of a component's weight files: those of one form, without variants of other precision."""
    for stem in ("diffusion_pytorch_model", "model"):
        if (part / f"{stem}.safetensors").exists():
            return safetensors_tensors((part / f"{stem}.safetensors").resolve())
        files = sorted(part.glob(f"{stem}-*-of-*.safetensors"))
        if files:
            return [tensor for file in files for tensor in safetensors_tensors(file.resolve())]
    raise ProbeFailure("load_failed", f"{part.name}: no safetensors weights")


@contextlib.contextmanager
def _within(limit_s: float, part: Path) -> Iterator[None]:
    """Ends what takes too long, in the main thread of a child; a configuration may ask for more than anyone has."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise ProbeFailure("oom", f"{part.name}: its architecture was not built within {limit_s:g} s: too large")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
