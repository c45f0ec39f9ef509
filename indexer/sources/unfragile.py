"""The open `unfragile.yml` v1.0, read as a manifest of ours: fields renamed, unknown ones kept out with a warning."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from indexer.sources.findings import Findings, clean_text, read_items, read_line
from indexer.sources.nodes import Node

_ARTIFACT: Final = {
    "id": "id", "name": "name", "slug": "slug", "type": "type", "description": "description",
    "maintainer": "maintainer", "homepage": "url", "license": "license",
}  # fmt: skip
_CAPABILITY: Final = {
    "id": "id", "name": "name", "description": "description", "intents_served": "intents_served",
    "conditions": "conditions", "unique_aspect": "unique", "task": "task", "tags": "tags",
}  # fmt: skip
_CONDITIONS: Final = {
    "bestFor": "best_for", "limitations": "limitations", "requires": "requires", "inputTypes": "input_types",
    "outputTypes": "output_types",
}  # fmt: skip
_PRICING: Final = {"model": "model", "free": "free", "detail": "detail"}
_TOP: Final = ("unfragile_version", "artifact", "capabilities", "pricing", "failure_modes", "execution", "claims")


def is_unfragile(document: Node) -> bool:
    """True if a document says that it is an `unfragile.yml`."""
    return "unfragile_version" in (document.fields or {})


def as_manifest(document: Node, found: Findings) -> Node:
    """The document as a manifest.

    The homepage (else the repository) is its address, the failure modes are limitations of every capability, and
    how it is called becomes tags.
    """
    _warn_unknown(document, _TOP, found)
    fields = {name: node for name in ("claims",) if (node := document.get(name)) is not None}
    root = document.get("artifact")
    if root is not None and root.fields is not None:
        renamed = _renamed(root, _ARTIFACT, found, also=("repository",))
        address = root.get("homepage") or root.get("repository")
        inner = dict(renamed.fields or {}) | ({"url": address} if address else {})
        pricing = document.get("pricing")
        if pricing is not None:
            inner["pricing"] = _renamed(pricing, _PRICING, found)
        fields["artifact"] = replace(renamed, fields=inner)
    listed = document.get("capabilities")
    if listed is not None and listed.items is not None:
        modes, tags = _failure_modes(document, found), _execution_tags(document, found)
        items = tuple(_capability(item, modes, tags, found) for item in listed.items)
        fields["capabilities"] = replace(listed, items=items)
    elif listed is not None:
        fields["capabilities"] = listed
    return replace(document, fields=fields)


def _renamed(node: Node, names: dict[str, str], found: Findings, also: tuple[str, ...] = ()) -> Node:
    if node.fields is None:
        return node
    _warn_unknown(node, (*names, *also), found)
    fields = {names[name]: value for name, value in node.fields.items() if name in names}
    lines = {names[name]: line for name, line in node.field_lines.items() if name in names}
    return replace(node, fields=fields, field_lines=lines)


def _capability(node: Node, modes: tuple[Node, ...], tags: tuple[Node, ...], found: Findings) -> Node:
    renamed = _renamed(node, _CAPABILITY, found)
    if renamed.fields is None:
        return renamed
    fields = dict(renamed.fields)
    conditions = fields.get("conditions")
    if conditions is not None:
        fields["conditions"] = _renamed(conditions, _CONDITIONS, found)
    if modes:
        fields["conditions"] = _with_items(fields.get("conditions"), "limitations", modes, node)
    if tags:
        known = fields.get("tags")
        fields["tags"] = replace(node, fields=None, items=((known.items if known else None) or ()) + tags)
    return replace(renamed, fields=fields)


def _with_items(mapping: Node | None, name: str, items: tuple[Node, ...], at: Node) -> Node:
    """A mapping with these items added to the list in one of its fields."""
    if mapping is None or (mapping.is_scalar and mapping.value is None):
        mapping = replace(at, fields={}, field_lines={})
    if mapping.fields is None:
        return mapping
    known = mapping.fields.get(name)
    before = (known.items if known.items is not None else (known,)) if known else ()
    return replace(mapping, fields=mapping.fields | {name: replace(at, fields=None, items=before + items)})


def _failure_modes(document: Node, found: Findings) -> tuple[Node, ...]:
    """Each failure mode as one line: what fails, how often, what helps."""
    lines = []
    for item in read_items(document, "failure_modes", found):
        mode = read_line(item, "mode", found) if item.fields is not None else None
        if mode is None:
            continue
        frequency, helps = read_line(item, "frequency", found), read_line(item, "mitigation", found)
        text = mode + (f" ({frequency})" if frequency else "") + (f": {helps}" if helps else "")
        lines.append(replace(item, fields=None, value=text, raw=clean_text(text)[:500]))
    return tuple(lines)


def _execution_tags(document: Node, found: Findings) -> tuple[Node, ...]:
    execution = document.get("execution")
    if execution is None or execution.fields is None:
        return ()
    given = [(name, read_line(execution, name, found)) for name in ("protocol", "auth_method")]
    texts = [f"{name.partition('_')[0]}:{value}"[:500] for name, value in given if value]
    return tuple(replace(execution, fields=None, value=text, raw=text) for text in texts)


def _warn_unknown(node: Node, known: tuple[str, ...], found: Findings) -> None:
    for name in node.fields or {}:
        if name not in known:
            line = node.field_lines.get(name, node.line)
            found.warn("unknown_field", line, f"field {name[:80]!r} is not part of unfragile.yml and was kept out")
