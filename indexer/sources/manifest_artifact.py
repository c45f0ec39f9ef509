"""The `artifact` of a manifest: its header, which is right as a whole or rejects the manifest."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any, Final

from graph.artifacts import ARTIFACT_TYPES, Pricing, Signals, Weights, slug_of
from indexer.sources.findings import (
    SLUG,
    Findings,
    check_fields,
    nearest,
    read_address,
    read_count,
    read_flag,
    read_line,
    read_mapping,
    read_text_field,
)
from indexer.sources.nodes import Node

FIELDS: Final = (
    "id", "name", "slug", "type", "description", "maintainer", "organization", "url", "license", "library", "family",
    "base_model", "params", "released", "pricing", "weights", "signals", "declared_total",
)  # fmt: skip
_LINES: Final = ("maintainer", "organization", "library", "family", "base_model")
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[\w.-]{1,96})?")
_MOST_DECLARED: Final = 10_000


def read_artifact(root: Node, document: Node, line: int, found: Findings, folder: Path | None) -> dict[str, Any]:
    """The fields of the artifact, checked; errors and warnings are noted.

    Parameters
    ----------
    root
        The artifact's mapping.
    document
        The whole manifest.
    line
        Where the artifact begins.
    found
        Collects errors and warnings.
    folder
        What a relative path of weights is relative to.
    """
    check_fields(root, FIELDS, "an artifact", found)
    name = read_line(root, "name", found)
    if name is None:
        found.error("missing_name", line, "the artifact has no name: add name: …")
    slug = read_line(root, "slug", found, 200)
    if slug is not None and not SLUG.fullmatch(slug):
        found.error("bad_slug", root.get("slug"), f"slug {slug[:80]!r}: use a-z, 0-9 and . _ - only")
    identity = read_line(root, "id", found) or slug or slug_of(name or "")
    license_name = read_line(root, "license", found)
    if license_name is None:
        found.warn("no_license", line, "no licence is stated: add license: …")
    return {
        "id": identity,
        "slug": slug or slug_of(identity),
        "name": name,
        "type": _type(root, line, found),
        "description": read_text_field(root, "description", found) or "",
        **{key: read_line(root, key, found) for key in _LINES},
        "url": read_address(root, "url", found),
        "license": license_name,
        "params": read_count(root, "params", found),
        "released": _date(root, found),
        "pricing": _pricing(root, found),
        "weights": _weights(root, found, folder),
        "signals": _signals(root, found),
        "declared_total": _declared_total(root, document, found),
    }


def _type(root: Node, line: int, found: Findings) -> str:
    name = read_line(root, "type", found)
    if name is None:
        found.warn("no_type", line, "no type is stated, model is assumed: add type: …")
        return "model"
    if name not in ARTIFACT_TYPES:
        hint = nearest(name, ARTIFACT_TYPES)
        what = f"type {name[:80]!r} is not known{hint}: use one of {', '.join(ARTIFACT_TYPES)}"
        found.error("unknown_type", root.get("type"), what)
    return name


def _date(root: Node, found: Findings) -> str | None:
    text = read_line(root, "released", found, 40)
    if text is not None:
        try:
            date.fromisoformat(text[:10])
        except ValueError:
            found.warn("bad_date", root.get("released"), f"released {text!r} is no date such as 2024-05-30")
    return text


def _pricing(root: Node, found: Findings) -> Pricing:
    node = read_mapping(root, "pricing", found)
    if node is None:
        return Pricing()
    check_fields(node, tuple(Pricing.model_fields), "pricing", found)
    model, detail = read_line(node, "model", found), read_text_field(node, "detail", found)
    return Pricing(model=model, free=read_flag(node, "free", found), detail=detail)


def _signals(root: Node, found: Findings) -> Signals:
    node = read_mapping(root, "signals", found)
    if node is None:
        return Signals()
    check_fields(node, tuple(Signals.model_fields), "signals", found)
    return Signals(**{name: read_count(node, name, found) for name in Signals.model_fields})


def _weights(root: Node, found: Findings, folder: Path | None) -> Weights:
    """Where the weights are, in at most one place; a path is made absolute, and need not exist yet."""
    node = read_mapping(root, "weights", found)
    if node is None:
        return Weights()
    check_fields(node, tuple(Weights.model_fields), "weights", found)
    path, hub_id = read_line(node, "path", found), read_line(node, "hub_id", found)
    endpoint = read_address(node, "endpoint", found)
    if sum(place is not None for place in (path, hub_id, endpoint)) > 1:
        found.error("two_weights", node, "weights name more than one place: keep path, hub_id or endpoint")
        return Weights()
    if hub_id is not None and not _HUB_ID.fullmatch(hub_id):
        found.error("bad_hub_id", node.get("hub_id"), f"hub_id {hub_id[:80]!r}: write owner/name")
    if path is not None and folder is not None:
        absolute = folder.resolve() / path
        if not absolute.exists():
            found.warn("missing_weights", node.get("path"), f"{path} is not there, so no claim can be probed")
        path = str(absolute.resolve())
        if len(path) > 500:
            found.error("too_long", node.get("path"), "the absolute path of the weights is longer than 500 characters")
    return Weights(path=path, hub_id=hub_id, endpoint=endpoint)


def _declared_total(root: Node, document: Node, found: Findings) -> int | None:
    """How many capabilities the publisher declares: of the artifact, the manifest, or an item of the list."""
    given = [read_count(root, "declared_total", found, _MOST_DECLARED)]
    given.append(read_count(document, "declared_total", found, _MOST_DECLARED))
    listed = document.get("capabilities")
    for item in (listed.items if listed else None) or ():
        if item.fields is not None:
            given.append(read_count(item, "declared_total", found, _MOST_DECLARED))
    return next((count for count in given if count is not None), None)
