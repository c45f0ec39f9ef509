"""One user is one voice, whatever the key; and who is forgotten leaves a graph that never knew them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from factories import DAY_0_US, make_log, make_outcome, make_search
from hypothesis import given
from hypothesis import strategies as st

from graph.actors import forget_actor, identify, merge_actors
from graph.errors import TokenRefused, UnknownArtifact
from graph.events import OutcomeEvent, SearchEvent
from graph.home import Home, open_home, rotate_key
from graph.match_graph import fold
from graph.settings import Settings
from graph.statistics import build_match_graph, read_match_graph
from graph.store import catalogue, log
from graph.weights import weigh_votes
from search.tokens import make_token, read_token

NOW = DAY_0_US + 1_000_000


# Keys ---------------------------------------------------------------------------------------------------
def test_a_new_key_makes_no_second_voice(home: Home) -> None:
    with home.store.writing() as connection:
        old = identify(home, connection, "ann")
        first = make_search(["a"], actor=old.id)
        log.append_events(connection, [first, make_outcome(first, "a")])
    rotated = rotate_key(home)
    assert (rotated.key_id, list(rotated.keys)) == ("k2", ["k1", "k2"])
    assert open_home(home.settings).keys == rotated.keys
    with home.store.writing() as connection:
        new = identify(rotated, connection, "ann")
        stranger = identify(rotated, connection, "bob")
        assert identify(rotated, connection, "ann") == new  # told once
        second = make_search(["a"], actor=new.id)
        log.append_events(connection, [second, make_outcome(second, "a")])
        match_graph = read_match_graph(connection, NOW)
        merges = list(log.read_events(connection, kind="catalogue"))
    assert (old.id != new.id, new.key_id, stranger.id != new.id, len(merges)) == (True, "k2", True, 1)
    assert match_graph.walks.voters("a") == match_graph.stats()["actors"] == match_graph.seekers["a"] == 1
    assert sum(vote.weight for vote in match_graph.votes["a"]) == pytest.approx(1.0)  # the cap is one actor's
    assert fold([first, second]).seekers()["a"] == 2  # without the merge they were two


def test_two_votes_of_one_user_in_one_search_are_one(home: Home) -> None:
    search = make_search(["a"], actor="k1 ann")
    votes = [make_outcome(search, "a", "click"), make_outcome(search, "a", "success", actor="k2 ann")]
    with home.store.writing() as connection:
        log.append_events(connection, [search, *votes])
        merge_actors(connection, "k1 ann", "k2 ann")
        counts = log.read_fold(connection)
    assert [vote.vote.outcome for vote in weigh_votes(counts.votes_on("a"), NOW)] == ["success"]


def test_tokens_of_an_older_key_are_still_taken_and_those_of_no_key_are_not(home: Home) -> None:
    search = "se_" + "a" * 32
    token = make_token(home, search, 1)
    rotated = rotate_key(home)
    assert make_token(rotated, search, 1) != token
    assert read_token(rotated, token).search == search
    with pytest.raises(TokenRefused, match="forged"):
        read_token(home, make_token(rotated, search, 1))  # a process that has not heard of the new key


# Forgetting ---------------------------------------------------------------------------------------------
@given(st.integers(0, 10_000), st.integers(1, 9), st.sampled_from(["ann", "bob", "anonymous"]))
def test_the_graph_is_that_of_the_log_without_them(tmp_path_factory: pytest.TempPathFactory, seed: int, size: int,
                                                   actor: str) -> None:  # fmt: skip
    home = open_home(Settings(home=tmp_path_factory.mktemp("forget")))
    events = make_log(seed, size)
    left = [event for event in events if event.actor.id != actor]
    with home.store.writing() as connection:
        log.append_events(connection, random.Random(seed).sample(events, len(events)))
    if len(left) == len(events):
        with pytest.raises(UnknownArtifact, match="no actor"):
            forget_actor(home, actor)
    else:
        gone = forget_actor(home, actor)
        assert gone.searches + gone.outcomes == len(events) - len(left)
        assert gone.searches == sum(isinstance(event, SearchEvent) for event in events if event.actor.id == actor)
    with home.store.reading() as connection:
        counts = log.read_fold(connection)
        assert counts == fold(left)
        assert log.is_fold_equal(connection)
        assert build_match_graph(counts, NOW).pagerank == build_match_graph(fold(left), NOW).pagerank
        log.check_event_chain(connection)
    home.close()


def test_forgetting_reaches_all_keys_of_an_actor_and_their_words_and_vectors(home: Home) -> None:
    mine = make_search(["a"], actor="k1 ann", query="my very secret wish", intent="in_mine")
    shared = make_search(["a"], actor="k2 ann", query="draw a cat", intent="in_cat")
    theirs = make_search(["a"], actor="bob", query="draw one cat", intent="in_cat")
    of_bob = make_outcome(mine, "a", actor="bob")
    vectors = {catalogue.vector_key(s.query): np.ones(3, np.float32) for s in (mine, shared, theirs)}
    with home.store.writing() as connection:
        log.append_events(connection, [mine, shared, theirs, make_outcome(mine, "a"), of_bob])
        merge_actors(connection, "k1 ann", "k2 ann")
        catalogue.save_vectors(connection, "enc", vectors)
        catalogue.save_intent(connection, "in_mine", "enc", catalogue.vector_key(mine.query), 1)
        catalogue.save_intent(connection, "in_cat", "enc", catalogue.vector_key(shared.query), 1)
    gone = forget_actor(home, "k1 ann")
    assert (gone.searches, gone.outcomes, gone.vectors, gone.intents, gone.refounded) == (2, 1, 2, 1, 1)
    with home.store.reading() as connection:
        counts = log.read_fold(connection)
        assert counts == fold([theirs, of_bob])
        assert set(counts.queries) == {("in_cat", "draw one cat", "bob")}  # the label of what remains
        assert catalogue.intent_vectors(connection, "enc")[0] == ["in_cat"]
        assert list(catalogue.load_vectors(connection, "enc", list(vectors))) == [catalogue.vector_key(theirs.query)]
        kept = [e.id for e in log.read_events(connection) if isinstance(e, SearchEvent | OutcomeEvent)]
        assert kept == [theirs.id, of_bob.id]
    left = [file.name for file in home.path.iterdir() for word in (b"my very secret wish", b"k1 ann", b"k2 ann")
            if word in file.read_bytes()]  # fmt: skip
    assert left == []  # while the home is open: nothing waits in SQLite's log
    with pytest.raises(UnknownArtifact, match="no actor 'boob': did you mean bob"):
        forget_actor(home, "boob")


def test_identify_under_the_first_key_writes_nothing(home: Home) -> None:
    with home.store.writing() as connection:
        identify(home, connection, "ann")
        assert log.last_seq(connection) == 0
