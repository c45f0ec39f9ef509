"""Which kind of source a path is, and its entries. A kind's reader is imported when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from graph.errors import SourceError
from indexer.sources.entry import Entry

KINDS: Final = (
    "manifest", "model", "hf_cache", "catalogue", "apibench", "compare_page", "page", "open_model_zoo", "eval_table",
    "mcp",
)  # fmt: skip


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
    kind = _kind_of_file(path)
    if kind is not None:
        return kind
    what = (
        f"no kind of source ends in {path.suffix or 'nothing'!r}: give .yml, .json, .jsonl, .csv, .md, .txt or a folder"
    )
    raise SourceError(what, file=str(path), code="unknown_kind")


def _kind_of_file(path: Path) -> str | None:
    """The kind of a file, by its name and, where that leaves several, by what is in it; None for any other."""
    from indexer.sources.page import SUFFIXES as PAGES

    if path.suffix.lower() in PAGES:  # the commonest first: it needs no other reader
        return "page"
    if path.suffix == ".jsonl":
        return _kind_of_lines(path)
    from indexer.sources.csv_rows import SUFFIXES as CSV_SUFFIXES

    if path.suffix.lower() in CSV_SUFFIXES:
        from indexer.sources.csv_rows import open_csv
        from indexer.sources.eval_table import is_eval_table

        return "eval_table" if is_eval_table(open_csv(path).columns) else "catalogue"
    from indexer.sources.open_model_zoo import MODEL_FILE

    if path.name == MODEL_FILE:
        return "open_model_zoo"
    from indexer.sources.mcp import SUFFIXES as MCP_SUFFIXES
    from indexer.sources.mcp import looks_like_mcp

    if path.suffix in MCP_SUFFIXES and looks_like_mcp(path):
        return "mcp"
    from indexer.sources.manifest import SUFFIXES

    return "manifest" if path.suffix in SUFFIXES else None


def _kind_of_folder(path: Path) -> str:
    from indexer.sources.apibench import find_api_files
    from indexer.sources.hf_cache import cache_folder
    from indexer.sources.manifest import OWN_NAMES, is_manifest, manifest_files
    from indexer.sources.mcp import looks_like_mcp, mcp_files
    from indexer.sources.models import model_folders
    from indexer.sources.open_model_zoo import is_zoo
    from indexer.sources.page import page_files
    from inference.models.cache import is_cache

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
    servers = mcp_files(path)
    if any(looks_like_mcp(file) for file in servers) and not any(is_manifest(file) for file in servers):
        return "mcp"
    if manifest_files(path):
        return "manifest"
    if folders:
        return "model"
    if page_files(path):
        return "page"
    what = "no model, model cache, manifest, catalogue or page in it: give another folder, or say --kind"
    raise SourceError(what, file=str(path), code="unknown_kind")


def _kind_of_lines(path: Path) -> str:
    """APIBench where a row has an `api_call`, else a catalogue."""
    from indexer.sources.lines import read_json_lines

    first = next((row for _, row in read_json_lines(path, str(path))), {})
    return "apibench" if not isinstance(first, SourceError) and "api_call" in first else "catalogue"


def read_source(
    path: Path,
    kind: str | None = None,
    *,
    mapping: Mapping[str, str] | None = None,
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
    mapping
        For a catalogue: column by field, where its columns have other names. Where it is given and no kind, the source
        is a catalogue.
    check_blobs
        For a Hugging Face cache: read every blob and compare it with its name.
    on_bytes
        Hears how many bytes of blobs were read, piece by piece.

    Raises
    ------
    SourceError
        The source as a whole cannot be read, or its kind is not known.
    """
    try:
        chosen = _chosen(path, kind, mapping)
        if chosen == "catalogue":
            from indexer.sources.catalogue import read_catalogue

            yield from read_catalogue(path, mapping)
        elif chosen == "hf_cache":
            from indexer.sources.hf_cache import read_cache

            yield from read_cache(path, check_blobs=check_blobs, on_bytes=on_bytes)
        else:
            yield from _reader(chosen)(path)
    except OSError as error:  # a folder that may not be listed; files say it themselves
        where = str(error.filename or path)
        raise SourceError(f"{error.strerror or error}: give what can be read", file=where) from error


def _chosen(path: Path, kind: str | None, mapping: Mapping[str, str] | None) -> str:
    """The kind that is given, else the one detected; a map without a kind means a catalogue."""
    chosen = kind or ("catalogue" if mapping and path.is_file() else detect_kind(path))
    if chosen not in KINDS:
        what = f"kind {chosen!r} is not known: use one of {', '.join(KINDS)}"
        raise SourceError(what, file=str(path), code="unknown_kind")
    if not path.exists():
        raise SourceError("nothing is there: check the path", file=str(path), code="not_found")
    if mapping and chosen != "catalogue":
        what = f"--map is for catalogues in CSV or JSON Lines, this is {chosen}: leave it out"
        raise SourceError(what, file=str(path), code="unknown_kind")
    return chosen


def _reader(kind: str) -> Callable[[Path], Iterator[Entry]]:
    """What reads sources of a kind that takes no options."""
    if kind == "page":
        from indexer.sources.page import read_pages

        return read_pages
    from indexer.sources import apibench, compare_page, eval_table, manifest, mcp, models, open_model_zoo

    readers: dict[str, Callable[[Path], Iterator[Entry]]] = {
        "manifest": manifest.read_manifests, "model": models.read_models, "apibench": apibench.read_apibench,
        "compare_page": compare_page.read_compare_page, "open_model_zoo": open_model_zoo.read_open_model_zoo,
        "eval_table": eval_table.read_eval_table, "mcp": mcp.read_mcp,
    }  # fmt: skip
    return readers[kind]
