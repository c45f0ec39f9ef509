"""Pre-flight: what a model's bytes must not hold, decided before any library opens them.

The names of files, their sizes, and the JSON that a loader would read: bounded in size and depth, with no code asked
for, and with no number in a configuration that no publisher ever gave. Weight files have their own rules in `tensors`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from graph.errors import ModelError
from inference.models.files import (
    LARGEST_FILE_BYTES,
    FileProblem,
    Listing,
    ModelFile,
    UnreadableError,
    parse_json,
    printable,
    read_bounded,
)
from inference.models.weights import LARGEST_INDEX_BYTES

DEEPEST_JSON: Final = 64
"""The default configurations of transformers have at most 6 levels."""
LARGEST_JSON_BYTES: Final = 4 << 20
LARGEST_VOCABULARY_BYTES: Final = 64 << 20
"""Vocabularies of 256,000 entries have 34 MB."""
STAGED: Final = (
    ".safetensors", ".json", ".txt", ".model", ".jinja", ".tiktoken", ".bpe", ".codes", ".spm", ".vocab",
)  # fmt: skip
"""Files that a model may be made of here: no code and no pickle is ever staged."""
NEVER_STAGED: Final = re.compile(
    r"(?:^|/)(?:adapter_config|trainer_state|all_results|train_results|eval_results)\.json$|\.(?:bin|pt)\.index\.json$",
    re.IGNORECASE,
)
"""An adapter's configuration makes transformers load its base from elsewhere; the others only describe."""
_CODE: Final = (".py", ".pyc", ".so", ".sh", ".dll", ".pyd")
_VOCABULARY: Final = re.compile(r"(?:^|/)(?:tokenizer|vocab\w*|merges|added_tokens|spiece|sentencepiece)[\w.-]*$")
_CONFIGURATION: Final = re.compile(r"(?:^|/)(?:config|model_index|modules|\w*config\w*)\.json$")
_FREE: Final = re.compile(r"(?:^|/)(?:tokenizer_config|generation_config)\.json$")
"""Their largest numbers mean "no limit"."""
_LARGEST: Final = (
    (re.compile(r"(?:^|_)(?:n_|num_)?(?:hidden_)?(?:layers?|blocks?|stages)$|^depths?$|^layers_per_block$"), 1_000),
    (re.compile(r"(?:heads?|num_key_value_heads|num_channels|in_channels|out_channels)$"), 1 << 20),
    (re.compile(r"(?:num_labels|num_classes)$"), 1 << 20),
    (re.compile(r"(?:image_size|sample_size|resolution|patch_size|kernel_size|stride|crop_size)s?$"), 1 << 14),
    (re.compile(r"(?:size|dim|width|channels|embd?|d_model|d_ff|d_kv|d_inner|positions?|position_embeddings|n_ctx|"
                r"experts?|frames|queries|rank|buckets|bins|codebooks?|filters)s?$"), 1 << 24),
)  # fmt: skip
"""Largest numbers in a configuration, by key, first match: several times those of the largest published models."""
_LONGEST_LIST: Final = 1_000
_MOST_LABELS: Final = 100_000
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_ACTIVATION: Final = re.compile(r"torch\.nn\.[\w.]{1,80}")
_MODULE: Final = re.compile(r"sentence_transformers\.(?:[a-z]\w{0,60}\.){0,6}[A-Z]\w{0,80}")
"""A class by its name: what else lies in the library's modules (functions, other libraries) is none of a model's."""


@dataclass(frozen=True)
class Refusal:
    """Why a model is not loaded: a reason code, one line that names the file, and whether it asks for own code."""

    code: str
    reason: str
    is_code: bool = False


def find_refusal(listing: Listing) -> Refusal | None:
    """The first thing, by name of the file, for which a model is not loaded; None where nothing speaks against it."""
    for problem in listing.problems:
        if problem.code in ("escape", "too_many_files", "too_large"):
            return _unsafe(problem.reason)
    for file in listing.files:
        if is_staged(file.name) and not file.name.endswith(".safetensors"):
            refusal = _refusal_of(file)
            if refusal is not None:
                return refusal
    return None


def is_staged(name: str) -> bool:
    """Whether a file of this name is ever shown to a child."""
    return name.lower().endswith(STAGED) and NEVER_STAGED.search(name) is None


def notes_on(listing: Listing) -> tuple[str, ...]:
    """What is there and is knowingly left aside, as flags: code, chat templates, names that were not read."""
    names = [file.name.lower() for file in listing.files]
    found = {
        "code_ignored": any(name.endswith(_CODE) for name in names),
        "chat_template": any(name.endswith(".jinja") for name in names),
        "files_not_read": any(problem.code in ("not_regular", "odd_name", "too_deep", "unreadable")
                              for problem in listing.problems),
    }  # fmt: skip
    return tuple(flag for flag, true in found.items() if true)


def without_oversized(listing: Listing) -> Listing:
    """The listing with the text files that are too large moved to its problems, so that nothing reads them."""
    large = {file.name for file in listing.files if file.size_bytes > _most_bytes(file.name)}
    found = [
        FileProblem(
            file.name,
            "too_large",
            f"{file.name} has {file.size_bytes} bytes; at most {_most_bytes(file.name)} are read",
        )
        for file in listing.files
        if file.name in large
    ]
    files = tuple(file for file in listing.files if file.name not in large)
    return Listing(files, (*listing.problems, *found))


def _most_bytes(name: str) -> int:
    """How large a file of this name may be; weights and what is never staged have the bound of all files."""
    lowered = name.lower()
    if not is_staged(name) or lowered.endswith(".safetensors"):
        return LARGEST_FILE_BYTES
    if lowered.endswith(".index.json"):
        return LARGEST_INDEX_BYTES
    return LARGEST_VOCABULARY_BYTES if _VOCABULARY.search(name) or not lowered.endswith(".json") else LARGEST_JSON_BYTES


def _refusal_of(file: ModelFile) -> Refusal | None:
    """What speaks against one file that a loader would read as text or JSON."""
    if not file.name.lower().endswith(".json"):
        return None
    try:
        data = read_bounded(file, _most_bytes(file.name))
        depth = json_depth(data)
        if depth > DEEPEST_JSON:
            what = f"{file.name} is nested {depth} levels deep; at most {DEEPEST_JSON} are read"
            return _unsafe(what)
        if _CONFIGURATION.search(file.name) is None:
            return None
        config = parse_json(data, file.name)
    except UnreadableError as error:
        return Refusal("not_runnable", str(error))
    except ModelError as error:
        return Refusal("load_failed", str(error))
    return _refused_words(file.name, config) or _refused_numbers(file.name, config)


def json_depth(data: bytes) -> int:
    """How deeply the brackets of a JSON text are nested, those in strings left out; nothing is parsed.

    Examples
    --------
    >>> json_depth(b'{"a": [[1], "[[["]}')
    3
    """
    import numpy as np

    step_of = np.zeros(256, dtype=np.int8)
    step_of[list(b"[{")], step_of[list(b"]}")] = 1, -1
    steps = step_of[np.frombuffer(_STRING.sub(b"", data), dtype=np.uint8)]
    return int(np.cumsum(steps[steps != 0], dtype=np.int64).max(initial=0))


def _refused_words(name: str, config: Any) -> Refusal | None:
    """Words in a configuration that make a library import or read what is not its own."""
    for key, value in _items(config):
        whole = str(value)
        text = whole[:100]  # what a message shows; what is judged is all of it
        if key == "auto_map" and value and name.rpartition("/")[2] == "config.json":
            return _asks_for_code(f"{name} asks for the repository's own code (auto_map), which is never run")
        if key == "custom_pipelines" and value:
            return _asks_for_code(f"{name} asks for a pipeline of its own (custom_pipelines), which is never run")
        if key.endswith(("activation_function", "activation_fn")) and "." in whole and not _ACTIVATION.fullmatch(whole):
            return _asks_for_code(f"{name} names code ({text!r}) as {key[:80]}, which is never run")
        if key.endswith(("attn_implementation", "experts_implementation")) and "/" in whole:
            return _asks_for_code(f"{name} names code ({text!r}) as {key[:80]}, which is never fetched")
        if name == "modules.json" and key == "type" and not _MODULE.fullmatch(whole):
            return _asks_for_code(
                f"{name} names the module {text!r}, which is none of sentence-transformers: never run"
            )
        if name == "modules.json" and key == "path" and (".." in whole or whole.startswith("/") or "\\" in whole):
            return _unsafe(f"{name} points out of its folder ({text!r}): refused")
    listed = config.get("_class_name") if isinstance(config, dict) else None
    if name == "model_index.json" and isinstance(listed, list):
        return _asks_for_code(f"{name} names a pipeline of its own ({str(listed)[:80]}), which is never run")
    return None


def _unsafe(reason: str) -> Refusal:
    return Refusal("unsafe_refused", printable(reason))


def _asks_for_code(reason: str) -> Refusal:
    return Refusal("unsafe_refused", printable(reason), is_code=True)


def _refused_numbers(name: str, config: Any) -> Refusal | None:
    """A number in a configuration that is larger than any publisher's, or a list that is longer."""
    if _FREE.search(name):
        return None
    for key, value in _items(config):
        if key in ("id2label", "label2id") and isinstance(value, dict) and len(value) > _MOST_LABELS:
            return _unsafe(f"{name} names {len(value)} labels; at most {_MOST_LABELS} are read")
        largest = next((most for pattern, most in _LARGEST if pattern.search(key)), None)
        if largest is None:
            continue
        numbers = value if isinstance(value, list) else [value]
        if len(numbers) > _LONGEST_LIST:
            return _unsafe(f"{name} lists {len(numbers)} {key[:80]}; at most {_LONGEST_LIST} are built")
        for number in numbers:
            if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) > largest:
                return _unsafe(f"{name} gives {key[:80]} = {str(number)[:30]}; at most {largest} is built")
    return None


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of every object in a JSON value with what it stands for; the JSON's depth is bounded already."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            yield from one.items()
            pending += one.values()
        elif isinstance(one, list):
            pending += one
