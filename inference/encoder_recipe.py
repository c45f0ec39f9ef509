"""What defines a sentence encoder, read from its files without torch: weights, pooling, length, dimension."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graph.digest import digest_of
from graph.errors import ModelError
from inference.models.digests import FileDigests

_LARGEST_JSON_BYTES: Final = 4 << 20
_LARGEST_LENGTH: Final = 1 << 20
_WITHOUT_MEANING: Final = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures")
"""Fields of config.json that change no vector."""
_LENGTH_FILES: Final = (
    "sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json",
    "sentence_camembert_config.json", "sentence_albert_config.json", "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)  # fmt: skip
_VOCABULARIES: Final = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model")
_POOLINGS: Final = {
    "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max", "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}  # fmt: skip


@dataclass(frozen=True)
class EncoderInfo:
    """Which encoder: `digest` covers weights, vocabulary, pooling and length, not the runtime."""

    name: str
    digest: str
    dimension: int
    max_tokens: int


@dataclass(frozen=True)
class _Module:
    """One module of modules.json: its kind (last word of its class), its folder, its settings."""

    kind: str
    folder: str
    config: dict[str, Any]


def read_recipe(folder: Path, name: str, digests: FileDigests) -> tuple[EncoderInfo, Path]:
    """What the encoder in this folder is, from its files alone, and the folder of its transformer.

    A folder without modules.json is a plain transformer: mean pooling over its last layer, as
    sentence-transformers does it.

    Raises
    ------
    ModelError
        The files are missing, malformed, or not those of a sentence encoder.
    """
    modules = _modules(folder, name)
    transformer = folder / modules[0].folder
    config = _json(transformer / "config.json", name)
    weights = sorted(path for path in transformer.glob("model*.safetensors") if path.is_file())
    if not weights:
        raise ModelError(f"encoder {name}: no model.safetensors: only safetensors weights are loaded")
    length = _length(transformer, config, name)
    dimension = _dimension(modules, config, name)
    prompts = _json(folder / "config_sentence_transformers.json", name, needed=False)
    recipe = {
        "weights": {path.name: digests.of(path.resolve()) for path in weights},
        "vocabulary": {
            file: digests.of((transformer / file).resolve()) for file in _VOCABULARIES if (transformer / file).is_file()
        },
        "config": {key: value for key, value in config.items() if key not in _WITHOUT_MEANING},
        "lower_case": bool(_json(transformer / _LENGTH_FILES[0], name, needed=False).get("do_lower_case")),
        "modules": [
            [module.kind, module.config, _module_weights(folder / module.folder, transformer, digests)]
            for module in modules[1:]
        ],
        "prompt": (prompts.get("prompts") or {}).get(str(prompts.get("default_prompt_name"))),
        "max_tokens": length,
        "normalised": True,
    }
    return EncoderInfo(name, digest_of(recipe), dimension, length), transformer


def _modules(folder: Path, name: str) -> list[_Module]:
    file = folder / "modules.json"
    if not file.is_file():
        return [_Module("Transformer", "", {}), _Module("Pooling", "", {"pooling": ["mean"]})]
    listed = _read(file, name)
    if not isinstance(listed, list) or not listed or not all(isinstance(entry, dict) for entry in listed):
        raise ModelError(f"encoder {name}: modules.json is not a list of modules")
    modules = []
    for entry in listed:
        reference, path = str(entry.get("type", "")), str(entry.get("path", ""))
        if not reference.startswith("sentence_transformers."):
            raise ModelError(f"encoder {name}: module {reference[:80]!r} would need code of its own: not supported")
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise ModelError(f"encoder {name}: module path {path[:80]!r} leads out of its folder")
        kind = reference.rpartition(".")[2]
        config = {} if kind == "Transformer" else _module_config(folder / path / "config.json", kind, name)
        modules.append(_Module(kind, path, config))
    if modules[0].kind != "Transformer":
        raise ModelError(f"encoder {name}: its first module is {modules[0].kind}, not a Transformer: not supported")
    return modules


def _module_config(file: Path, kind: str, name: str) -> dict[str, Any]:
    """The settings of a module; older and newer spellings of pooling give the same."""
    config = _json(file, name, needed=False)
    if kind != "Pooling":
        return config
    modes = config.get("pooling_mode") or [mode for key, mode in _POOLINGS.items() if config.get(key)] or ["mean"]
    return {
        "pooling": [modes] if isinstance(modes, str) else list(modes),
        "include_prompt": bool(config.get("include_prompt", True)),
    }


def _module_weights(folder: Path, transformer: Path, digests: FileDigests) -> str | None:
    """The digest of a later module's own weights (a Dense layer); None where it has none."""
    file = folder / "model.safetensors"
    return digests.of(file.resolve()) if folder != transformer and file.is_file() else None


def _length(transformer: Path, config: dict[str, Any], name: str) -> int:
    """Tokens read before truncation: the declared length, else the smaller of tokenizer's and positions."""
    tokenizer = _json(transformer / "tokenizer_config.json", name, needed=False)
    for file in _LENGTH_FILES:
        declared = _json(transformer / file, name, needed=False)
        length = declared.get("max_seq_length") or (declared.get("processor_kwargs") or {}).get("model_max_length")
        if length:
            return _count(length, "max_seq_length", name)
    known = [tokenizer.get("model_max_length"), config.get("max_position_embeddings")]
    lengths = [int(value) for value in known if isinstance(value, int | float) and 0 < value <= _LARGEST_LENGTH]
    if not lengths:
        raise ModelError(f"encoder {name}: its files name no length limit: set max_seq_length in {_LENGTH_FILES[0]}")
    return min(lengths)


def _dimension(modules: list[_Module], config: dict[str, Any], name: str) -> int:
    """Length of the vectors: the last Dense layer's output, else the hidden size times the poolings."""
    for module in reversed(modules):
        if module.kind == "Dense":
            return _count(module.config.get("out_features"), "out_features", name)
    hidden = next((config[key] for key in ("hidden_size", "d_model", "dim", "n_embd") if key in config), None)
    poolings = [len(module.config["pooling"]) for module in modules if module.kind == "Pooling"]
    return _count(hidden, "hidden_size", name) * (poolings[0] if poolings else 1)


def _count(value: object, field: str, name: str) -> int:
    if not isinstance(value, int) or not 0 < value <= _LARGEST_LENGTH:
        raise ModelError(f"encoder {name}: {field} is {str(value)[:40]!r}, not a number that makes sense")
    return value


def _json(file: Path, name: str, *, needed: bool = True) -> dict[str, Any]:
    """A JSON object of the model; an optional file that is not there gives an empty one."""
    if not needed and not file.is_file():
        return {}
    content = _read(file, name)
    if not isinstance(content, dict):
        raise ModelError(f"encoder {name}: {file.name} is not a JSON object")
    return content


def _read(file: Path, name: str) -> Any:
    try:
        if file.stat().st_size > _LARGEST_JSON_BYTES:
            raise ModelError(f"encoder {name}: {file.name} is larger than {_LARGEST_JSON_BYTES >> 20} MiB")
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "a sentence encoder is a folder with config.json"
        raise ModelError(f"encoder {name}: {file.name}: {error.strerror}: {hint}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"encoder {name}: {file.name} is not valid JSON") from error
