"""Catalogues in CSV, and columns with other names: delimiters, encodings, quotes, broken rows; and the dry run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.main import app
from graph.errors import InputError, SourceError
from graph.home import Home
from indexer.ingest import ingest
from indexer.sources import CSV_FIELDS, Entry, parse_map, read_source
from indexer.sources.csv_rows import CsvRow, open_csv
from indexer.sources.findings import clean_text

MAP = {"id": "model_id", "name": "Title", "description": "Summary", "params": "size"}


def read(folder: Path, text: str | bytes, mapping: dict[str, str] | None = None, name: str = "c.csv") -> list[Entry]:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_source(file, mapping=mapping))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_by_a_map_in_any_notation(tmp_path: Path, delimiter: str, mark: str, end: str) -> None:
    rows = [
        ["model_id", "Title", "Summary", "size", "mood"],
        ["a/b", "Wren", '"Says ""hello"",\nand sings."', "5.6M", "gay"],
        ["c", "", "Plain words.", "", ""],
    ]
    text = mark + end.join(delimiter.join(row) for row in rows).replace("\n", end).replace("\r\r", "\r") + end
    first, second = read(tmp_path, text, MAP)
    assert first.artifact is not None and second.artifact is not None
    assert (first.artifact.id, first.artifact.name, first.artifact.params) == ("a/b", "Wren", 5_600_000)
    assert first.artifact.description == 'Says "hello", and sings.'
    assert (second.artifact.name, second.artifact.params, second.artifact.source.line) == ("c", None, 4)
    assert first.warnings == (f"{tmp_path / 'c.csv'}: columns that are not mapped and were kept out: mood",)
    assert second.warnings == ()
    (passage,) = first.passages
    assert passage.text == first.artifact.description and passage.capability == "main"
    for word in ("Says", '"hello"', "sings."):
        span = passage.span(passage.text.index(word), passage.text.index(word) + len(word))
        raw = text.removeprefix("\ufeff")[span.start : span.end]
        assert raw.replace('""', '"').strip('"') == word.strip('"')


def test_columns_called_like_fields_need_no_map(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, "ID,Name,License,Task\nw,Wren,mit,translation\n")
    assert entry.artifact is not None and entry.warnings == ()
    assert (entry.artifact.id, entry.artifact.license) == ("w", "mit")
    assert entry.artifact.capabilities[0].task == "text.translation"


def test_other_encodings_are_guessed_and_said(tmp_path: Path) -> None:
    text = "id,name,description\n" + "".join(f"w{n},Größe,Übersetzt schöne Wörter für Gäste.\n" for n in range(20))
    first, *_ = read(tmp_path, text.encode("cp1252"))
    assert first.artifact is not None and first.artifact.name == "Größe"
    assert "not UTF-8: read as cp1" in first.warnings[0]


@pytest.mark.parametrize(
    ("text", "mapping", "message"),
    [
        ("", None, "no line in it"),
        ("id,name\n", None, "no row in it"),
        ("id,id\n1,2\n", None, "column 'id' is there twice"),
        ("a,b\n1,2\n", None, "no column for id: say --map id=COLUMN; it has a, b"),
        ("model_id,b\n1,2\n", {"id": "modelid"}, r"no column 'modelid' for id \(did you mean model_id\?\)"),
        (b"\0\1\2\3", None, "not a text"),
        (b"id,name\na,\xff\xfe\x81\x8d\n" + bytes(range(128, 160)) * 9, None, "UTF-8"),
        ('"id,name\n', None, "a quote is opened and not closed"),
    ],
)
def test_file_that_cannot_be_read_is_one_error(
    tmp_path: Path, text: str | bytes, mapping: dict[str, str] | None, message: str
) -> None:
    try:
        entries = read(tmp_path, text, mapping)
    except SourceError as error:
        assert "c.csv" in str(error) and "\n" not in str(error)
        with pytest.raises(SourceError, match=message):
            raise
    else:
        assert any(message in warning for entry in entries for warning in entry.warnings)


def test_broken_rows_lose_nothing_around_them(tmp_path: Path) -> None:
    text = 'id,name\na,A\nb\nc,"C\nd,D\ne,"E"x\nf,F,F\n\ng,G\na,again\n,nameless\n'
    entries = read(tmp_path, text)
    assert [entry.artifact.id for entry in entries if entry.artifact] == ["a", "d", "g"]
    assert [(entry.problem.line, entry.problem.code) for entry in entries if entry.problem] == [
        (3, "ragged_row"), (4, "syntax"), (6, "syntax"), (7, "ragged_row"), (10, "duplicate_id"), (11, "bad_id"),
    ]  # fmt: skip


def test_large_file_with_an_open_quote_is_read_in_linear_time(tmp_path: Path) -> None:
    text = "id,name\n" + 'x,"y\n' + "".join(f"n{number},N\n" for number in range(20_000))
    entries = read(tmp_path, text)
    assert len(entries) == 20_001 and sum(entry.artifact is None for entry in entries) == 1


@given(
    st.lists(st.lists(st.text(st.sampled_from(list('ab ",;\n\ré€😀'))), min_size=2, max_size=2), min_size=1, max_size=5)
)
def test_cells_are_where_they_say(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in [["first", "second"], *rows]]
    text = "\n".join(",".join(row) for row in quoted) + "\n"
    file = tmp_path_factory.mktemp("csv") / "c.csv"
    file.write_bytes(text.encode())
    found = [row for row in open_csv(file).rows() if isinstance(row, CsvRow)]
    wanted = [row for row in rows if any(cell.strip() for cell in row)]
    assert [list(row.cells) for row in found] == wanted
    for row in found:
        for column, cell in enumerate(row.cells):
            start, end = row.place(column)
            assert text[start:end].replace('""', '"') == cell
            assert row.passage(column, "f").text == clean_text(cell)


def test_json_lines_by_a_map(tmp_path: Path) -> None:
    lines = [
        {"model_id": "a", "Title": "Wren", "Summary": 'Says "ö"\n twice.', "size": 7, "mood": 1},
        {"model_id": "b"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    first, second = read(tmp_path, text, MAP, "c.jsonl")
    assert first.artifact is not None and second.artifact is not None
    assert (first.artifact.name, first.artifact.params, second.artifact.name) == ("Wren", 7, "b")
    assert "kept out: mood" in first.warnings[0] and second.warnings == ()
    (passage,) = first.passages
    assert passage.text == 'Says "ö" twice.'
    assert text[passage.span(6, 7).start :].startswith("\\u00f6")
    with pytest.raises(SourceError, match="did you mean model_id"):
        read(tmp_path, text, {"id": "model_idd"}, "c.jsonl")


def test_passages_of_json_lines_stand_behind_odd_lines_too(tmp_path: Path) -> None:
    odd = b"\xef\xbb\xbf{broken\n\n" + '{"id": "é", "name": "n", "description": "eins"}\r\n'.encode()
    data = (
        odd + b'{"variants": [{"description": "not this"}], "id":"b", "name" : "n" , "description" : "zwei \\"x\\""}\n'
    )
    entries = read(tmp_path, data, None, "c.jsonl")
    text = data.decode("utf-8-sig")
    for entry, word in zip(entries[1:], ("eins", "zwei"), strict=True):
        (passage,) = entry.passages
        assert text[passage.span(0, 4).start : passage.span(0, 4).end] == word


def test_map_is_only_for_catalogues(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--map is for catalogues"):
        list(read_source(tmp_path, "page", mapping=MAP))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["id"], "write field=column"), (["=a"], "write field=column"), (["idd=a"], "did you mean id"),
        (["id=a,id=b"], "given twice"), (["variants=a"], "no field 'variants'"),
    ],
)  # fmt: skip
def test_malformed_maps_say_what_to_write(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_map(texts, CSV_FIELDS)


def test_maps_may_be_several_and_quote_commas() -> None:
    assert parse_map(['id=a, "name=The, title"', "url=u=v"], CSV_FIELDS) == {
        "id": "a",
        "name": "The, title",
        "url": "u=v",
    }


def test_dry_run_shows_and_stores_nothing(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text("model_id,Title,Summary,size\nw,Wren,Classifies images.,5.6M\nbroken\n")
    call = ["ingest", str(file), "--map", "id=model_id,name=Title,description=Summary,params=size", "--dry-run",
            "--home", str(tmp_path / "home")]  # fmt: skip
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 4 and not (tmp_path / "home").exists()
    assert "w (Wren)\n  type         model\n  params       5,600,000\n" in result.stdout
    assert "2 entries: 1 catalogue entry, 1 rejected\na dry run: nothing was stored, 1 rejected\n" in result.stdout
    assert f"rejected {file}:3: the row has 1 cells" in result.stderr
    document = json.loads(CliRunner().invoke(app, [*call, "--json"]).stdout)
    assert (document["dry_run"], document["added"], document["accepted"]) == (True, 0, 1)
    assert [artifact["id"] for artifact in document["preview"]] == ["w"]
    assert CliRunner().invoke(app, ["ingest", str(file), "--map", "idd=x"]).exit_code == 2


def test_second_ingest_changes_nothing(tmp_path: Path, home: Home) -> None:
    file = tmp_path / "c.csv"
    file.write_text("model_id,Title,Summary,size\nw,Wren,Has 5.6M parameters.,5.6M\n")
    first, second = ingest(home, [file], mapping=MAP), ingest(home, [file], mapping=MAP)
    assert (first.added, second.unchanged, second.changed) == (1, 1, 0)
