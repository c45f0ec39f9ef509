"""Model folders: facts from the files, words from the card, and an artifact of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from graph.artifacts import Artifact, Capability, Source, Weights, slug_of
from graph.errors import ModelError, SourceError
from graph.taxonomy import OTHER, task_words
from indexer.sources.cards import Card, claims_of_results, read_card
from indexer.sources.entry import (
    ADAPTER,
    BROKEN,
    CUSTOM_CODE,
    GGUF,
    INCOMPLETE,
    LOADABLE,
    NO_WEIGHTS,
    ONNX,
    OTHER_FORMAT,
    PICKLE_ONLY,
    REFUSED,
    UNSAFE,
    Entry,
    rejected,
)
from indexer.sources.findings import LONGEST_LINE, clean_text
from inference.models.facts import ModelFacts, inspect_model, looks_like_model
from inference.models.files import Listing

_BUCKET_OF_KIND: Final = {"pickle": PICKLE_ONLY, "gguf": GGUF, "onnx": ONNX, "adapter": ADAPTER}
_BUCKET_OF_REASON: Final = {"no_weights": INCOMPLETE, "load_failed": BROKEN}
_SHOWN_LABELS: Final = 12
_SHOWN_PICKLES: Final = 3


def model_folders(path: Path) -> list[Path]:
    """The folder itself if it holds a model, else those of its sub-folders that do, sorted by name."""
    if looks_like_model(path):
        return [path]
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_dir() and looks_like_model(entry))
    except OSError:
        return []


def read_models(path: Path) -> Iterator[Entry]:
    """One entry per model folder: the path itself, or its sub-folders.

    Raises
    ------
    SourceError
        There is no model.
    """
    folders = model_folders(path)
    if not folders:
        what = "no model in it: give a folder with config.json and weights, or a Hugging Face cache"
        raise SourceError(what, file=str(path), code="not_a_model")
    for folder in folders:
        yield read_model(folder, folder.resolve().name or "model", str(folder), "model")


def read_model(folder: Path, identity: str, file: str, kind: str) -> Entry:
    """The entry of one model's folder.

    Parameters
    ----------
    folder
        The folder, or a snapshot in a cache.
    identity
        The artifact's id.
    file
        How messages name it.
    kind
        Kind of source: `model` or `hf_cache`.
    """
    try:
        facts = inspect_model(folder)
    except ModelError as error:
        return rejected(SourceError(str(error), file=file, code="unreadable"), bucket=BROKEN)
    size_bytes = sum({item.path: item.size_bytes for item in facts.files}.values())
    bucket = bucket_of(facts)
    if bucket in (NO_WEIGHTS, INCOMPLETE, REFUSED, BROKEN):
        code = "escape" if bucket == REFUSED else (facts.reason_code or "unreadable")
        return rejected(SourceError(facts.reason, file=file, code=code), bucket=bucket, size_bytes=size_bytes)
    weights = Weights(path=str(folder.resolve())) if len(str(folder.resolve())) <= LONGEST_LINE else Weights()
    card = read_card(Listing(facts.files, facts.problems))
    source = Source(kind=kind, file=file)
    artifact = model_artifact(identity, weights, facts, card, source)
    warnings = [*(problem.reason for problem in facts.problems), *card.warnings]
    if facts.ignored:
        shown = ", ".join(facts.ignored[:_SHOWN_PICKLES]) + (", …" if len(facts.ignored) > _SHOWN_PICKLES else "")
        warnings.append(f"pickles beside safetensors are ignored: {shown}")
    if facts.reason:
        warnings.append(facts.reason)
    warned = tuple(f"{file}: {text}" for text in warnings)
    return Entry(artifact, bucket, size_bytes, None, warned, (), card.passage(str(folder / "README.md")))


def bucket_of(facts: ModelFacts) -> str:
    """The word under which the inventory counts a model."""
    codes = {problem.code for problem in facts.problems}
    if "escape" in codes:
        return REFUSED
    if facts.loadable:
        return LOADABLE
    if facts.kind == "none":
        return INCOMPLETE if "broken_link" in codes else NO_WEIGHTS
    if facts.reason_code in _BUCKET_OF_REASON:
        return _BUCKET_OF_REASON[facts.reason_code]
    if facts.asks_for_code:
        return CUSTOM_CODE
    if facts.kind == "safetensors":
        return UNSAFE if facts.reason_code == "unsafe_refused" else OTHER_FORMAT
    return _BUCKET_OF_KIND.get(facts.kind, OTHER_FORMAT)


def model_artifact(identity: str, weights: Weights, facts: ModelFacts, card: Card, source: Source) -> Artifact:
    """The artifact of a model: facts from its files, words from its card, which is claim and not fact."""
    task = card.task or facts.task or OTHER
    base_model = card.base_model or _line(facts.base_model)
    words = task_words(task) if task != OTHER else identity.rpartition("/")[2]
    description = card.description or described(facts)
    capability = Capability(id="main", name=words, task=task, description=description, tags=card.tags)
    owner, _, name = identity.rpartition("/")
    return Artifact(
        id=identity, slug=slug_of(identity), name=name or identity, type="finetune" if base_model else "model",
        description=description, organization=owner or None, license=card.license,
        library=facts.library or card.library, family=_line(facts.model_type), base_model=base_model,
        params=facts.parameters, formats=facts.formats, weights=weights,
        has_card=card.has_card, capabilities=(capability,),
        claims=claims_of_results(identity, card.results, "main"), source=source,
    )  # fmt: skip


def _line(text: str | None) -> str | None:
    return clean_text(text)[:LONGEST_LINE] or None if text else None


def described(facts: ModelFacts) -> str:
    """What the files alone say, in one or two sentences: for models without a card, which are most of a cache.

    Examples
    --------
    >>> described(ModelFacts("safetensors", (), 0, architecture="BertModel", task="text.fill-mask"))
    'BertModel for fill mask.'
    """
    task = f" for {task_words(facts.task)}" if facts.task else ""
    name = facts.architecture or (f"{facts.model_type} model" if facts.model_type else "Model")
    named = [label for label in facts.label_names if not label.startswith("LABEL_")]
    if not named:
        return clean_text(f"{name}{task}.")
    more = ", …" if len(named) > _SHOWN_LABELS else ""
    return clean_text(f"{name}{task}. Labels: {', '.join(named[:_SHOWN_LABELS])}{more}.")


def with_warnings(entry: Entry, file: str, warnings: list[str]) -> Entry:
    """The entry with more warnings."""
    return replace(entry, warnings=(*entry.warnings, *(f"{file}: {text}" for text in warnings)))
