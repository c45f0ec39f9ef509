"""The texts of a manifest as passages: what an artifact and its capabilities say of themselves, in place."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from graph.artifacts import slug_of
from indexer.passages import Passage
from indexer.placing import placed_passage, yaml_pieces
from indexer.sources.findings import clean_text
from indexer.sources.nodes import Node

_OF_ARTIFACT: Final = ("description",)
_OF_CAPABILITY: Final = ("description", "unique", "vs_alternatives")


def read_passages(document: Node, capabilities: Collection[str], text: str, file: str) -> tuple[Passage, ...]:
    """The passages of a manifest, in the order of the file.

    Parameters
    ----------
    document
        The manifest's document.
    capabilities
        Local ids of the capabilities that were accepted; the texts of others are none of the artifact's.
    text
        The file's text, in which the document's offsets are.
    file
        Path as the user gave it.
    """
    found: list[tuple[int, Passage]] = []
    root, listed = document.get("artifact"), document.get("capabilities")
    for name in _OF_ARTIFACT:
        found += _passage(root.get(name) if root is not None else None, None, text, file)
    for item in (listed.items if listed is not None else None) or ():
        identity = _identity(item)
        if identity in capabilities:
            for name in _OF_CAPABILITY:
                found += _passage(item.get(name), identity, text, file)
    return tuple(passage for _, passage in sorted(found, key=lambda pair: pair[0]))


def _identity(item: Node) -> str | None:
    """The id that a capability has, or is given by its name."""
    for name in ("id", "name"):
        node = item.get(name) if item.fields is not None else None
        word = clean_text(node.raw) if node is not None and node.is_scalar else ""
        if word:
            return word if name == "id" else slug_of(word)
    return None


def _passage(node: Node | None, capability: str | None, text: str, file: str) -> list[tuple[int, Passage]]:
    if node is None or node.is_empty or not node.is_scalar:
        return []
    return [(node.start, placed_passage(yaml_pieces(text, node.start, node.end), file, capability=capability))]
