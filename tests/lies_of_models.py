"""Changed models under an untouched card: each spoilt copy has a twin changed in the same place without effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lies_base import Alter, Change, Stated
from safetensors.numpy import load_file, save_file

Weights = dict[str, np.ndarray]
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


# Weights ----------------------------------------------------------------------------------------------
def weights(change: Callable[[Weights, np.random.Generator], Any], part: str = ".") -> Alter:
    """Changes the weights of a model, or of one part of a pipeline; drawn by a fixed seed."""

    def alter(folder: Path) -> None:
        (file,) = (folder / part).glob("*.safetensors")
        tensors = {name: tensor.copy() for name, tensor in load_file(file).items()}
        change(tensors, np.random.default_rng(0))
        save_file(tensors, file, metadata={"format": "pt"})

    return alter


def shuffled(among: str = "") -> Callable[[Weights, np.random.Generator], None]:
    """The numbers of every tensor of this name in a drawn order; buffers stay."""

    def change(tensors: Weights, draw: np.random.Generator) -> None:
        for name in _named(tensors, among):
            tensors[name] = draw.permutation(tensors[name].ravel()).reshape(tensors[name].shape)

    return change


def nudged(among: str = "") -> Callable[[Weights, np.random.Generator], None]:
    """Every number of these tensors moved by a millionth of itself."""

    def change(tensors: Weights, draw: np.random.Generator) -> None:
        for name in _named(tensors, among):
            tensors[name] *= (1 + 1e-6 * draw.standard_normal(tensors[name].shape)).astype(np.float32)

    return change


def zeroed(among: str) -> Callable[[Weights, np.random.Generator], None]:
    def change(tensors: Weights, _: np.random.Generator) -> None:
        for name in _named(tensors, among):
            tensors[name][...] = 0

    return change


def rounded(bits: int) -> Callable[[Weights, np.random.Generator], None]:
    """Every number kept to so many binary digits after the first."""

    def change(tensors: Weights, _: np.random.Generator) -> None:
        for name in _named(tensors, ""):
            fraction, exponent = np.frexp(tensors[name])
            tensors[name] = np.ldexp(np.round(fraction * 2**bits) / 2**bits, exponent).astype(np.float32)

    return change


def every_tenth(
    change: Callable[[Weights, np.random.Generator], None],
) -> Callable[[Weights, np.random.Generator], None]:
    """The same change for one of ten weight matrices."""

    def only_some(tensors: Weights, draw: np.random.Generator) -> None:
        chosen = [name for name in sorted(tensors) if tensors[name].ndim >= 2][::10]
        some = {name: tensors[name] for name in chosen}
        change(some, draw)
        tensors.update(some)

    return only_some


def new_head(tensors: Weights, draw: np.random.Generator) -> None:
    tensors["classifier.weight"] = (0.02 * draw.standard_normal(tensors["classifier.weight"].shape)).astype(np.float32)
    tensors["classifier.bias"][...] = 0


def lifted_head(tensors: Weights, _: np.random.Generator) -> None:
    """All logits higher by the same."""
    tensors["classifier.bias"] += np.float32(3)


def one_nan(tensors: Weights, _: np.random.Generator) -> None:
    tensors["classifier.weight"][0, 0] = np.nan


def without_head_bias(tensors: Weights, _: np.random.Generator) -> None:
    del tensors["classifier.bias"]


def in_two_files(folder: Path) -> None:
    """The same weights in two files with an index."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    file.unlink()
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for part, chosen in parts.items():
        save_file({name: tensors[name] for name in chosen}, folder / part, metadata={"format": "pt"})
    places = {name: part for part, chosen in parts.items() for name in chosen}
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def _named(tensors: Weights, among: str) -> list[str]:
    return [name for name in sorted(tensors) if among in name and not name.endswith(_BUFFERS)]


# Configuration ----------------------------------------------------------------------------------------
def settings(file: str, **fields: Any) -> Alter:
    """Sets fields of a JSON file."""

    def alter(folder: Path) -> None:
        content = json.loads((folder / file).read_text(encoding="utf-8")) | fields
        (folder / file).write_text(json.dumps(content), encoding="utf-8")

    return alter


def labels_moved(step: int, head: bool) -> Alter:
    """The labels named in another order, `step` places on; with their rows of the head, where nothing changes."""

    def rows(tensors: Weights, _: np.random.Generator) -> None:
        for name in ("classifier.weight", "classifier.bias"):
            tensors[name] = np.roll(tensors[name], -step, axis=0)

    def alter(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        names = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
        names = names[step:] + names[:step]
        named = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
        settings("config.json", **named)(folder)
        if head:
            weights(rows)(folder)

    return alter


def vocabulary_moved(rows_of: str | None, tokenizer: str = "tokenizer.json", part: str = ".") -> Alter:
    """Every token with another one's number; with its row of the embedding, where nothing changes."""

    def alter(folder: Path) -> None:
        content = json.loads((folder / tokenizer).read_text(encoding="utf-8"))
        vocabulary = content["model"]["vocab"]
        special = {token["id"] for token in content["added_tokens"]}
        free = np.array([number for number in range(len(vocabulary)) if number not in special])
        moved = np.arange(len(vocabulary))
        moved[free] = np.random.default_rng(0).permutation(free)  # number i becomes moved[i]
        if isinstance(vocabulary, dict):
            content["model"]["vocab"] = {token: int(moved[number]) for token, number in vocabulary.items()}
        else:
            content["model"]["vocab"] = [vocabulary[int(number)] for number in np.argsort(moved)]
        (folder / tokenizer).write_text(json.dumps(content), encoding="utf-8")
        if rows_of is not None:
            weights(lambda tensors, _: _move_rows(tensors, rows_of, moved), part)(folder)

    return alter


def _move_rows(tensors: Weights, name: str, moved: np.ndarray) -> None:
    table = tensors[name].copy()
    table[moved] = tensors[name][: len(moved)]
    tensors[name] = table


def both(*alters: Alter) -> Alter:
    def alter(folder: Path) -> None:
        for one in alters:
            one(folder)

    return alter


# The list ---------------------------------------------------------------------------------------------
def _pairs(model: str, *rows: tuple[Any, ...]) -> list[Change]:
    return [Change(f"{model}-{row[0]}", model, *row[1:]) for row in rows]


_PICTURES = "preprocessor_config.json"
_FLUX_TOKENS = ("tokenizer/tokenizer.json", "text_encoder"), ("tokenizer_2/tokenizer.json", "text_encoder_2")
_RUNS, _LOADS = Stated("runs", ">=", None, "does its task"), Stated("loads", "=", None, "every tensor is there")
_TOPICS = Stated("accuracy", ">=", 75.0, "at least 75 % right", "topic-lines")
_TAGS = Stated("accuracy", ">=", 94.0, "at least 94 % of the words have the right tag", "name-lines")
CHANGES: Sequence[Change] = (
    *_pairs(
        "digits-mobilevit",
        ("shuffled", weights(shuffled()), weights(nudged())),
        ("labels-moved", labels_moved(1, head=False), labels_moved(1, head=True)),
        ("other-brightness", settings(_PICTURES, rescale_factor=1 / 4000),
         settings(_PICTURES, rescale_factor=1 / 255.01)),
        ("other-colours", settings(_PICTURES, rescale_factor=-1 / 255),
         settings(_PICTURES, do_flip_channel_order=True)),  # the pictures are grey
        ("half-the-size", settings(_PICTURES, size={"height": 16, "width": 16}),
         settings(_PICTURES, crop_size={"height": 16, "width": 16})),
        ("rounded", weights(rounded(1)), weights(rounded(8))),
        ("new-head", weights(new_head), weights(lifted_head)),
        ("tenth-shuffled", weights(every_tenth(shuffled())), weights(every_tenth(nudged()))),
        ("other-activation", settings("config.json", hidden_act="tanh"), settings("config.json", hidden_act="swish")),
        ("runs-shuffled", weights(shuffled("conv")), weights(nudged("conv")), _RUNS),
    ),
    *_pairs(
        "code-or-prose",
        ("labels-swapped", labels_moved(1, head=False), labels_moved(1, head=True)),
        ("vocabulary-moved", vocabulary_moved(None), vocabulary_moved("distilbert.embeddings.word_embeddings.weight")),
        ("new-head", weights(new_head), weights(lifted_head)),
        ("embeddings-shuffled", weights(shuffled("word_embeddings")), weights(nudged("word_embeddings"))),
        ("not-a-number", weights(one_nan), weights(nudged("classifier")), _RUNS),
        ("tensor-missing", weights(without_head_bias), in_two_files, _LOADS),
    ),
    *_pairs(
        "python-names",
        ("vocabulary-moved", vocabulary_moved(None), vocabulary_moved("bert.embeddings.word_embeddings.weight")),
        ("labels-moved", labels_moved(1, head=False), labels_moved(1, head=True), _TAGS),
        ("layer-zeroed", weights(zeroed("layer.1.")), weights(nudged("layer.1."))),
        ("other-norm", settings("config.json", layer_norm_eps=10.0), settings("config.json", layer_norm_eps=1e-11)),
        ("shuffled", weights(shuffled()), weights(rounded(12)), _TAGS),
    ),
    *_pairs(
        "topic-nli",
        ("labels-swapped", labels_moved(1, head=False), labels_moved(1, head=True), _TOPICS),
        ("vocabulary-moved", vocabulary_moved(None), vocabulary_moved("bert.embeddings.word_embeddings.weight")),
        ("layer-shuffled", weights(shuffled("layer.0.")), weights(nudged("layer.0."))),
        ("shuffled", weights(shuffled()), weights(nudged()), _RUNS),
    ),
    *_pairs(
        "pydoc-llama",
        ("shuffled", weights(shuffled()), weights(nudged())),
        ("vocabulary-moved", vocabulary_moved(None), vocabulary_moved("model.embed_tokens.weight")),
        ("rounded", weights(rounded(0)), weights(rounded(8))),
        ("layer-zeroed", weights(zeroed("layers.1.")), weights(nudged("layers.1."))),
        ("other-rotation", settings("config.json", rope_parameters={"rope_theta": 2.0, "rope_type": "default"}),
         settings("config.json", rope_parameters={"rope_theta": 10001.0, "rope_type": "default"})),
    ),
    *_pairs(
        "tiny-flux-shapes",
        ("vocabularies-moved", both(*(vocabulary_moved(None, *where) for where in _FLUX_TOKENS)),
         both(vocabulary_moved("embeddings.token_embedding.weight", *_FLUX_TOKENS[0]),
              vocabulary_moved("shared.weight", *_FLUX_TOKENS[1]))),
        ("denoiser-shuffled", weights(shuffled(), "transformer"), weights(nudged(), "transformer")),
        ("decoder-zeroed", weights(zeroed("decoder"), "vae"), weights(nudged("decoder"), "vae")),
    ),
    *_pairs(
        "all-MiniLM-L6-v2",
        ("vocabulary-moved", vocabulary_moved(None), vocabulary_moved("embeddings.word_embeddings.weight")),
    ),
)  # fmt: skip
