"""Tokens and outcomes: what is forged, foreign, late, reused or contradictory changes nothing and says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import make_search

from graph.constants import DAY_US, TOKEN_LIFE_DAYS
from graph.errors import QueryError, TokenRefused
from graph.events import Actor, SearchEvent, now_us
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import log
from search.outcomes import Caller, record_last, record_outcome
from search.tokens import make_token, read_token

LOCAL = Caller("cli", Actor(id="local"))


def _searched(home: Home, **fields: object) -> SearchEvent:
    search = make_search(["a", "b"], **({"time_us": now_us()} | fields))
    with home.store.writing() as connection:
        log.append_events(connection, [search])
    return search


def _votes(home: Home) -> int:
    with home.store.reading() as connection:
        assert log.read_fold(connection) == log.refold(connection)
        return len(log.read_fold(connection).votes)


def test_a_token_records_its_own_outcome_once(home: Home) -> None:
    search = _searched(home)
    token = make_token(home, search.id, 2)
    answer = record_outcome(home, token, "success", LOCAL)
    assert (answer.artifact, answer.outcome, answer.search) == ("b", "success", search.id)
    with pytest.raises(TokenRefused, match="reused") as refused:
        record_outcome(home, token, "success", LOCAL)
    assert refused.value.reason == "reused"
    assert _votes(home) == 1


def test_success_and_failure_exclude_each_other_and_the_first_wins(home: Home) -> None:
    token = make_token(home, _searched(home).id, 1)
    record_outcome(home, token, "click", LOCAL)
    record_outcome(home, token, "failure", LOCAL)
    with pytest.raises(TokenRefused) as refused:
        record_outcome(home, token, "success", LOCAL)
    assert refused.value.reason == "contradicts"
    with home.store.reading() as connection:
        (vote,) = log.read_fold(connection).votes.values()
    assert vote.outcome == "failure"


@pytest.mark.parametrize("change", ["flip", "position", "search", "garbage", "empty"])
def test_forged_tokens_are_refused(home: Home, change: str) -> None:
    search, other = _searched(home), _searched(home)
    token = make_token(home, search.id, 1)
    forged = {
        "flip": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "position": token.replace(".1.", ".2."),
        "search": token.replace(search.id, other.id),
        "garbage": "mg1.se_x.1.y" * 50,
        "empty": "",
    }[change]
    with pytest.raises(TokenRefused) as refused:
        record_outcome(home, forged, "success", LOCAL)
    assert refused.value.reason == "forged"
    assert _votes(home) == 0


def test_a_token_of_another_home_is_refused(home: Home, tmp_path: Path) -> None:
    other = open_home(Settings(home=tmp_path / "other"))
    token = make_token(other, _searched(home).id, 1)
    other.close()
    with pytest.raises(TokenRefused):
        record_outcome(home, token, "success", LOCAL)


def test_a_search_that_is_not_in_the_log_is_foreign(home: Home) -> None:
    token = make_token(home, "se_" + "0" * 32, 1)
    with pytest.raises(TokenRefused) as refused:
        record_outcome(home, token, "success", LOCAL)
    assert refused.value.reason == "foreign"


def test_a_late_token_is_refused(home: Home) -> None:
    late = _searched(home, time_us=now_us() - (TOKEN_LIFE_DAYS * DAY_US + 1_000_000))
    with pytest.raises(TokenRefused) as refused:
        record_outcome(home, make_token(home, late.id, 1), "success", LOCAL)
    assert refused.value.reason == "expired"
    in_time = _searched(home, time_us=now_us() - (TOKEN_LIFE_DAYS * DAY_US - 60_000_000))
    record_outcome(home, make_token(home, in_time.id, 1), "success", LOCAL)
    assert _votes(home) == 1


def test_the_last_search_by_position(home: Home) -> None:
    with pytest.raises(QueryError, match="no search"):
        record_last(home, 1, "click", LOCAL)
    _searched(home, actor="somebody")
    mine = _searched(home, actor="local")
    _searched(home, actor="somebody")
    assert record_last(home, 2, "select", LOCAL).search == mine.id
    with pytest.raises(QueryError, match="no position 3"):
        record_last(home, 3, "select", LOCAL)
    with pytest.raises(QueryError, match="no outcome"):
        record_last(home, 1, "liked", LOCAL)


def test_the_outcome_of_a_synthetic_search_is_synthetic(home: Home) -> None:
    search = _searched(home, synthetic=True)
    record_outcome(home, make_token(home, search.id, 1), "success", LOCAL)
    assert _votes(home) == 0


def test_a_token_reads_back(home: Home) -> None:
    delivery = read_token(home, f"  {make_token(home, 'se_' + 'a' * 32, 12)}\n")
    assert (delivery.search, delivery.position) == ("se_" + "a" * 32, 12)
