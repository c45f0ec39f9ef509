"""Replay, part by part: lines, times, columns, names, bots."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from graph.errors import SourceError
from search.bots import is_bot
from search.replay.columns import Columns
from search.replay.lines import read_rows
from search.replay.names import ArtifactNames
from search.replay.times import read_time

MOMENT = datetime(2026, 11, 28, 10, 0, 0, 250_000, tzinfo=UTC)
MOMENT_US = int(MOMENT.timestamp() * 1_000) * 1_000


def _rows(path: Path, content: bytes | str) -> list[tuple[int, Any]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(n, row.code if isinstance(row, SourceError) else row) for n, row in read_rows(path)]


# Lines ----------------------------------------------------------------------------------------------------
def test_json_lines_are_numbered_and_broken_ones_named(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbf{"a": 1}\n\n{"a": \n["a"]\n{"a": "\xff"}\n{"a": 2}\n{"a": 3'
    assert _rows(tmp_path / "log.jsonl", text) == [
        (1, {"a": 1}), (3, "syntax"), (4, "bad_type"), (5, "not_utf8"), (6, {"a": 2}), (7, "truncated"),
    ]  # fmt: skip


def test_a_whole_last_line_needs_no_line_break(tmp_path: Path) -> None:
    assert _rows(tmp_path / "log.jsonl", '{"a": 1}') == [(1, {"a": 1})]
    assert _rows(tmp_path / "log.csv", "a,b\n1,2") == [(2, {"a": "1", "b": "2"})]


def test_a_last_line_with_its_break_is_broken_not_cut(tmp_path: Path) -> None:
    assert _rows(tmp_path / "log.jsonl", '{"a": 1}\n{"a"\n')[-1] == (2, "syntax")
    assert _rows(tmp_path / "log.csv", "a,b\n1\n")[-1] == (2, "cells")
    assert _rows(tmp_path / "log.csv", "a,b\n1")[-1] == (2, "truncated")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_of_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    lines = [["time", "query", "results"], ["1", '"one', 'two ""three"""'], ["2", "four", ""]]
    lines[1] = ["1", '"one\ntwo ""three"""', "x"]
    text = "\n".join(delimiter.join(cells) for cells in lines) + "\n"
    assert _rows(tmp_path / "log.txt", "\ufeff" + text) == [
        (2, {"time": "1", "query": 'one\ntwo "three"', "results": "x"}),
        (4, {"time": "2", "query": "four", "results": ""}),
    ]


def test_a_stray_quote_costs_one_line_not_the_rest_of_the_file(tmp_path: Path) -> None:
    good = [f"{n},fine" for n in range(300)]
    text = "\n".join(["n,query", *good[:100], '100,"open', *good[100:200], '201,"open', *good[200:], ""])
    rows = _rows(tmp_path / "log.csv", text)
    assert [row for _, row in rows if isinstance(row, str)] == ["cells", "cells"]
    assert sum(isinstance(row, dict) for _, row in rows) == 300
    assert [n for n, row in rows if isinstance(row, str)] == [102, 203]


def test_thousands_of_stray_quotes_are_thousands_of_lines(tmp_path: Path) -> None:
    rows = _rows(tmp_path / "log.csv", "n,query\n" + '1,"open\n' * 3_000)
    assert (len(rows), {row for _, row in rows}) == (3_000, {"cells"})


def test_undecodable_and_endless_lines_in_csv(tmp_path: Path) -> None:
    text = b"a,b\n1,2\n\xff,3\n" + b"x" * 1_100_000 + b"\n4,5\n6,7,8\n"
    assert [row for _, row in _rows(tmp_path / "log.csv", text)] == [
        {"a": "1", "b": "2"}, "not_utf8", "too_long", {"a": "4", "b": "5"}, "cells",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("log.jsonl", b"", "no line"), ("log.csv", b" \n\n", "no line"), ("log.json", b'[{"a": 1}]', "JSON array"),
        ("log.gz", gzip.compress(b"a,b\n", mtime=0), "gunzip"), ("log.csv", b"a\n1\n", "header"),
        ("log.csv", b"a,b,a\n1,2,3\n", "'a' is there twice"), ("log.csv", b"\xff\xfe\n", "UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_log(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(SourceError) as refused:
        _rows(tmp_path / name, content)
    assert said in str(refused.value)
    assert str(tmp_path / name) in str(refused.value)


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="readable log"):
        list(read_rows(tmp_path))


# Times ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        MOMENT.timestamp(), MOMENT_US // 1_000, MOMENT_US, MOMENT_US * 1_000, str(MOMENT_US // 1_000),
        f"{MOMENT.timestamp():.3f}", "2026-11-28T10:00:00.250Z", "2026-11-28 10:00:00.25",
        "2026-11-28T12:00:00.25+02:00",
        "2026-11-28 10:00:00.250 UTC",
    ],
)  # fmt: skip
def test_one_moment_in_many_forms(text: object) -> None:
    assert read_time(text) == MOMENT_US


@pytest.mark.parametrize(
    "text", ["[28/Nov/2026:11:00:00 +0100]", "Sat, 28 Nov 2026 10:00:00 GMT", "2026-11-28T10:00:00"]
)
def test_web_servers_and_mail(text: str) -> None:
    assert read_time(text) == MOMENT_US - 250_000


def test_zones_and_formats_of_ones_own() -> None:
    assert read_time("2026-07-01 12:00:00", ZoneInfo("Europe/Berlin")) == read_time("2026-07-01T10:00:00Z")
    assert read_time("2026-07-01T12:00:00Z", ZoneInfo("Europe/Berlin")) == read_time("2026-07-01T12:00:00Z")
    fixed = timezone(timedelta(hours=-5))
    assert read_time("7/1/26 5 PM", fixed, "%m/%d/%y %I %p") == read_time("2026-07-01T22:00:00Z")
    with pytest.raises(ValueError, match="match"):
        read_time("2026-07-01", form="%m/%d/%y")


@pytest.mark.parametrize(
    "text", ["", "soon", None, True, [], "03/04/2026", -1, float("nan"), float("inf"), "1e9", "9" * 40]
)
def test_no_times(text: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        read_time(text)


# Columns --------------------------------------------------------------------------------------------------
def test_usual_names_are_found_in_any_spelling() -> None:
    columns = Columns()
    said = columns.read({"searchId": "1", "User Agent": "x", "Search-Term": "q", "weather": "fine", "ts": 5})
    assert said == {"search": "1", "user_agent": "x", "query": "q", "time": 5}
    assert columns.used == {"time": "ts", "query": "Search-Term", "search": "searchId", "user_agent": "User Agent"}
    assert columns.unused == ("weather",)


def test_a_mapping_wins_reaches_below_and_takes_away() -> None:
    columns = Columns(["query=body.words", "actor=", "artifact=gone"])
    assert columns.read({"query": "no", "body": {"words": "yes"}, "user": "ann", "time": 1}) == {
        "query": "yes",
        "time": 1,
    }
    assert columns.unused == ("query", "user")
    assert columns.missing == ("gone",)


def test_nothing_is_nothing_but_empty_results_are_none_shown() -> None:
    row = {"query": "", "time": None, "actor": "-", "search": "NULL", "artifact": "\\N", "results": "", "position": 0}
    assert Columns().read(row) == {"results": "", "position": 0}


# Names ----------------------------------------------------------------------------------------------------
def test_the_page_below_a_model_is_the_model_and_two_of_one_name_are_two() -> None:
    names = ArtifactNames([
        ("ann/one", "ann--one", "One", None), ("ben/one", "ben--one", "One", "https://www.ben.example/one/"),
        ("main", "main", "Main", None),
    ])  # fmt: skip
    assert names.resolve("https://huggingface.co/ann/one/tree/main") == ("ann/one",)
    assert names.resolve("http://BEN.example/one?a=b") == ("ben/one",)
    assert names.resolve("one") == ("ann/one", "ben/one")
    assert names.resolve("main") == ("main",)
    assert names.resolve("http://[broken") == names.resolve("") == names.resolve("nobody") == ()


@pytest.mark.parametrize(
    "agent", ["Googlebot/2.1", "my crawler", "HeadlessChrome/130", "UptimeRobot/2.0", "Scrapy/2.11"]
)
def test_bots(agent: str) -> None:
    assert is_bot(agent)


@pytest.mark.parametrize(
    "agent", ["", "Mozilla/5.0 Firefox/140.0", "python-httpx/0.28", "Mozilla (Android; CUBOT X19)"]
)
def test_no_bots(agent: str) -> None:
    assert not is_bot(agent)
