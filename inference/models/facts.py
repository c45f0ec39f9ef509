"""What the files of a model say by themselves: format, size, parameters, task, labels, dimensions, context.

Nothing is loaded and nothing is run: configurations and headers are read, bounded, from regular files inside the
model's folder or its cache. No torch is imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from graph.errors import ModelError
from inference.models.architectures import bounded_count, label_names, task_of_architecture, task_of_pipeline
from inference.models.estimate import excess_of
from inference.models.files import (
    FileProblem,
    Listing,
    ModelFile,
    UnreadableError,
    list_files,
    printable,
    read_json,
)
from inference.models.headers import Tensor, gguf_header, safetensors_tensors
from inference.models.preflight import find_refusal, is_staged, notes_on, without_oversized
from inference.models.weights import (
    CodeError,
    MissingError,
    OutsideError,
    PickledError,
    UnsafeError,
    format_of,
    main_safetensors,
    pipeline_weights,
    shards,
)

__all__ = ["FileProblem", "ModelFacts", "ModelFile", "inspect_model", "looks_like_model"]

_CONFIGS: Final = ("config.json", "model_index.json", "modules.json", "adapter_config.json")
_DTYPES: Final = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "uint8"}
_FLOATS: Final = frozenset({"f64", "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2"})
_EMBEDDING_TASKS: Final = frozenset(
    {"text.feature-extraction", "text.sentence-similarity", "vision.image-feature-extraction"}
)
_PICKLED_ONLY: Final = "only pickled weights, which can run code: convert it to safetensors, or --trust its name"
_CLASSIFIERS: Final = ("Classification", "ForMultipleChoice")


@dataclass(frozen=True)
class ModelFacts:
    """What the files of one model say.

    `kind` is the form of the weights that would be used: safetensors, pickle, gguf, onnx, adapter, other or none;
    `formats` all forms that lie there. `size_bytes` counts the weight files of that kind. `parameters` counts the
    elements of tensors that are trained (buffers left out; None where weights are packed). `task` is `domain.task`.
    `loadable` means that a library here can load it without running its code; if not, `reason` says why.
    `asks_for_code` tells a model that is refused for code of its own from one refused for anything else.
    `ignored` names pickles beside safetensors; `problems` names files that were not used; `flags` what was knowingly
    left aside (code_ignored, chat_template, files_not_read) or is odd (odd_label_names: some move a cursor).
    """

    kind: str
    formats: tuple[str, ...]
    size_bytes: int
    parameters: int | None = None
    dtype: str | None = None
    library: str | None = None
    architecture: str | None = None
    model_type: str | None = None
    task: str | None = None
    labels: int | None = None
    dimensions: int | None = None
    context: int | None = None
    files: tuple[ModelFile, ...] = ()
    loadable: bool = False
    reason: str = ""
    reason_code: str | None = None
    base_model: str | None = None
    label_names: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    problems: tuple[FileProblem, ...] = ()
    flags: tuple[str, ...] = ()
    asks_for_code: bool = False


def looks_like_model(directory: Path) -> bool:
    """True if a folder directly holds a model's configuration or weights."""
    try:
        names = [entry.name for entry in directory.iterdir()]
    except OSError:
        return False
    return any(name in _CONFIGS or format_of(name) in ("safetensors", "gguf", "onnx", "pickle") for name in names)


def inspect_model(path: Path) -> ModelFacts:
    """The facts of a model's folder: a plain one, or a snapshot in a Hugging Face cache.

    What is wrong with the model is told by `reason` and `reason_code`, so that every model gets its facts.

    Raises
    ------
    ModelError
        The folder itself cannot be read.
    """
    listing = without_oversized(list_files(path))
    facts = _outline(listing)
    refusal = find_refusal(listing)
    if refusal is not None:
        return replace(
            facts, loadable=False, reason=refusal.reason, reason_code=refusal.code, asks_for_code=refusal.is_code
        )
    try:
        return _without_unsound(_with_details(facts, listing))
    except OutsideError as error:
        problems = (*facts.problems, FileProblem(error.name, "escape", str(error)))
        return replace(facts, reason=str(error), reason_code="unsafe_refused", problems=problems)
    except PickledError as error:
        return replace(facts, kind="pickle", reason=str(error), reason_code="unsafe_refused")
    except UnsafeError as error:
        asks = isinstance(error, CodeError)
        return replace(facts, reason=str(error), reason_code="unsafe_refused", asks_for_code=asks)
    except MissingError as error:
        return replace(facts, reason=str(error), reason_code="no_weights")
    except UnreadableError as error:
        return replace(facts, reason=str(error), reason_code="not_runnable")
    except ModelError as error:
        return replace(facts, reason=str(error), reason_code="load_failed")


def _without_unsound(facts: ModelFacts) -> ModelFacts:
    """The facts of a loadable model without its other weight files that are unsound: a library may open any of them."""
    if not facts.loadable:
        return facts
    unsound = []
    for file in facts.files:
        if file.name.endswith(".safetensors") and is_staged(file.name):
            try:
                safetensors_tensors(file.path, file.name)
            except ModelError as error:
                unsound.append(FileProblem(file.name, "unsound", str(error)))
    names = {problem.name for problem in unsound}
    files = tuple(file for file in facts.files if file.name not in names)
    return replace(facts, files=files, problems=(*facts.problems, *unsound))


def trusted_pickle(facts: ModelFacts) -> ModelFacts:
    """The facts of a model whose pickled weights the user trusts by name: loadable, where only the pickle forbade it.

    They are loaded with `weights_only=True` and in the sandbox all the same.
    """
    if facts.kind != "pickle" or facts.reason != _PICKLED_ONLY or facts.library != "transformers":
        return facts
    return replace(facts, loadable=True, reason="", reason_code=None, flags=(*facts.flags, "pickle_trusted"))


def _outline(listing: Listing) -> ModelFacts:
    """Kind, formats, sizes: what names and sizes alone tell."""
    weights = {file.name: form for file in listing.files if (form := format_of(file.name)) is not None}
    formats = tuple(sorted(set(weights.values())))
    if listing.named("adapter_config.json") and not listing.named("config.json"):
        kind = "adapter"
    else:
        kind = next((form for form in ("safetensors", "gguf", "onnx", "pickle") if form in formats), None) or (
            "other" if formats else "none"
        )
    ignored = tuple(name for name, form in weights.items() if form == "pickle") if kind == "safetensors" else ()
    counted = [file for file in listing.files if _counts(weights.get(file.name), kind)]
    size_bytes = sum({file.path: file.size_bytes for file in counted}.values())
    return ModelFacts(
        kind, formats, size_bytes, files=listing.files, ignored=ignored, problems=listing.problems,
        flags=notes_on(listing),
    )  # fmt: skip


def _counts(form: str | None, kind: str) -> bool:
    """True if a file of this form is among the weights of a model of this kind."""
    if kind == "adapter":
        return form in ("safetensors", "pickle")
    return form is not None and (form == kind or kind == "other")


def _with_details(facts: ModelFacts, listing: Listing) -> ModelFacts:
    if listing.named("model_index.json"):
        return _diffusers(facts, listing)
    if facts.kind == "adapter":
        return _adapter(facts, listing)
    config_file = listing.named("config.json")
    config = read_json(config_file) if config_file else {}
    facts = _from_config(facts, config, listing)
    if facts.kind == "safetensors":
        return _safetensors(facts, config, listing)
    if facts.kind == "gguf":
        return _gguf(facts)
    return _not_loadable(facts, listing)


def _from_config(facts: ModelFacts, config: dict[str, Any], listing: Listing) -> ModelFacts:
    """Facts of a transformers configuration; of its sentence-transformers modules where it has some."""
    names = config.get("architectures")
    architecture = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
    model_type = config.get("model_type") if isinstance(config.get("model_type"), str) else None
    task, library = task_of_architecture(architecture, model_type), "transformers" if model_type else None
    if listing.named("modules.json"):
        task, library = "text.sentence-similarity", "sentence-transformers"
    elif library is None and isinstance(config.get("architecture"), str) and "num_classes" in config:
        architecture, library, task = str(config["architecture"]), "timm", "vision.image-classification"
    labels = None
    if architecture and (library == "timm" or any(word in architecture for word in _CLASSIFIERS)):
        labels = len(label_names(config)) or bounded_count(config, "num_labels", "num_classes")
    inner = config.get("text_config")
    nested = inner if isinstance(inner, dict) else {}
    positions = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_target_positions")
    dimensions = bounded_count(config, "hidden_size", "d_model", "n_embd", "dim") if task in _EMBEDDING_TASKS else None
    called = label_names(config) if labels else ()
    odd = ("odd_label_names",) if any(not name.isprintable() for name in called) else ()
    if library == "sentence-transformers":
        dimensions = _sentence_dimensions(listing) or dimensions
    return replace(
        facts, architecture=architecture and printable(architecture[:200]), task=task,
        model_type=model_type and printable(model_type[:100]),
        library=library, labels=labels, label_names=called, flags=(*facts.flags, *odd), dimensions=dimensions,
        context=bounded_count(config, *positions) or bounded_count(nested, *positions),
    )  # fmt: skip


def _sentence_dimensions(listing: Listing) -> int | None:
    """The length of a sentence-transformers embedding: of the last dense layer, else of the pooling."""
    found = None
    for file in listing.files:
        folder, _, name = file.name.rpartition("/")
        if name == "config.json" and folder.endswith(("_Pooling", "_Dense")):
            wanted = ("word_embedding_dimension", "embedding_dimension", "out_features")
            found = bounded_count(read_json(file), *wanted) or found
    return found


def _safetensors(facts: ModelFacts, config: dict[str, Any], listing: Listing) -> ModelFacts:
    used = main_safetensors(listing, config)
    tensors = [tensor for file in used for tensor in safetensors_tensors(file.path, file.name)]
    packed = "quantization_config" in config or any(
        tensor.dtype not in _FLOATS and not tensor.is_buffer and tensor.elements > 4096 for tensor in tensors
    )
    facts = replace(
        facts, size_bytes=sum({file.path: file.size_bytes for file in used}.values()), dtype=_main_dtype(tensors),
        parameters=None if packed else sum(tensor.elements for tensor in tensors if not tensor.is_buffer),
    )  # fmt: skip
    if not tensors:
        raise ModelError("its safetensors files hold no tensor: fetch the model again")
    if facts.library == "timm":
        return replace(facts, reason="a timm model: install timm to load it", reason_code="missing_dependency")
    if facts.library is None:
        what = "config.json names no model_type" if config else "there is no config.json beside the weights"
        return replace(facts, reason=f"{what}: no library knows how to build it", reason_code="not_runnable")
    excess = excess_of(config, facts.size_bytes)
    if excess:
        raise UnsafeError(excess)
    return replace(facts, loadable=True)


def _main_dtype(tensors: Iterable[Tensor]) -> str | None:
    """The type that holds most elements."""
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[tensor.dtype] += tensor.elements
    if not counts:
        return None
    most = min(counts, key=lambda dtype: (-counts[dtype], dtype))
    return _DTYPES.get(most, most)


def _gguf(facts: ModelFacts) -> ModelFacts:
    """Facts of the first GGUF file by name: others are mostly the same model in other precisions."""
    file = next(file for file in facts.files if file.name.endswith(".gguf"))
    header = gguf_header(file.path, file.name)
    name = header.fields.get("general.architecture")
    family = name[:100] if isinstance(name, str) else None
    task = "text.feature-extraction" if family and "bert" in family else "text.text-generation"
    context, width = header.fields.get(f"{family}.context_length"), header.fields.get(f"{family}.embedding_length")
    return replace(
        facts, library="gguf", architecture=facts.architecture or family, model_type=facts.model_type or family,
        task=facts.task or task, parameters=sum(tensor.elements for tensor in header.tensors),
        dtype=_main_dtype(header.tensors), context=context if isinstance(context, int) else None,
        dimensions=width if isinstance(width, int) and task == "text.feature-extraction" else None,
        reason="GGUF weights: no loader here reads them", reason_code="not_runnable",
    )  # fmt: skip


def _adapter(facts: ModelFacts, listing: Listing) -> ModelFacts:
    file = listing.named("adapter_config.json")
    config = read_json(file) if file else {}
    base = config.get("base_model_name_or_path")
    base_model = printable(base[:200]) if isinstance(base, str) and base else None
    weights = [file for file in listing.files if file.name.endswith(".safetensors")]
    tensors = [tensor for file in weights for tensor in safetensors_tensors(file.path, file.name)]
    kind = {"SEQ_CLS": "text-classification", "CAUSAL_LM": "text-generation", "TOKEN_CLS": "token-classification"}
    task = kind.get(str(config.get("task_type")))
    return replace(
        facts, library="peft", architecture=str(config.get("peft_type") or "adapter")[:100], base_model=base_model,
        task=f"text.{task}" if task else None, dtype=_main_dtype(tensors),
        parameters=sum(tensor.elements for tensor in tensors) if tensors else None,
        reason=f"an adapter: it needs its base model {base_model or '(not named)'}", reason_code="not_runnable",
    )  # fmt: skip


def _diffusers(facts: ModelFacts, listing: Listing) -> ModelFacts:
    """Facts of a diffusers pipeline: every component that has weights must have them as safetensors."""
    index = listing.named("model_index.json")
    table = read_json(index) if index else {}
    pipeline = table.get("_class_name")
    name = pipeline[:200] if isinstance(pipeline, str) else None
    facts = replace(facts, library="diffusers", architecture=name, task=task_of_pipeline(name))
    used = pipeline_weights(table, listing)
    if not used:
        return _not_loadable(facts, listing)
    tensors = [tensor for file in used for tensor in safetensors_tensors(file.path, file.name)]
    facts = replace(
        facts, size_bytes=sum({file.path: file.size_bytes for file in used}.values()), dtype=_main_dtype(tensors),
        parameters=sum(tensor.elements for tensor in tensors if not tensor.is_buffer),
    )  # fmt: skip
    if name is None:
        raise ModelError("model_index.json names no pipeline class: fetch the model again")
    return replace(facts, loadable=True)


def _not_loadable(facts: ModelFacts, listing: Listing) -> ModelFacts:
    """Why a model without safetensors is not loaded."""
    if facts.kind == "pickle":
        return replace(facts, reason=_PICKLED_ONLY, reason_code="unsafe_refused")
    if facts.kind != "none":
        found = ", ".join(facts.formats)
        return replace(facts, reason=f"weights only as {found}: no loader here reads them", reason_code="not_runnable")
    broken = [problem.name for problem in listing.problems if problem.code == "broken_link"]
    index = listing.named("model.safetensors.index.json")
    if index is not None:
        shards(index, listing)  # none is there: says which are missing, or that the index points elsewhere
    if broken:
        return replace(facts, reason=f"{broken[0]} links to nothing: fetch it again", reason_code="no_weights")
    return replace(facts, reason="no weights in it: fetch the model's weight files", reason_code="no_weights")
