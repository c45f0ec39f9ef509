"""Sources: what can be ingested, one file a kind, and one entry per thing found in them."""

from typing import TYPE_CHECKING, Any, Final

from indexer.sources.detect import KINDS, detect_kind, read_source
from indexer.sources.entry import BUCKETS, Entry

if TYPE_CHECKING:
    from indexer.sources.apibench import apibench_catalogue, apibench_queries
    from indexer.sources.catalogue import CSV_FIELDS
    from indexer.sources.field_map import parse_map
    from indexer.sources.findings import ERRORS, WARNINGS, Problem
    from indexer.sources.inventory import render_inventory
    from indexer.sources.manifest import parse_manifests, validate_manifests

__all__ = [
    "BUCKETS",
    "CSV_FIELDS",
    "ERRORS",
    "KINDS",
    "WARNINGS",
    "Entry",
    "Problem",
    "apibench_catalogue",
    "apibench_queries",
    "detect_kind",
    "parse_manifests",
    "parse_map",
    "read_source",
    "render_inventory",
    "validate_manifests",
]

_LATER: Final = {
    "apibench_catalogue": "apibench", "apibench_queries": "apibench", "CSV_FIELDS": "catalogue",
    "parse_map": "field_map", "ERRORS": "findings", "WARNINGS": "findings", "Problem": "findings",
    "render_inventory": "inventory", "parse_manifests": "manifest", "validate_manifests": "manifest",
}  # fmt: skip
"""Names that are imported when they are first asked for: reading one page needs few of the readers."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
