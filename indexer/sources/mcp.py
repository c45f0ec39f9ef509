"""MCP server manifests in the layout of a server registry: one file a server, `name`, `type`, `meta`, `about`, ….

A folder of them, one file, or a registry's folders with a `server.yaml` each, beside it a `tools.json` where the
server's tools are listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from graph.artifacts import Artifact, Capability, Conditions, Source, slug_of
from graph.claims import Claim, Scope, Span, claim_id
from graph.errors import SourceError
from graph.taxonomy import OTHER, task_words
from indexer.passages import Passage
from indexer.placing import placed_passage, yaml_pieces
from indexer.sources.described import task_of_description, unused_id
from indexer.sources.entry import MCP_SERVER, Entry, rejected
from indexer.sources.findings import LONGEST_LINE, LONGEST_TEXT, clean_text
from indexer.sources.nodes import Node, read_documents, read_text

SUFFIXES: Final = (".yaml", ".yml")
SERVER_FILE: Final = "server.yaml"
TOOLS_FILE: Final = "tools.json"
MOST_TOOLS: Final = 1_000
_TYPES: Final = ("server", "remote", "poci")
_MARKS: Final = ("about", "type", "name")
_LOOKED_AT: Final = 65_536
_CATEGORIES: Final = {
    "database": "data.database-access", "search": "data.web-search", "documentation": "software.documentation-lookup",
    "monitoring": "software.observability", "communication": "business.communication", "crm": "business.customer-data",
    "payments": "business.payments", "data-analytics": "data.data-processing", "analytics": "data.data-processing",
    "web": "software.browser-automation",
}  # fmt: skip
"""What a category says where the description says nothing; "ai" or "productivity" name no task."""


@dataclass
class _Read:
    """What is gathered while a manifest is read."""

    file: str
    text: str
    warnings: list[str] = field(default_factory=list)
    left_out: list[SourceError] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)

    def word(self, node: Node | None) -> str | None:
        """A scalar in one line; None where it is missing, empty or no text."""
        return clean_text(node.raw)[:LONGEST_LINE] or None if node is not None and node.is_scalar else None


def looks_like_mcp(path: Path) -> bool:
    """True if a YAML file has the fields of a server's manifest, and is no manifest of ours."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_LOOKED_AT).decode("utf-8-sig", "replace")
    except OSError:
        return False
    found = set(re.findall(r"^([A-Za-z_]\w{0,40})[ \t]*:", head, re.MULTILINE))
    return found.issuperset(_MARKS) and not found & {"artifact", "unfragile_version", "apiVersion", "kind"}


def mcp_files(folder: Path) -> list[Path]:
    """The manifests of a folder: its YAML files, else the `server.yaml` of its folders or of those in `servers`."""
    direct = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if direct:
        return direct
    return sorted([*folder.glob(f"*/{SERVER_FILE}"), *folder.glob(f"servers/*/{SERVER_FILE}")])


def read_mcp(path: Path) -> Iterator[Entry]:
    """One entry per server's manifest of a file or folder; the second server of the same name is rejected.

    Raises
    ------
    SourceError
        A folder holds no YAML file.
    """
    files = mcp_files(path) if path.is_dir() else [path]
    if not files:
        raise SourceError("no server's manifest in it: give a .yaml file", file=str(path), code="not_mcp")
    seen: dict[str, str] = {}
    for file in files:
        try:
            entry = read_server(file)
            if entry.artifact is not None and entry.artifact.id in seen:
                what = f"name {entry.artifact.id!r} is taken by {seen[entry.artifact.id]}: give one another name"
                raise SourceError(what, file=str(file), line=1, code="duplicate_id")
        except SourceError as error:
            yield rejected(error)
            continue
        if entry.artifact is not None:
            seen[entry.artifact.id] = str(file)
        yield entry


def read_server(file: Path) -> Entry:
    """The entry of one server's manifest.

    Raises
    ------
    SourceError
        It cannot be read, or is no such manifest.
    """
    read = _Read(str(file), read_text(file, str(file)))
    document, name, about = _document(read)
    title = read.word(about.get("title")) or name
    described = about.get("description")
    description = clean_text(described.raw)[:LONGEST_TEXT] if described is not None and described.is_scalar else ""
    if not description:
        read.warnings.append(f"{read.file}:{about.line}: the server is not described: add about.description")
    elif described is not None:
        read.passages.append(placed_passage(yaml_pieces(read.text, described.start, described.end), read.file))
    tools = [*_tools(document.get("tools"), read), *_tools_beside(file, read)]
    artifact = Artifact(
        id=name, slug=slug_of(name), name=title, type="mcp", description=description, url=_address(document, read),
        capabilities=_capabilities(title, description, document, tools, read),
        claims=_claims(name, tools), source=Source(kind="mcp", file=read.file, line=1),
    )  # fmt: skip
    return Entry(artifact, MCP_SERVER, 0, None, tuple(read.warnings), tuple(read.left_out), tuple(read.passages))


def _document(read: _Read) -> tuple[Node, str, Node]:
    """The manifest, its name, and what it says about the server."""
    document = next(iter(read_documents(read.text, read.file)), None)
    if document is None:
        raise SourceError("no document in it: write name, type and about", file=read.file, line=1, code="empty")
    if isinstance(document, SourceError):
        raise document
    name, kind, about = read.word(document.get("name")), read.word(document.get("type")), document.get("about")
    if name is None or about is None or about.fields is None or kind not in _TYPES:
        found = ", ".join(list(document.fields or {})[:8]) or "no fields"
        what = (
            f"not an MCP server's manifest: it needs name, type ({', '.join(_TYPES)}) and about; it has {found[:200]}"
        )
        raise SourceError(what, file=read.file, line=document.line, code="not_mcp")
    return document, name, about


@dataclass(frozen=True)
class _Tool:
    name: str
    description: str
    span: Span
    passage: tuple[Node, str, str] | None


def _tools(node: Node | None, read: _Read, file: str = "", text: str = "") -> Iterator[_Tool]:
    """The tools of a list, each once; one without a name is left out with its line."""
    file, text = file or read.file, text or read.text
    seen: set[str] = set()
    for item in ((node.items if node is not None else None) or ())[:MOST_TOOLS]:
        named = item.get("name") if item.fields is not None else item
        name = read.word(named)
        if name is None or named is None:
            what = "a tool without a name was left out: write - name: …"
            read.left_out.append(SourceError(what, file=file, line=item.line, code="missing_name"))
        elif name not in seen:
            seen.add(name)
            said = item.get("description") if item.fields is not None else None
            words = clean_text(said.raw)[:LONGEST_TEXT] if said is not None and said.is_scalar else ""
            place = (said, file, text) if said is not None and words else None
            yield _Tool(name, words, Span(file=file, start=named.start, end=named.end), place)


def _tools_beside(file: Path, read: _Read) -> Iterator[_Tool]:
    """The tools that a `tools.json` beside a `server.yaml` lists."""
    beside = file.with_name(TOOLS_FILE)
    if file.name != SERVER_FILE or not beside.is_file():
        return
    try:
        text = read_text(beside, str(beside))
    except SourceError as error:
        read.left_out.append(error)
        return
    document = next(iter(read_documents(text, str(beside), is_json=True)), None)
    if isinstance(document, SourceError):
        read.left_out.append(document)
        return
    yield from _tools(document, read, str(beside), text)


def _capabilities(
    title: str, description: str, document: Node, tools: list[_Tool], read: _Read
) -> tuple[Capability, ...]:
    """What the server as a whole does, and one capability per tool that is described."""
    meta = document.get("meta")
    category = read.word(meta.get("category")) if meta is not None and meta.fields is not None else None
    tags = _tags(document, meta, category, read)
    task = task_of_description(description)
    task = _CATEGORIES.get((category or "").lower(), OTHER) if task == OTHER else task
    name = task_words(task) if task != OTHER else title
    requires = _required(document, read)
    main = Capability(
        id="main", name=name, task=task, description=description, tags=tags, conditions=Conditions(requires=requires)
    )
    capabilities = [main]
    for tool in tools:
        if tool.description:
            identity = unused_id(tool.name, {known.id for known in capabilities})
            own = task_of_description(tool.description)
            capabilities.append(
                Capability(
                    id=identity, name=tool.name, task=task if own == OTHER else own, description=tool.description
                )
            )
            if tool.passage is not None:
                node, file, text = tool.passage
                pieces = yaml_pieces(text, node.start, node.end)
                read.passages.append(placed_passage(pieces, file, capability=identity))
    return tuple(capabilities)


def _tags(document: Node, meta: Node | None, category: str | None, read: _Read) -> tuple[str, ...]:
    listed = meta.get("tags") if meta is not None and meta.fields is not None else None
    words = [read.word(item) for item in ((listed.items if listed is not None else None) or ())[:50]]
    remote = document.get("remote")
    transport = read.word(remote.get("transport_type")) if remote is not None and remote.fields is not None else None
    protocol = f"protocol:{transport}" if transport else None
    return tuple(dict.fromkeys(word for word in (category, *words, protocol) if word))


def _required(document: Node, read: _Read) -> tuple[str, ...]:
    """The secrets that a server cannot do without, by their names."""
    config = document.get("config")
    secrets = config.get("secrets") if config is not None and config.fields is not None else None
    found = []
    for item in ((secrets.items if secrets is not None else None) or ())[:50]:
        required = item.get("required") if item.fields is not None else None
        name = read.word(item.get("env") or item.get("name")) if item.fields is not None else None
        if name and (required is None or required.value is not False):
            found.append(f"secret {name}"[:LONGEST_LINE])
    return tuple(dict.fromkeys(found))


def _address(document: Node, read: _Read) -> str | None:
    """Where its source is, else where the server itself is."""
    for outer, inner in (("source", "project"), ("remote", "url")):
        node = document.get(outer)
        text = read.word(node.get(inner)) if node is not None and node.fields is not None else None
        if text and re.fullmatch(r"https?://[^\s\"'<>\\]{1,490}", text):
            return text
    return None


def _claims(name: str, tools: list[_Tool]) -> tuple[Claim, ...]:
    """One claim per tool that the manifest lists."""
    scope = Scope()
    found = {
        tool.name: Claim(
            id=claim_id(name, "", "tool_listed", "=", tool.name, "none", scope), artifact=name, metric="tool_listed",
            value=tool.name, text=f"tool {tool.name}"[:2_000], span=tool.span,
        )
        for tool in reversed(tools)
    }  # fmt: skip
    return tuple(found.values())[::-1]
