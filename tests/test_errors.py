"""Errors: one tree as drawn, one line each, saying what, where and what to do."""

from __future__ import annotations

import inspect
import re

import pytest

from graph import errors
from graph.errors import EvidenceError, MatchgraphError, SourceError, TokenRefused, UnknownArtifact

CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]


def test_the_tree_is_as_drawn() -> None:
    drawn, parents = {}, {0: "Exception"}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z]\w+)", line)
        if found:
            depth = len(found[1]) // 4 + 1
            drawn[found[2]] = parents[depth - 1]
            parents[depth] = found[2]
    assert drawn == {each.__name__: each.__bases__[0].__name__ for each in CLASSES}
    assert len(drawn) >= 13


def test_all_are_caught_by_the_root() -> None:
    assert all(issubclass(each, MatchgraphError) for each in CLASSES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"file": "a.yml", "line": 3}, "a.yml:3: name is missing: add it"),
        ({"file": "a.yml"}, "a.yml: name is missing: add it"),
        ({}, "name is missing: add it"),
    ],
)
def test_a_source_error_says_where(given: dict[str, object], message: str) -> None:
    error = SourceError("name is missing: add it", **given)
    assert str(error) == message
    assert (error.what, error.line, error.code) == ("name is missing: add it", given.get("line"), "unreadable")


def test_an_unknown_artifact_names_the_nearest() -> None:
    assert str(UnknownArtifact("foo", ["foo-1", "foo-2"])) == "no artifact 'foo': did you mean foo-1, foo-2?"
    assert str(UnknownArtifact("foo", kind="node")) == "no node 'foo': see `matchgraph search`"


def test_hostile_names_stay_on_one_short_line() -> None:
    message = str(UnknownArtifact("x\n\x1b[31m" + "y" * 10_000))
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 150


def test_a_refused_token_carries_its_reason() -> None:
    error = TokenRefused("expired", "search again")
    assert (error.reason, str(error)) == ("expired", "outcome refused (expired): search again")
    with pytest.raises(MatchgraphError):
        raise EvidenceError("evidence ev_1: altered")
