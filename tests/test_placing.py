"""Passages of escaped and folded texts: every character is where it says it is, in every notation."""

from __future__ import annotations

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from indexer.passages import Passage
from indexer.placing import csv_pieces, json_pieces, placed_passage, plain_pieces, yaml_pieces
from indexer.sources.findings import clean_text
from indexer.sources.nodes import read_documents

TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs",)),
        st.sampled_from(list(" \n\t\r\"'\\,:#|>-{}[]é€😀\u200d\u00a0\u2028\x07\x85%")),
    ),
    max_size=60,
)


def at(file_text: str, passage: Passage, position: int) -> str:
    """What stands in the file where a character of a passage says that it is."""
    return file_text[passage.span(position, position + 1).start :]


def assert_placed(file_text: str, passage: Passage) -> None:
    """Each character is in the file as it is, or as an escape of itself, or as what folds to a blank."""
    places = [passage.span(n, n + 1).start for n in range(len(passage.text))]
    assert places == sorted(set(places))
    for position, char in enumerate(passage.text):
        there = at(file_text, passage, position)
        fits = there[0] in (char, "\\") or (char == " " and clean_text(there[0]) == "")
        assert fits, (char, there[:8])
        if there[0] == "\\" and char != "\\" and char != " ":
            assert escape_of(there) == char


def escape_of(there: str) -> str:
    """The character that the escape at the beginning of a text stands for."""
    lengths = {"x": 4, "u": 12 if there[2:4].lower() in ("d8", "d9", "da", "db") else 6, "U": 10}
    raw = there[: lengths.get(there[1], 2)]
    if there[1] in "uU" and len(raw) != 10:
        return str(json.loads(f'"{raw}"'))
    return str(yaml.safe_load(f'"{raw}"'))


@given(TEXTS, TEXTS, st.booleans())
def test_json_strings(before: str, text: str, ascii_only: bool) -> None:
    raw = json.dumps({"k": before, "t": text}, ensure_ascii=ascii_only)
    start = len(json.dumps({"k": before}, ensure_ascii=ascii_only)) - 1 + len(', "t": "')
    passage = placed_passage(json_pieces(raw, start, len(raw) - 2), "f")
    assert passage.text == clean_text(text)
    assert_placed(raw, passage)


@given(TEXTS)
def test_csv_cells(text: str) -> None:
    raw = '1,"' + text.replace('"', '""') + '",2'
    passage = placed_passage(csv_pieces(raw, 3, len(raw) - 3), "f")
    assert passage.text == clean_text(text)
    assert_placed(raw, passage)


@given(TEXTS)
def test_plain_stretches(text: str) -> None:
    raw = "head\n" + text
    passage = placed_passage(plain_pieces(raw, 5, len(raw)), "f")
    assert passage.text == clean_text(text)
    assert_placed(raw, passage)


@given(TEXTS, st.sampled_from(["'", '"', "|", ">", None]), st.integers(20, 80), st.booleans())
def test_yaml_scalars_of_every_style(text: str, style: str | None, width: int, unicode: bool) -> None:
    raw = yaml.safe_dump(
        {"a": 1, "t": {"s": text, "z": "end"}}, default_style=style, width=width, allow_unicode=unicode
    )
    (document,) = read_documents(raw, "f")
    node = document.get("t").get("s")  # type: ignore[union-attr]
    if node is None or not isinstance(node.raw, str):
        return
    passage = placed_passage(yaml_pieces(raw, node.start, node.end), "f")
    assert passage.text == clean_text(node.raw)
    assert_placed(raw, passage)


def test_escaped_line_break_joins_and_escaped_blanks_stay() -> None:
    raw = 't: "one\\\n    two \\\n    three\\ four\\tfive \\u00e9\\x41\\U0001F600"'
    (document,) = read_documents(raw, "f")
    node = document.get("t")  # type: ignore[union-attr]
    assert node is not None
    passage = placed_passage(yaml_pieces(raw, node.start, node.end), "f")
    assert passage.text == clean_text(node.raw) == "onetwo three four five éA😀"
    assert_placed(raw, passage)
    assert raw[passage.span(0, 6).start : passage.span(0, 6).end].startswith("one\\")


def test_text_that_stands_in_the_file_as_it_is_needs_no_offsets() -> None:
    passage = placed_passage(plain_pieces("  As it is.\n", 0, 12), "f", capability="c", subject="Y")
    assert (passage.text, passage.start, passage.offsets) == ("As it is.", 2, ())
    assert (passage.capability, passage.subject) == ("c", "Y")
    assert placed_passage([], "f").text == ""


def test_span_over_a_folded_line_break_covers_it() -> None:
    raw = "a: >\n  5.6 M\n    parameters\n"
    (document,) = read_documents(raw, "f")
    node = document.get("a")  # type: ignore[union-attr]
    assert node is not None
    passage = placed_passage(yaml_pieces(raw, node.start, node.end), "f")
    start = passage.text.index("5.6")
    span = passage.span(start, start + len("5.6 M parameters"))
    assert raw[span.start : span.end] == "5.6 M\n    parameters"
