"""Sources: what can be ingested, one file a kind, and one entry per thing found in them."""

from indexer.sources.apibench import apibench_catalogue, apibench_queries
from indexer.sources.catalogue import CSV_FIELDS
from indexer.sources.detect import KINDS, detect_kind, read_source
from indexer.sources.entry import BUCKETS, Entry
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
