"""Which kind of source a path is, and its entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from graph.errors import SourceError
from indexer.sources.apibench import find_api_files, read_apibench
from indexer.sources.catalogue import read_catalogue
from indexer.sources.compare_page import read_compare_page
from indexer.sources.entry import Entry
from indexer.sources.hf_cache import cache_folder, read_cache
from indexer.sources.lines import read_json_lines
from indexer.sources.manifest import OWN_NAMES, SUFFIXES, manifest_files, read_manifests
from indexer.sources.models import model_folders, read_models
from indexer.sources.open_model_zoo import MODEL_FILE, is_zoo, read_open_model_zoo
from indexer.sources.page import SUFFIXES as PAGES
from indexer.sources.page import page_files, read_pages
from inference.models.cache import is_cache

KINDS: Final = ("manifest", "model", "hf_cache", "catalogue", "apibench", "compare_page", "page", "open_model_zoo")


def detect_kind(path: Path) -> str:
    """The kind of a source, one of `KINDS`.

    Raises
    ------
    SourceError
        There is nothing at this path, or it is like none of them; the message says what would be.
    """
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.exists():
        raise SourceError("nothing is there: check the path", file=str(path), code="not_found")
    if path.name == MODEL_FILE:
        return "open_model_zoo"
    if path.suffix in SUFFIXES:
        return "manifest"
    if path.suffix == ".jsonl":
        return _kind_of_lines(path)
    if path.suffix.lower() in PAGES:
        return "page"
    what = f"no kind of source ends in {path.suffix or 'nothing'!r}: give .yml, .yaml, .json, .jsonl or a folder"
    raise SourceError(what, file=str(path), code="unknown_kind")


def _kind_of_folder(path: Path) -> str:
    if is_cache(cache_folder(path)):
        return "hf_cache"
    if find_api_files(path):
        return "apibench"
    folders = model_folders(path)
    if any((path / name).is_file() for name in OWN_NAMES):
        return "manifest"
    if folders == [path]:
        return "model"
    if is_zoo(path):
        return "open_model_zoo"
    if manifest_files(path):
        return "manifest"
    if folders:
        return "model"
    if page_files(path):
        return "page"
    what = "neither a model, a Hugging Face cache, manifests nor APIBench: give another folder, or say --kind"
    raise SourceError(what, file=str(path), code="unknown_kind")


def _kind_of_lines(path: Path) -> str:
    """APIBench where a row has an `api_call`, else a catalogue."""
    first = next((row for _, row in read_json_lines(path, str(path))), {})
    return "apibench" if not isinstance(first, SourceError) and "api_call" in first else "catalogue"


def read_source(
    path: Path,
    kind: str | None = None,
    *,
    check_blobs: bool = True,
    on_bytes: Callable[[int], None] | None = None,
) -> Iterator[Entry]:
    """Exactly one entry per thing that a source holds: an artifact, or its rejection with the reason.

    Parameters
    ----------
    path
        A file or folder.
    kind
        One of `KINDS`; detected where it is not given.
    check_blobs
        For a Hugging Face cache: read every blob and compare it with its name.
    on_bytes
        Hears how many bytes of blobs were read, piece by piece.

    Raises
    ------
    SourceError
        The source as a whole cannot be read, or its kind is not known.
    """
    chosen = kind or detect_kind(path)
    if chosen not in KINDS:
        what = f"kind {chosen!r} is not known: use one of {', '.join(KINDS)}"
        raise SourceError(what, file=str(path), code="unknown_kind")
    if not path.exists():
        raise SourceError("nothing is there: check the path", file=str(path), code="not_found")
    if chosen == "hf_cache":
        yield from read_cache(path, check_blobs=check_blobs, on_bytes=on_bytes)
        return
    yield from _READERS[chosen](path)


_READERS: Final[dict[str, Callable[[Path], Iterator[Entry]]]] = {
    "manifest": read_manifests, "model": read_models, "catalogue": read_catalogue, "apibench": read_apibench,
    "compare_page": read_compare_page, "page": read_pages, "open_model_zoo": read_open_model_zoo,
}  # fmt: skip
