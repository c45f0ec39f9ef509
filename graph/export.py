"""The match graph as JSON and as GraphML, and back: reading gives what was written, attribute by attribute."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

from graph.errors import SourceError
from graph.statistics import MatchGraph

if TYPE_CHECKING:
    import networkx

SCHEMA_VERSION: Final = 1
_JSON_PREFIX: Final = "json:"
"""Marks a GraphML text that holds JSON: lists, and texts with characters that XML cannot hold."""


def to_json(match_graph: MatchGraph) -> str:
    """The match graph as one JSON document: `{schema_version, as_of_us, nodes: [{key, …}], edges: [{source, …}]}`."""
    G = match_graph.to_networkx()
    document = {
        "schema_version": SCHEMA_VERSION,
        **G.graph,
        "nodes": [{"key": key, **attributes} for key, attributes in G.nodes(data=True)],
        "edges": [{"source": a, "target": b, **attributes} for a, b, attributes in G.edges(data=True)],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def from_json(text: str, file: str = "") -> networkx.DiGraph:
    """The networkx graph of a JSON export, equal to `MatchGraph.to_networkx()` of the exported one.

    Raises
    ------
    SourceError
        It is not such an export, or of another schema version.
    """
    import networkx

    try:
        document = json.loads(text)
        version = document["schema_version"]
        G = networkx.DiGraph(as_of_us=document["as_of_us"])
        G.add_nodes_from((node["key"], _without(node, "key")) for node in document["nodes"])
        for edge in document["edges"]:
            for end in (edge["source"], edge["target"]):
                if end not in G:
                    raise SourceError(
                        f"an edge leads to {str(end)[:80]!r}, which is no node: export it anew", file=file
                    )
            G.add_edge(edge["source"], edge["target"], **_without(edge, "source", "target"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"not a match graph in JSON ({error!r}): export it anew", file=file) from error
    if version != SCHEMA_VERSION:
        raise SourceError(f"schema version {version!r}, not {SCHEMA_VERSION}: export it anew", file=file)
    return G


def same_graph(one: networkx.DiGraph, other: networkx.DiGraph) -> bool:
    """Whether two graphs have the same nodes and edges with the same attributes, and were taken at the same moment."""
    edges = [{(a, b): data for a, b, data in G.edges(data=True)} for G in (one, other)]
    return (
        one.graph == other.graph and dict(one.nodes(data=True)) == dict(other.nodes(data=True)) and edges[0] == edges[1]
    )


def to_graphml(match_graph: MatchGraph) -> str:
    """The match graph as GraphML; lists, and texts that XML cannot hold, are written as `json:` and their JSON."""
    import networkx

    G = match_graph.to_networkx()
    plain = networkx.DiGraph(**_encoded(G.graph))
    plain.add_nodes_from((_encode(key), _encoded(attributes)) for key, attributes in G.nodes(data=True))
    plain.add_edges_from((_encode(a), _encode(b), _encoded(attributes)) for a, b, attributes in G.edges(data=True))
    stream = io.BytesIO()
    networkx.write_graphml_xml(plain, stream, encoding="utf-8", prettyprint=True)
    return stream.getvalue().decode("utf-8")


def from_graphml(text: str, file: str = "") -> networkx.DiGraph:
    """The networkx graph of a GraphML export, equal to `MatchGraph.to_networkx()` of the exported one.

    Raises
    ------
    SourceError
        It is not such an export.
    """
    from xml.etree.ElementTree import ParseError

    import networkx

    try:
        plain = networkx.parse_graphml(text)
        G = networkx.DiGraph(**_decoded({"as_of_us": plain.graph["as_of_us"]}))
        G.add_nodes_from((_decode(key), _decoded(attributes)) for key, attributes in plain.nodes(data=True))
        G.add_edges_from((_decode(a), _decode(b), _decoded(attributes)) for a, b, attributes in plain.edges(data=True))
    except (ParseError, networkx.NetworkXError, ValueError, KeyError) as error:
        raise SourceError(f"not a match graph in GraphML ({error}): export it anew", file=file) from error
    return G


def _without(attributes: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in names}


def _encoded(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: _encode(value) for name, value in attributes.items()}


def _decoded(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: _decode(value) for name, value in attributes.items()}


def _encode(value: Any) -> Any:
    plain_text = isinstance(value, str) and value.isprintable() and value.strip() == value
    if isinstance(value, (int, float)) or (plain_text and value and not value.startswith(_JSON_PREFIX)):
        return value
    return _JSON_PREFIX + json.dumps(value)


def _decode(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_JSON_PREFIX):
        return json.loads(value.removeprefix(_JSON_PREFIX))
    return value
