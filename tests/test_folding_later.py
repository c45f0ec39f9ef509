"""The log comes first, the folded tables follow: whoever reads them finds them complete."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from factories import make_outcome, make_search
from sqlalchemy import Connection, func, select

from graph.errors import StoreError
from graph.events import CatalogueEvent
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import log
from graph.store.database import UNFOLDED, read_meta, write_meta
from graph.store.tables import FOLD_TIMES


def search_later(home: Home, *numbers: int) -> None:
    with home.store.writing(folded=False) as connection:
        for number in numbers:
            log.append_events(connection, [make_search(["a", f"b{number}"], id=f"se_{number}")], fold_later=True)


def folded_searches(home: Home) -> int:
    """What the tables have, whatever the log has."""
    with home.store.reading(folded=False) as connection:
        times = select(FOLD_TIMES.c.searches).where(FOLD_TIMES.c.artifact == "a")
        return int(connection.execute(times).scalar() or 0)


def test_who_reads_finds_every_search(home: Home) -> None:
    search_later(home, 1, 2, 3)
    assert folded_searches(home) == 0
    with home.store.reading(folded=False) as connection:
        assert log.read_fold(connection).times["a"] == 3  # read as a fold they are all there
        assert log.read_heard(connection).times["a"] == 3
        assert len(log.read_heard(connection).queries) == len(log.refold(connection).queries)
        assert not log.is_fold_equal(connection)
    with home.store.reading() as connection:
        assert log.is_fold_equal(connection)
        assert read_meta(connection, UNFOLDED) is None
    assert folded_searches(home) == 3
    search_later(home, 4)
    with home.store.writing() as connection:
        assert log.read_fold(connection) == log.refold(connection)
    assert folded_searches(home) == 4


def test_an_outcome_finds_the_searches_before_it(home: Home) -> None:
    search_later(home, 1, 2)
    with home.store.writing(folded=False) as connection:
        log.append_events(connection, [make_outcome("se_2", "a")])
    assert folded_searches(home) == 2
    with home.store.reading(folded=False) as connection:
        assert log.is_fold_equal(connection)


@pytest.mark.parametrize("action", ["artifact_merged", "intent_merged"])
def test_a_merge_finds_them_too(home: Home, action: str) -> None:
    search_later(home, 1, 2)
    merge = CatalogueEvent(id="ca", time_us=5, action=action, subject="b1", object="b2")  # type: ignore[arg-type]
    with home.store.writing(folded=False) as connection:
        log.append_events(connection, [merge])
        assert log.is_fold_equal(connection)
        assert read_meta(connection, UNFOLDED) is None


def test_so_many_are_folded_whether_anybody_reads_or_not(home: Home) -> None:
    search_later(home, *range(63))
    assert folded_searches(home) == 0
    search_later(home, 63, 64)
    assert folded_searches(home) >= 64


def test_closing_folds_and_a_crash_loses_nothing(tmp_path: Path) -> None:
    home = open_home(Settings(home=tmp_path))
    search_later(home, 1)
    home.close()
    home = open_home(Settings(home=tmp_path))
    assert folded_searches(home) == 1
    search_later(home, 2)
    home.store._engine.dispose()  # as if it was killed
    home = open_home(Settings(home=tmp_path))
    with home.store.reading() as connection:
        assert log.is_fold_equal(connection)
        assert log.check_event_chain(connection) == 2
    home.close()


def _searching(folder: Path, first: int) -> None:
    home = open_home(Settings(home=folder))
    for number in range(first, first + 80):
        search_later(home, number)
    os._exit(0)  # without closing


def test_readers_beside_writers_never_see_half(home: Home) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_searching, args=(home.path, first)) for first in (1_000, 2_000)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        with home.store.reading() as connection:
            assert log.is_fold_equal(connection)
    with home.store.reading() as connection:
        assert log.is_fold_equal(connection)
        assert connection.execute(select(func.max(FOLD_TIMES.c.searches))).scalar() == 160


def test_where_nobody_can_fold_reading_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    search_later(home, 1)

    def refused(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    monkeypatch.setattr(home.store, "_fold_rest", refused)
    with pytest.raises(StoreError, match="nowhere"), home.store.reading():
        pass
    assert folded_searches(home) == 0


def test_a_damaged_mark_is_said_and_folded_anew(home: Home) -> None:
    search_later(home, 1, 2)
    with home.store.writing(folded=False) as connection:
        write_meta(connection, UNFOLDED, "half a number")
        with pytest.raises(StoreError, match="graph rebuild"):
            log.read_heard(connection)
        with pytest.raises(StoreError, match="graph rebuild"):
            log.append_events(connection, [make_search(["a"])], fold_later=True)
    with home.store.reading() as connection:
        assert log.is_fold_equal(connection)
        assert read_meta(connection, UNFOLDED) is None
    assert folded_searches(home) == 2
