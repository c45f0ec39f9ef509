"""Queries, conditions and numbers: what is read, and what is refused with one clear line."""

from __future__ import annotations

import pytest
from factories import make_artifact
from hypothesis import given
from hypothesis import strategies as st

from graph.artifacts import Pricing
from graph.constants import QUERY_MAX_CHARS
from graph.errors import QueryError
from search.query import Where, holds, read_limits, read_number, read_query, read_where


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("\n\t", "empty"),
        ("?!…", "no words"),
        ("\x00\x01", "no words"),
        ("🦊🎨", "no words"),
    ],
)
def test_a_query_without_a_word_is_refused(text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        read_query(text)


def test_a_long_query_is_cut_and_says_so() -> None:
    query = read_query("depth " * 1_700)
    assert query.cut
    assert len(query.text) <= QUERY_MAX_CHARS
    assert not read_query("depth from one image").cut


def test_what_is_personal_never_reaches_the_query() -> None:
    query = read_query("summarise mails of ann@example.org with hf_abcdefghijklmnopqrstuvwxyz")
    assert "ann" not in query.text
    assert "hf_" not in query.text
    assert query.redacted == ("email", "secret")


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = read_query(text)
    except QueryError:
        return
    assert query.text == " ".join(query.text.split())
    assert query.text.isprintable()


@pytest.mark.parametrize(
    ("text", "value"), [("10M", 10e6), ("4.5B", 4.5e9), ("300k", 300e3), ("2GiB", 2 * 2**30), ("1,000", 1000), ("7", 7)]
)
def test_numbers(text: str, value: float) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize(
    "condition",
    [
        "params",
        "params<",
        "params<many",
        "params<10X",
        "weight<3",
        "type<model",
        "params~3",
        "type=car",
        "=",
        "params<1e3",
        "free=perhaps",
    ],
)
def test_malformed_conditions_are_refused(condition: str) -> None:
    with pytest.raises(QueryError):
        read_where([condition])


def test_the_type_is_one_more_condition() -> None:
    assert read_where(["params<=10M"], "Model") == (Where("params", "<=", 10e6), Where("type", "=", "model"))
    assert [str(w) for w in read_where(["params<=10M"], "model")] == ["params<=10000000", "type=model"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("params<10M", True), ("params<=5600000", True), ("params<5600000", False), ("params!=5600000", False),
        ("license=mit", True), ("license!=mit", False), ("license~it", True), ("task=image-classification", True),
        ("task=vision.image-classification", True), ("task=text-generation", False), ("free=true", True),
        ("family=vit", None), ("stars>3", None), ("type=model", True),
    ],
)  # fmt: skip
def test_a_condition_holds_fails_or_is_unknown(condition: str, expected: bool | None) -> None:
    artifact = make_artifact(params=5_600_000, license="MIT", pricing=Pricing(free=True))
    assert holds(read_where([condition])[0], artifact) is expected


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (101, 0), (-1, 0), (10, -1), (10, 10_001)])
def test_limits(limit: int, offset: int) -> None:
    with pytest.raises(QueryError):
        read_limits(limit, offset)
    read_limits(100, 10_000)
