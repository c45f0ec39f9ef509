"""MCP server manifests: what a server says of itself, the tools it lists, and what is no such manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.errors import SourceError
from graph.home import Home
from indexer.ingest import ingest
from indexer.sources import Entry, detect_kind, read_source

SERVER = """\
name: wren
image: mcp/wren
type: server
meta:
  category: database
  tags: [birds, database]
about:
  title: Wren Server
  description: >-
    Keeps lists of
    birds.
source:
  project: https://example.org/wren
config:
  secrets:
    - name: wren.key
      env: WREN_KEY
    - name: wren.other
      env: OTHER
      required: false
tools:
  - name: find-bird
    description: Searches the web for "birds".
  - name: count
  - description: nameless
"""


def read(folder: Path, text: str, name: str = "wren.yaml") -> Entry:
    file = folder / name
    file.write_text(text)
    (entry,) = read_source(file, "mcp")
    return entry


def test_server_its_tools_and_what_it_needs(tmp_path: Path) -> None:
    entry = read(tmp_path, SERVER)
    artifact = entry.artifact
    assert artifact is not None and entry.bucket == "MCP server" and entry.warnings == ()
    assert (artifact.id, artifact.name, artifact.type, artifact.url) == (
        "wren", "Wren Server", "mcp", "https://example.org/wren",
    )  # fmt: skip
    assert artifact.description == "Keeps lists of birds."
    main, tool = artifact.capabilities
    assert (main.task, main.tags) == ("data.database-access", ("database", "birds"))
    assert main.conditions.requires == ("secret WREN_KEY",)
    assert (tool.id, tool.task, tool.description) == ("find-bird", "data.web-search", 'Searches the web for "birds".')
    assert [(c.metric, c.value, c.span and SERVER[c.span.start : c.span.end]) for c in artifact.claims] == [
        ("tool_listed", "find-bird", "find-bird"), ("tool_listed", "count", "count"),
    ]  # fmt: skip
    assert [(problem.line, problem.code) for problem in entry.left_out] == [(25, "missing_name")]
    assert [(p.text, p.capability) for p in entry.passages] == [
        (artifact.description, None), (tool.description, "find-bird"),
    ]  # fmt: skip
    words = entry.passages[0]
    span = words.span(0, len(words.text))
    assert SERVER[span.start : span.end] == "Keeps lists of\n    birds."


def test_registry_folders_with_their_tools(tmp_path: Path) -> None:
    folder = tmp_path / "servers" / "wren"
    folder.mkdir(parents=True)
    (folder / "server.yaml").write_text(SERVER.partition("tools:")[0])
    tools = '[{"name": "sing", "description": "Says \\ud83d\\ude00 and writes \\"code\\"."}, {"name": "x"}]'
    (folder / "tools.json").write_text(tools)
    assert detect_kind(tmp_path) == "mcp"
    (entry,) = read_source(tmp_path)
    assert entry.artifact is not None
    assert [claim.value for claim in entry.artifact.claims] == ["sing", "x"]
    assert [tools[c.span.start : c.span.end] for c in entry.artifact.claims if c.span] == ['"sing"', '"x"']
    said = entry.passages[1]
    assert said.text == 'Says 😀 and writes "code".' and said.file.endswith("tools.json")
    span = said.span(said.text.index("writes"), said.text.index("writes") + 6)
    assert tools[span.start : span.end] == "writes"


def test_server_that_is_not_described_says_so(tmp_path: Path) -> None:
    entry = read(
        tmp_path,
        "name: wren\ntype: remote\nabout:\n  title: Wren\nremote: {transport_type: sse, url: 'https://x.org/mcp'}\n",
    )
    assert entry.artifact is not None and entry.artifact.url == "https://x.org/mcp"
    assert entry.artifact.capabilities[0].tags == ("protocol:sse",) and entry.passages == ()
    assert "the server is not described" in entry.warnings[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: wren}\n", "not_mcp"),
        ("name: wren\ntype: animal\nabout: {title: W}\n", "not_mcp"),
        ("name: wren\ntype: server\nabout: yes\n", "not_mcp"),
        ("- a\n- b\n", "not_mcp"),
        ("", "empty"),
        ("name: [\n", "syntax"),
        ("name: !!python/object:os.system x\n", "bad_tag"),
    ],
)
def test_other_yaml_is_refused_with_one_line(tmp_path: Path, text: str, code: str) -> None:
    entry = read(tmp_path, text)
    assert entry.artifact is None and entry.problem is not None
    assert entry.problem.code == code and "\n" not in str(entry.problem)


def test_folder_keeps_the_good_ones(tmp_path: Path, home: Home) -> None:
    (tmp_path / "a.yaml").write_text(SERVER)
    (tmp_path / "b.yaml").write_text("kind: Pod\n")
    (tmp_path / "c.yaml").write_text(SERVER)
    assert detect_kind(tmp_path) == "mcp" and detect_kind(tmp_path / "b.yaml") == "manifest"
    report = ingest(home, [tmp_path])
    assert [problem.code for problem in report.rejected] == ["not_mcp", "duplicate_id"]
    assert report.inventory == {"MCP server": 1, "rejected": 2}
    assert ingest(home, [tmp_path]).unchanged == 1


def test_manifests_of_ours_stay_manifests(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("artifact: {name: a}\n")
    (tmp_path / "b.yaml").write_text(SERVER)
    assert detect_kind(tmp_path) == "manifest"


def test_folder_without_manifests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no server's manifest in it"):
        list(read_source(tmp_path, "mcp"))


def test_a_real_registry(shared: Path) -> None:
    folder = shared / "data" / "mcp"
    assert detect_kind(folder) == "mcp"
    entries = list(read_source(folder))
    assert len(entries) == 166 and all(entry.artifact is not None and not entry.left_out for entry in entries)
    assert sum("not described" in warning for entry in entries for warning in entry.warnings) == 26
    assert sum(len(entry.passages) for entry in entries) == 140 + 5  # five of six listed tools are described
    for passage in (passage for entry in entries for passage in entry.passages):
        raw = Path(passage.file).read_text(encoding="utf-8")
        for position, char in enumerate(passage.text):
            there = raw[passage.span(position, position + 1).start]
            assert there in (char, "\\") or (char == " " and there.isspace())
