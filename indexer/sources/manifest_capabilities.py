"""The `capabilities` of a manifest: each becomes one capability, or is rejected alone."""

from __future__ import annotations

from typing import Any, Final

from graph.artifacts import Capability, Conditions, slug_of
from graph.taxonomy import DOMAIN_OF, OTHER, full_task, task_of_label
from indexer.sources.findings import (
    SLUG,
    Findings,
    check_fields,
    nearest,
    read_line,
    read_lines,
    read_mapping,
    read_text_field,
)
from indexer.sources.nodes import Node

FIELDS: Final = (
    "id", "name", "task", "description", "domain", "functionality", "unique", "vs_alternatives", "intents_served",
    "conditions", "tags", "declared_total",
)  # fmt: skip


def read_capabilities(items: tuple[Node, ...], found: Findings) -> tuple[Capability, ...]:
    """The capabilities that are right; each wrong one is noted and left out."""
    kept: dict[str, Capability] = {}
    for item in items:
        if item.fields is not None and set(item.fields) == {"declared_total"}:
            continue
        one = Findings(found.file)
        capability = _capability(item, one)
        if capability is not None and capability.id in kept:
            one.error("duplicate_capability", item, f"a second capability {capability.id!r}: give it another id")
        if capability is not None and not one.errors:
            kept[capability.id] = capability
        found.problems += one.problems
    return tuple(kept.values())


def _capability(item: Node, found: Findings) -> Capability | None:
    if item.fields is None:
        found.error("bad_type", item, "a capability must hold fields, such as {name: …, task: …}")
        return None
    check_fields(item, FIELDS, "a capability", found)
    name = read_line(item, "name", found)
    identity = read_line(item, "id", found, 200) or (slug_of(name) if name else None)
    if name is None:
        found.error("missing_name", item, "the capability has no name: add name: …")
    if identity is not None and not SLUG.fullmatch(identity):
        found.error("bad_slug", item.get("id"), f"capability id {identity[:80]!r}: use a-z, 0-9 and . _ - only")
    texts = {key: read_text_field(item, key, found) for key in ("description", "unique", "vs_alternatives")}
    lines = {key: read_line(item, key, found) for key in ("domain", "functionality")}
    intents, tags = read_lines(item, "intents_served", found), read_lines(item, "tags", found)
    task = _task(item, name or "", lines["domain"], found)
    conditions = _conditions(item, found)
    if found.errors or name is None or identity is None:
        return None
    if not texts["description"]:
        found.warn("missing_description", item, f"capability {identity} is not described: add description: …")
    if not intents:
        found.warn("no_intents", item, f"capability {identity} names no intents: add what people would ask for")
    texts["description"] = texts["description"] or ""
    return Capability(
        id=identity, name=name, task=task, intents_served=intents, tags=tags, conditions=conditions, **texts, **lines
    )  # fmt: skip


def _task(item: Node, name: str, domain: str | None, found: Findings) -> str:
    written = read_line(item, "task", found)
    if written is None:
        guess = task_of_label(domain, name)
        found.warn("no_task", item, f"no task is named, {guess} is assumed: add task: …")
        return guess
    task = full_task(written)
    if task is None:
        hint = nearest(written, [*DOMAIN_OF, *(f"{domain}.{task}" for task, domain in DOMAIN_OF.items())])
        found.error("unknown_task", item.get("task"), f"task {written[:80]!r} is not known{hint}: or use {OTHER}")
    return task or OTHER


def _conditions(item: Node, found: Findings) -> Conditions:
    node = read_mapping(item, "conditions", found)
    if node is None:
        return Conditions()
    check_fields(node, tuple(Conditions.model_fields), "conditions", found)
    return Conditions(**{name: read_lines(node, name, found) for name in tuple(Conditions.model_fields)})


def whole_artifact(fields: dict[str, Any]) -> Capability:
    """The one capability of an artifact that describes none: itself."""
    name, description = fields["name"], fields["description"]
    return Capability(id="main", name=name, task=task_of_label(name), description=description)
