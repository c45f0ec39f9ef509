"""The event schema is final: its shape is written down here, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import math

import pytest
import rfc8785
from factories import DAY_0_US, make_outcome, make_search
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from graph.digest import canonical_json, digest_of, link, text_digest
from graph.events import (
    EVENT,
    INTEGER_MAX,
    Actor,
    CatalogueEvent,
    Delivered,
    OutcomeEvent,
    SearchEvent,
    Tombstone,
    hashed_actor,
    new_id,
)

SHAPE = {
    SearchEvent: "schema_version id time_us kind parent root operation origin actor synthetic query redacted intent "
    "vector_key snapshot filters policy limit offset abstained exploration_position exploration_propensity target "
    "rejected switches seen_seq batch results salt",
    OutcomeEvent: "schema_version id time_us kind search artifact outcome actor origin synthetic intent uri position "
    "trust token_digest batch salt",
    CatalogueEvent: "schema_version id time_us kind action subject object detail salt",
    Tombstone: "schema_version id time_us kind erased reason salt",
    Actor: "id key_id",
    Delivered: "artifact uri position score repeat",
}


@pytest.mark.parametrize("model", SHAPE)
def test_no_field_was_renamed_or_removed(model: type) -> None:
    written = set(SHAPE[model].split())
    assert written <= set(model.model_fields)
    added = set(model.model_fields) - written
    assert [name for name in added if model.model_fields[name].is_required()] == []


def test_an_event_of_the_first_day_reads_the_same_for_ever() -> None:
    line = (
        '{"actor":{"id":"local","key_id":null},"id":"ou_1","intent":"in_1","kind":"outcome","origin":"cli",'
        '"outcome":"success","position":2,"schema_version":1,"search":"se_1","artifact":"ann/tiny",'
        '"synthetic":false,"time_us":1760000000000000,"token_digest":null,"trust":1.0,"uri":null}'
    )
    event = EVENT.validate_json(line)
    assert event == OutcomeEvent(
        id="ou_1", time_us=DAY_0_US, search="se_1", artifact="ann/tiny", outcome="success",
        actor=Actor(id="local"), origin="cli", intent="in_1", position=2,
    )  # fmt: skip
    written = event.model_dump(mode="json")
    assert {name: written[name] for name in json.loads(line)} == json.loads(line)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, INTEGER_MAX), st.text(max_size=20))
def test_what_is_written_is_what_is_read(score: float, position: int, query: str) -> None:
    delivered = Delivered(artifact="a", position=position, score=score)
    event = make_search(query=query, results=(delivered,))
    stored = canonical_json(event.model_dump(mode="json"))
    assert EVENT.validate_json(stored) == event
    assert canonical_json(EVENT.validate_json(stored).model_dump(mode="json")) == stored


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused(score: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Delivered(artifact="a", position=1, score=score)


@pytest.mark.parametrize(
    "wrong",
    [{"time_us": -1}, {"time_us": 2**53}, {"position": 0}, {"trust": 1.1}, {"outcome": "love"}, {"extra": 1}],
)
def test_an_outcome_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_outcome("se_1", "a", **({"outcome": "click"} | wrong))


def test_events_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_search(["a"]).query = "other"


def test_ids_are_fresh() -> None:
    assert len({new_id("se") for _ in range(1_000)}) == 1_000
    assert new_id("se").startswith("se_")


def test_an_actor_is_a_keyed_hash() -> None:
    ann = hashed_actor("ann@example.org", b"key one", "k1")
    assert ann == hashed_actor("ann@example.org", b"key one", "k1")
    assert ann.id != hashed_actor("ann@example.org", b"key two", "k2").id
    assert ann.id != hashed_actor("bob@example.org", b"key one", "k1").id
    assert "ann" not in ann.model_dump_json()


@given(st.recursive(st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=5), st.lists, max_leaves=8))
def test_a_digest_is_sha256_of_rfc_8785(value: object) -> None:
    assert digest_of(value) == hashlib.sha256(rfc8785.dumps(value)).hexdigest()


plain = (
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)


@given(
    st.recursive(
        plain | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    )
)
def test_our_fast_writing_is_rfc_8785(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"b": 1, "a": [1.0, 2]}) == digest_of(json.loads('{"a": [1, 2.0], "b": 1}'))
    # RFC 8785, section 3.2.2.3: the number 333333333.33333329 is written 333333333.3333333.
    assert canonical_json([333333333.33333329, 1e30, 4.50]) == b"[333333333.3333333,1e+30,4.5]"


@pytest.mark.parametrize(
    ("value", "reason"),
    [(math.nan, "not representable"), (2**53, "safe integer"), (object(), "unsupported type"), ("\ud800", "non-UTF-8")],
)
def test_what_is_not_json_has_no_digest(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        digest_of(value)


def test_a_link_depends_on_both_ends() -> None:
    one, two = text_digest("1"), text_digest("2")
    assert len({link(one, two), link(two, one), link(one, one)}) == 3
    assert link(one, two) == hashlib.sha256(f"{one}:{two}".encode()).hexdigest()
