"""The exploration slot and the popularity-blind mode: drawn fairly, the same everywhere, marked, switched off."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator

import pytest
from factories import make_artifact
from fake_encoder import WordEncoder
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from small_catalogue import CLASSIFY, build_small
from typer.testing import CliRunner

import search.engine
from cli.main import app
from graph.artifacts import Capability
from graph.constants import EXPLORE_DEPTH, EXPLORE_TEMPERATURE
from graph.events import SearchEvent
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import log
from search.api import create_app
from search.engine import LOCAL, Engine
from search.explore import Slot, draw_slot, with_slot
from search.memory import SearchRequest
from search.outcomes import record_outcome
from search.query import read_where
from search.ranking import Scored


def _scored(number: int, score: float) -> Scored:
    return Scored(f"a{number:03}", number, score, {"dense": score, "lexical": 0.0, "graph": 0.0, "name": 0.0})


def _falling(count: int) -> list[Scored]:
    return [_scored(number, 1.0 - number / 100) for number in range(count)]


# The draw -----------------------------------------------------------------------------------------------
def test_the_chance_is_computed_by_hand() -> None:
    found = _falling(5)
    slot = draw_slot(found, 3, lambda each: each.artifact != "a002", "a query", "s1")
    weights = {"a003": 1.0, "a004": math.exp(-0.01 / EXPLORE_TEMPERATURE)}
    assert slot is not None
    assert slot.position == 3
    assert slot.propensity == pytest.approx(weights[slot.artifact] / sum(weights.values()))
    assert slot == draw_slot(found, 3, lambda each: each.artifact != "a002", "a query", "s1")


def test_draws_are_as_frequent_as_they_say() -> None:
    found, drawn = _falling(12), Counter[str]()
    said: dict[str, float] = {}
    for number in range(4000):
        slot = draw_slot(found, 5, lambda _: True, f"query {number}", "s1")
        assert slot is not None
        drawn[slot.artifact] += 1
        said[slot.artifact] = slot.propensity
    assert set(drawn) == {each.artifact for each in found[4:]}
    assert sum(said.values()) == pytest.approx(1.0)
    assert max(said, key=said.__getitem__) == "a004"  # the most relevant is the most likely
    for artifact, chance in said.items():
        assert drawn[artifact] / 4000 == pytest.approx(chance, abs=4 * math.sqrt(chance / 4000))


def test_where_there_is_nothing_to_draw() -> None:
    assert draw_slot(_falling(9), 2, lambda _: True, "q", "s") is None  # too few places
    assert draw_slot(_falling(10), 10, lambda _: True, "q", "s") is None  # all are shown anyway
    assert draw_slot(_falling(20), 10, lambda _: False, "q", "s") is None
    assert draw_slot([], 10, lambda _: True, "q", "s") is None
    deep = draw_slot(_falling(90), 10, lambda each: each.row >= EXPLORE_DEPTH, "q", "s")
    assert deep is None


@given(st.integers(0, 80), st.integers(1, 20), st.integers(0, 90))
def test_nothing_is_lost_or_repeated(count: int, position: int, drawn: int) -> None:
    found = _falling(count)
    moved = with_slot(found, Slot(position, f"a{drawn:03}", 1.0))
    assert Counter(each.artifact for each in moved) == Counter(each.artifact for each in found)
    if drawn < count and position <= drawn + 1:
        assert moved[position - 1].artifact == f"a{drawn:03}"
        assert moved[: position - 1] == found[: position - 1]
    rest = [each for each in moved if each.row != drawn]
    assert rest == [each for each in found if each.row != drawn]
    assert with_slot(found, None) == found


# The engine ---------------------------------------------------------------------------------------------
def _photo(number: int) -> Capability:
    extra = " ".join(f"extra{number}x{place}" for place in range(number % 7))
    return Capability(id="main", name="classify photos", task=CLASSIFY, description=f"Names photos. {extra}".strip())


PHOTOS = tuple(
    make_artifact(f"o{number % 3}/photos-{number:02}", capabilities=(_photo(number),), params=1_000_000 * (number + 1))
    for number in range(60)
)


@pytest.fixture
def photos(home: Home) -> Engine:
    return build_small(home, PHOTOS)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    home = open_home(Settings(home=tmp_path_factory.mktemp("photos")))
    yield build_small(home, PHOTOS)
    home.close()


def _ask(engine: Engine, text: str = "classify photos", **fields: object):
    return engine.search(SearchRequest(text, LOCAL, **fields))  # type: ignore[arg-type]


def _last_event(engine: Engine) -> SearchEvent:
    with engine.home.store.reading() as connection:
        events = [e for e in log.read_events(connection, kind="search") if isinstance(e, SearchEvent)]
    return events[-1]


def test_the_last_place_is_marked_and_recorded(photos: Engine) -> None:
    answer = _ask(photos)
    assert [r.position for r in answer.results if r.exploration] == [10]
    event = _last_event(photos)
    assert event.exploration_position == 10
    assert 0 < (event.exploration_propensity or 0) < 1
    plain = _ask(photos, explore=False)
    assert not any(r.exploration for r in plain.results)
    assert [r.artifact for r in plain.results][:9] == [r.artifact for r in answer.results][:9]
    event = _last_event(photos)
    assert (event.exploration_position, event.exploration_propensity) == (None, None)
    assert (event.switches, plain.understood.switches) == (("no-explore",), ("no-explore",))


def test_different_queries_explore_different_things(untouched: Engine) -> None:
    queries = [f"classify photos {word}" for word in ("a", "the", "of", "and", "with", "in", "on", "by", "to", "or")]
    drawn = {_ask(untouched, query).results[-1].artifact for query in queries}
    assert len(drawn) > 3
    assert _ask(untouched, queries[0]).results[-1].artifact == _ask(untouched, queries[0]).results[-1].artifact


@pytest.mark.parametrize("limit", [3, 7, 10])
@pytest.mark.parametrize("where", [[], ["params>=20M", "organization=o1"]])
def test_pages_hold_everything_once(untouched: Engine, limit: int, where: list[str]) -> None:
    conditions = read_where(where)
    whole = [r.artifact for r in _ask(untouched, limit=60, where=conditions, explore=False).results]
    for continues in (False, True):
        first, pages, positions = None, [], []
        for offset in range(0, 60, limit):
            parent = first if continues else None
            answer = _ask(untouched, limit=limit, offset=offset, where=conditions, parent=parent)
            first = first or answer.search_id
            pages += [r.artifact for r in answer.results]
            positions += [r.position for r in answer.results if r.exploration]
        assert sorted(pages) == sorted(whole)
        assert positions == [limit]
        drawn = pages[limit - 1]
        assert [artifact for artifact in pages if artifact != drawn] == [a for a in whole if a != drawn]


def test_what_was_chosen_is_not_explored_again(photos: Engine) -> None:
    answer = _ask(photos)
    drawn = answer.results[-1]
    record_outcome(photos.home, drawn.token or "", "select", LOCAL)
    again = _ask(photos)
    marked = [r for r in again.results if r.exploration]
    assert [r.artifact for r in marked] != [drawn.artifact]
    further = _ask(photos, offset=10, parent=answer.search_id)  # the page goes on as it began
    assert not {r.artifact for r in further.results} & {r.artifact for r in answer.results[-1:]}


def test_what_is_explored_satisfies_the_limits(untouched: Engine) -> None:
    for text in ("classify photos", "names photos", "photos"):
        answer = _ask(untouched, text, where=read_where(["organization=o2", "params<=45M"]))
        assert [r.exploration for r in answer.results] == [False] * 9 + [True]
        assert all(r.artifact.startswith("o2/") for r in answer.results)


def test_no_slot_where_there_is_nothing_to_explore(untouched: Engine) -> None:
    for answer in (_ask(untouched, limit=2), _ask(untouched, "params>1M"), _ask(untouched, "chromodynamics")):
        assert not any(r.exploration for r in answer.results)


# Blind --------------------------------------------------------------------------------------------------
def test_blind_is_as_if_nobody_had_ever_searched(photos: Engine) -> None:
    before = _ask(photos, explore=False)
    record_outcome(photos.home, before.results[6].token or "", "success", LOCAL)
    seeing, blind = _ask(photos, explore=False), _ask(photos, blind=True)
    assert [(r.artifact, r.score, r.parts) for r in blind.results] == [
        (r.artifact, r.score, r.parts) for r in before.results
    ]
    assert blind.confidence == before.confidence
    assert seeing.results[0].artifact == before.results[6].artifact
    assert not any(r.exploration for r in blind.results)
    assert blind.understood.switches == _last_event(photos).switches == ("blind",)


# Faces --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "params"),
    [([], {}), (["--no-explore"], {"explore": "false"}), (["--blind"], {"blind": "true"})],
)
def test_every_face_explores_the_same(
    photos: Engine, monkeypatch: pytest.MonkeyPatch, options: list[str], params: dict[str, str]
) -> None:
    monkeypatch.setattr(search.engine, "open_encoder", lambda *_, **__: WordEncoder())
    home = str(photos.home.path)
    printed = json.loads(
        CliRunner().invoke(app, ["search", "classify photos", *options, "--home", home, "--json"]).stdout
    )
    client = TestClient(create_app(photos.home, photos.encoder), headers={"user-agent": "a person"})
    served = client.get("/api/v1/search", params={"q": "classify photos", **params}).json()
    python = _ask(photos, explore="explore" not in params, blind="blind" in params).model_dump()

    def key(document: dict) -> object:
        same = [(r["artifact"], r["score"], r["parts"], r["exploration"]) for r in document["results"]]
        return same, document["confidence"], list(document["understood"]["switches"])

    assert key(printed) == key(served) == key(python)
    assert sum(r["exploration"] for r in printed["results"]) == (0 if options else 1)


def test_the_terminal_marks_what_is_explored(photos: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search.engine, "open_encoder", lambda *_, **__: WordEncoder())
    home = str(photos.home.path)
    printed = CliRunner().invoke(app, ["search", "classify photos", "--home", home])
    assert printed.stdout.count("(exploration)") == 1
    assert "that something here fits what is asked" in printed.stdout
    blind = CliRunner().invoke(app, ["search", "classify photos", "--home", home, "--blind"])
    assert "switched: blind" in blind.stderr
