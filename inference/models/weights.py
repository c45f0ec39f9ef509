"""Which of a model's files hold the weights that the libraries would load, and which part of them is not there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any, Final

from graph.errors import ModelError
from inference.models.files import Listing, ModelFile, read_json

LARGEST_INDEX_BYTES: Final = 32 << 20
_FORMATS: Final = {
    ".safetensors": "safetensors", ".gguf": "gguf", ".onnx": "onnx", ".bin": "pickle", ".pt": "pickle",
    ".pth": "pickle", ".ckpt": "pickle", ".pkl": "pickle", ".pickle": "pickle", ".joblib": "pickle", ".h5": "keras",
    ".keras": "keras", ".msgpack": "flax", ".tflite": "tflite", ".mlmodel": "coreml", ".pb": "tensorflow",
    ".npz": "numpy", ".xml": "openvino",
}  # fmt: skip
_NO_WEIGHTS: Final = re.compile(r"(?:training_args\.bin|(?:optimizer|scheduler|rng_state\w*|scaler)\.(?:pt|bin|pth))$")
_PLAIN_LIBRARIES: Final = frozenset({"diffusers", "transformers"})
_PLAIN_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class UnsafeError(ModelError):
    """The files describe what is never built."""


class CodeError(UnsafeError):
    """The files ask for code that is never run."""


class PickledError(ModelError):
    """A part of the model is there only as a pickle."""


class MissingError(ModelError):
    """A part of the weights is not there."""


class OutsideError(ModelError):
    """A file points out of the model's folder."""

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        super().__init__(f"{name} {what}")


def format_of(name: str) -> str | None:
    """The form of weights that a file's name stands for; None for a file that holds none."""
    if _NO_WEIGHTS.search(name):
        return None
    if "openvino" in name and name.endswith((".bin", ".xml")):
        return "openvino"
    form = _FORMATS.get(Path(name).suffix.lower())
    return None if form == "openvino" else form


def main_safetensors(listing: Listing, config: dict[str, Any]) -> list[ModelFile]:
    """The weight files that transformers would load, sentence-transformers' further modules included.

    Raises
    ------
    ModelError
        A file that is named is not there, or lies elsewhere.
    """
    modules = [file for file in listing.files if re.fullmatch(r"\d+_\w+/model\.safetensors", file.name)]
    named = config.get("transformers_weights")  # the configuration itself may choose the file
    if named is not None:
        return [*_named_weights(str(named), listing), *modules]
    single = listing.named("model.safetensors")
    if single is not None:
        return [single, *modules]
    index = listing.named("model.safetensors.index.json")
    if index is not None:
        return [*shards(index, listing), *modules]
    root = [file for file in listing.files if file.name.endswith(".safetensors") and "/" not in file.name]
    return root or [file for file in listing.files if file.name.endswith(".safetensors")]


def _named_weights(name: str, listing: Listing) -> list[ModelFile]:
    """The weights that config.json names: a plain file of the folder, or an index of shards."""
    if not _is_plain(name):
        raise OutsideError("config.json", f"names weights out of its folder ({name[:100]!r}): refused")
    file = listing.named(name)
    if file is None or not name.endswith((".safetensors", ".safetensors.index.json")):
        raise MissingError(f"config.json names the weights {name[:100]!r}, which are not there: fetch them")
    return shards(file, listing) if name.endswith(".json") else [file]


def shards(index: ModelFile, listing: Listing) -> list[ModelFile]:
    """The shards that an index names: plain names in the same folder, all of them there.

    Raises
    ------
    ModelError
        It names none, one that is missing, or one that lies elsewhere.
    """
    folder = index.name[: index.name.rfind("/") + 1]
    table = read_json(index, LARGEST_INDEX_BYTES).get("weight_map")
    names = sorted({str(name) for name in table.values()}) if isinstance(table, dict) else []
    if not names:
        raise ModelError(f"{index.name} names no shards: fetch the model again")
    outside = [name for name in names if not _is_plain(name)]
    if outside:
        raise OutsideError(index.name, f"points out of its folder ({outside[0][:100]!r}): refused")
    there = {file.name: file for file in listing.files}
    missing = [name for name in names if folder + name not in there]
    if missing:
        raise MissingError(f"{len(missing)} of {len(names)} shards are missing ({missing[0][:100]!r}): fetch them")
    pickled = [name for name in names if not name.endswith(".safetensors")]
    if pickled:
        raise PickledError(f"{index.name} names {pickled[0][:100]!r}, which is no safetensors file: refused")
    return [there[folder + name] for name in names]


def _is_plain(name: str) -> bool:
    """True for the name of a file in the same folder."""
    return not (set("/\\\0") & set(name)) and name not in ("", ".", "..")


def pipeline_weights(table: dict[str, Any], listing: Listing) -> list[ModelFile]:
    """The weight files of a diffusers pipeline's components; `table` is its model_index.json.

    Raises
    ------
    ModelError
        A component is missing, has no weights or only pickled ones, or needs code from elsewhere.
    """
    used: list[ModelFile] = []
    for component, entry in sorted(table.items()):
        if component.startswith("_") or not isinstance(entry, list) or not entry or entry[0] is None:
            continue
        _refuse_foreign(component, entry)
        if any(file.name.startswith(f"{component}/") and format_of(file.name) for file in listing.files):
            used += _component_weights(component, listing)
        elif not any(file.name.startswith(f"{component}/") for file in listing.files):
            raise MissingError(f"component {component[:80]} is missing: fetch the model again")
        elif _needs_weights(str(entry[-1])):
            raise MissingError(f"component {component[:80]} ({str(entry[-1])[:80]}) has no weights: fetch them")
    return used


def _refuse_foreign(component: str, entry: list[Any]) -> None:
    """A component is a class of the two libraries, named plainly; diffusers' own pipeline modules count as its own."""
    if not _PLAIN_WORD.fullmatch(component):
        raise CodeError(f"model_index.json names a component {component[:80]!r}, which is no plain word: refused")
    library = str(entry[0])
    if library not in _PLAIN_LIBRARIES and not is_pipeline_module(library):
        raise CodeError(f"component {component[:80]} needs code from {library[:80]!r}, which is never run")
    if len(entry) != 2 or not _PLAIN_WORD.fullmatch(str(entry[1])):
        raise CodeError(f"component {component[:80]} names no plain class ({str(entry[1:])[:80]}): refused")


def is_pipeline_module(name: str) -> bool:
    """True for a module of diffusers' own pipelines, such as the `stable_diffusion` of its safety checker."""
    spec = importlib.util.find_spec("diffusers")
    if spec is None or spec.origin is None or not _PLAIN_WORD.fullmatch(name):
        return False
    return (Path(spec.origin).parent / "pipelines" / name / "__init__.py").is_file()


def _component_weights(component: str, listing: Listing) -> list[ModelFile]:
    for stem in ("diffusion_pytorch_model", "model"):
        single = listing.named(f"{component}/{stem}.safetensors")
        if single is not None:
            return [single]
        index = listing.named(f"{component}/{stem}.safetensors.index.json")
        if index is not None:
            return shards(index, listing)
    inside = [file for file in listing.files if file.name.startswith(f"{component}/")]
    safe = [file for file in inside if file.name.endswith(".safetensors")]
    if not safe:
        raise PickledError(
            f"component {component[:80]} has only pickled weights, which can run code: convert them to safetensors"
        )
    return safe


def _needs_weights(class_name: str) -> bool:
    """True for a component that is a network: not a scheduler, tokenizer, processor or feature extractor."""
    return not re.search(r"Scheduler|Tokenizer|Processor|FeatureExtractor|Guider|Config$", class_name)
