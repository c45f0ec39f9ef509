"""The whole way of the data on PostgreSQL, and tests of the log, the fold and the graph once more on it.

They need the server's programs (Debian: package postgresql) and psycopg, and start a server of their own; or
MATCHGRAPH_TEST_DATABASE_URL, the URL of a server that may make databases, with {database} in place of their name.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import test_bulk_fold
import test_event_log
import test_kept_ranks
import test_stored_nodes
from factories import make_artifact, make_outcome, make_search
from fake_encoder import WordEncoder
from postgresql_server import fresh_database, running_server, server_programs
from test_pipeline import write_manifest

from graph.errors import StoreError, TokenRefused
from graph.events import Actor
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import catalogue, log
from indexer.pipeline import build, ingest
from search.engine import open_engine
from search.event_log import forget_actor
from search.inspection.inspect_graph import check_graph, explain_rank, graph_stats, list_neighbours
from search.memory import SearchRequest
from search.outcomes import Caller, record_outcome

pytestmark = pytest.mark.slow
GIVEN = os.environ.get("MATCHGRAPH_TEST_DATABASE_URL")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server, with {database} in place of a database's name."""
    programs = server_programs()
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("needs psycopg: install the extra postgresql")
    if GIVEN:
        yield GIVEN
    elif programs is None:
        pytest.skip("needs a PostgreSQL server: the programs initdb and pg_ctl, or MATCHGRAPH_TEST_DATABASE_URL")
    else:
        with running_server(programs) as url:
            yield url


@pytest.fixture
def database_url(server: str) -> str:
    return fresh_database(server, f"t{uuid.uuid4().hex}")


@pytest.fixture
def home(tmp_path: Path, database_url: str) -> Iterator[Home]:
    """An empty home whose database is PostgreSQL's: the tests below that come from other files use it too."""
    opened = open_home(Settings(home=tmp_path / "home", database_url=database_url))
    yield opened
    opened.close()


# The same tests, on this home.
for module, names in (
    (test_bulk_fold, ("test_the_check_sees_every_table_and_rebuilding_mends_it", "test_catching_up_is_reading_anew",
                      "test_a_merge_of_artifacts_folds_the_log_anew_and_counts_a_page_once",
                      "test_a_fold_of_an_older_version_is_made_anew_when_the_home_is_opened")),
    (test_event_log, ("test_the_digest_that_stays_of_a_forgotten_event_confirms_no_guess",)),
    (test_stored_nodes, ("test_one_node_is_that_of_the_whole_graph",
                         "test_explain_says_the_same_from_kept_scores_and_after_an_outcome_something_new")),
    (test_kept_ranks, ("test_ranks_are_those_of_the_definition_whatever_happened",
                       "test_what_was_forgotten_is_in_no_kept_rank",
                       "test_explain_does_not_wait_to_keep_and_the_next_one_keeps")),
):  # fmt: skip
    for name in names:
        globals()[f"{name}_on_postgresql"] = getattr(module, name)


def test_from_manifests_to_a_forgotten_actor(home: Home, tmp_path: Path) -> None:
    encoder = WordEncoder()
    for name, job in (("broom", "sweeping"), ("kettle", "boiling"), ("lamp", "shining")):
        write_manifest(tmp_path / "manifests", name, job)
    assert ingest(home, [tmp_path / "manifests"]).added == 3
    assert build(home, encoder, probe=False, policy="open").artifacts == 3
    engine = open_engine(home, encoder)
    me = Caller("cli", Actor(id="local"))
    odd = engine.search(SearchRequest("please\x00 \ud800 sweeping \U0001f600", me))  # NUL and half a character
    assert not odd.abstained and check_graph(home)["equal"]
    answer = engine.search(SearchRequest("please sweeping", me))
    first = answer.results[0]
    assert first.slug == "ann--broom" and first.token
    record_outcome(home, first.token, "success", me)
    with pytest.raises(TokenRefused):
        record_outcome(home, first.token, "success", me)
    assert graph_stats(home).outcomes == 1
    explained = explain_rank(home, "ann--broom")
    assert explained["match_graph"]["voters"] == 1 and explained["times_matched"] == 2
    assert list_neighbours(home, "please sweeping")["of"] >= 1
    assert check_graph(home)["equal"]
    forget_actor(home, "local")
    assert graph_stats(home).outcomes == 0 and check_graph(home)["equal"]


def test_the_command_line_takes_its_url(home: Home, database_url: str, tmp_path: Path) -> None:
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [make_artifact("ann/eyes")])
        search = make_search(["ann/eyes"])
        log.append_events(connection, [search, make_outcome(search, "ann/eyes")])
    command = [sys.executable, "-m", "cli.main", "graph", "explain", "ann/eyes", "--json"]
    options = ["--home", str(tmp_path / "home"), "--db", database_url]
    told = json.loads(subprocess.run([*command, *options], capture_output=True, text=True, check=True).stdout)
    assert told["match_graph"]["voters"] == 1
    options[-1] = database_url.replace("@/t", "@/u")
    wrong = subprocess.run([*command, *options], capture_output=True, text=True)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1) and "does not exist" in wrong.stderr


def test_texts_sort_by_code_point_whatever_the_servers_language(home: Home) -> None:
    names = ["a", "B", "ab", "A-b", "é", "z", "_x"]
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [make_artifact(name) for name in names])
        assert [artifact.id for artifact in catalogue.all_artifacts(connection)] == sorted(names)


def test_a_reader_sees_one_state_and_a_second_writer_is_told_at_once(home: Home) -> None:
    with home.store.reading() as reader:
        assert log.last_seq(reader) == 0
        with home.store.writing() as writer:
            log.append_events(writer, [make_search(["a"])])
            with pytest.raises(StoreError, match="another process writes"), home.store.writing(wait=False):
                pass
        assert log.last_seq(reader) == 0
    with home.store.reading() as reader:
        assert log.last_seq(reader) == 1


def test_many_first_openings_at_once_make_one_home(tmp_path: Path, database_url: str) -> None:
    script = (
        "import sys; from pathlib import Path; from graph.home import open_home; from graph.settings import Settings; "
        "open_home(Settings(home=Path(sys.argv[1]), database_url=sys.argv[2])).close()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "home"), database_url]
    openings = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(opening.communicate()[1], opening.returncode) for opening in openings] == [("", 0)] * 4
