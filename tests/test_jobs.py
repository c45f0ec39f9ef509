"""Work that lasts: jobs shared by leases, by processes that are interrupted, killed or too many."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from shared_work import make_models, runs_of, start_ruled, verify_ruled, wait_for
from sqlalchemy import select

from graph.errors import InputError, ModelError
from graph.events import now_us
from graph.home import Home
from graph.store.evidence import all_evidence, check_evidence_chain, deciding_evidence, finish_unit
from graph.store.jobs import (
    ATTEMPTS_MOST,
    LEASE_S,
    Job,
    add_jobs,
    claim_job,
    end_job,
    job_standings,
    lease_owners,
    measured_costs,
    release_jobs,
    renew_leases,
)
from graph.store.tables import UNITS
from inference.work.machine import is_gone, machine, new_owner
from inference.work.pace import Pace
from inference.work.shared import LOST

IDS = ["a", "b", "c"]
LEASE_US = round(LEASE_S * 1e6)


def make_job(ident: str, probe: str = "loading", cost_s: float = 2.0) -> Job:
    return Job(ident, f"ann/{ident}", probe, "", "[]", cost_s)


@pytest.fixture
def jobs(home: Home) -> Home:
    with home.store.writing() as connection:
        add_jobs(connection, [make_job(ident) for ident in IDS])
    return home


def states(home: Home) -> dict[str, tuple[str, int]]:
    with home.store.reading() as connection:
        return {ident: (job.state, job.attempts) for ident, job in job_standings(connection, IDS).items()}


# The table ----------------------------------------------------------------------------------------------
def test_a_job_is_claimed_once_and_in_the_order_given(jobs: Home) -> None:
    with jobs.store.writing() as connection:
        assert claim_job(connection, ["b", "a"], "one", 0) == ("b", 1)
        assert claim_job(connection, ["b", "a"], "two", 0) == ("a", 1)
        assert claim_job(connection, ["b", "a", "nowhere"], "two", 0) is None
        assert lease_owners(connection) == {"one", "two"}


def test_a_lease_ends_when_nobody_renews_it_or_its_owner_is_gone(jobs: Home) -> None:
    with jobs.store.writing() as connection:
        claim_job(connection, ["a"], "one", 0)
        assert claim_job(connection, ["a"], "two", LEASE_US) is None
        renew_leases(connection, "one", LEASE_US)
        assert claim_job(connection, ["a"], "two", LEASE_US + 1) is None
        assert claim_job(connection, ["a"], "two", 2 * LEASE_US + 1) == ("a", 2)
        assert claim_job(connection, ["a"], "three", 2 * LEASE_US + 2, gone={"two"}) == ("a", 3)
        assert not end_job(connection, "a", "one", duration_s=1.0)  # it was taken over: nothing is written
        assert not end_job(connection, "a", "two", duration_s=1.0)
        assert job_standings(connection, ["a"])["a"].state == "leased"
        assert end_job(connection, "a", "three", duration_s=1.0)
        assert claim_job(connection, ["a"], "four", 9 * LEASE_US, gone={"three"}) is None  # done is done


def test_what_is_given_back_counts_as_never_taken(jobs: Home) -> None:
    with jobs.store.writing() as connection:
        for ident in IDS:
            claim_job(connection, [ident], "two" if ident == "c" else "one", 0)
        release_jobs(connection, "one", ["a"])
    assert states(jobs) == {"a": ("waiting", 0), "b": ("leased", 1), "c": ("leased", 1)}
    with jobs.store.writing() as connection:
        release_jobs(connection, "one")
    assert states(jobs) == {"a": ("waiting", 0), "b": ("waiting", 0), "c": ("leased", 1)}


def test_adding_again_retries_what_was_left_and_leaves_the_rest(jobs: Home) -> None:
    with jobs.store.writing() as connection:
        claim_job(connection, ["a"], "one", now_us())
        claim_job(connection, ["b"], "one", now_us())
        assert end_job(connection, "b", "one", duration_s=1.0, failure="{}")
        finish_unit(connection, "c", "ann/c", "loading", "{}")
        claim_job(connection, ["c"], "one", now_us())
        assert end_job(connection, "c", "one", duration_s=3.0)
        assert measured_costs(connection) == {"loading": (2.0, 3.0)}
        add_jobs(connection, [make_job(ident) for ident in IDS])
    assert states(jobs) == {"a": ("leased", 1), "b": ("waiting", 0), "c": ("done", 1)}


def test_a_job_that_lost_its_process_too_often_is_not_tried_again(jobs: Home) -> None:
    with jobs.store.writing() as connection:
        for attempt in range(1, ATTEMPTS_MOST + 2):
            assert claim_job(connection, ["a"], f"owner {attempt}", attempt, gone={f"owner {attempt - 1}"}) == (
                "a",
                attempt,
            )
        assert end_job(connection, "a", f"owner {ATTEMPTS_MOST + 1}", duration_s=0.0, failure="{}")
        add_jobs(connection, [make_job("a")])
    assert states(jobs)["a"] == ("left", ATTEMPTS_MOST + 1)


# The machine --------------------------------------------------------------------------------------------
def test_who_measures_time_is_alone_and_the_others_share(tmp_path: Path) -> None:
    with machine(alone=False, is_over=lambda: True, folder=tmp_path) as one:
        with machine(alone=False, is_over=lambda: True, folder=tmp_path) as other:
            assert one
            assert other
        with machine(alone=True, is_over=lambda: True, folder=tmp_path) as alone:
            assert not alone
    with machine(alone=True, is_over=lambda: True, folder=tmp_path) as alone:
        assert alone
        with machine(alone=False, is_over=lambda: True, folder=tmp_path) as late:
            assert not late


def test_who_waits_to_be_alone_lets_nobody_new_in_before(tmp_path: Path) -> None:
    order: list[str] = []

    def take(name: str, *, alone: bool) -> None:
        with machine(alone=alone, is_over=lambda: False, folder=tmp_path):
            order.append(name)

    with machine(alone=False, is_over=lambda: False, folder=tmp_path):
        timed = threading.Thread(target=take, args=("timed",), kwargs={"alone": True})
        timed.start()
        time.sleep(0.3)  # it holds the gate by now
        late = threading.Thread(target=take, args=("late",), kwargs={"alone": False})
        late.start()
        time.sleep(0.3)
        assert order == []
    for thread in (timed, late):
        thread.join(10)
    assert order == ["timed", "late"]


def test_another_process_waits_too(tmp_path: Path, repository: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from inference.work.machine import machine\n"
        "with machine(alone=False, is_over=lambda: True, folder=Path(sys.argv[1])) as had: print(had)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with machine(alone=True, is_over=lambda: False, folder=tmp_path):
        held = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    free = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert (held.stdout, free.stdout) == ("False\n", "True\n")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ModelError, match="set TMPDIR"),
        machine(alone=False, is_over=lambda: True, folder=tmp_path / "file"),
    ):
        pass


def test_an_owner_is_gone_when_its_process_is() -> None:
    own = new_owner()
    assert not is_gone(own)
    child = os.fork()
    if child == 0:
        os._exit(0)
    place, _, started, word = own.rsplit("/", 3)
    time.sleep(0.2)
    assert is_gone("/".join((place, str(child), started, word)))  # ended, though nobody has waited for it
    os.waitpid(child, 0)
    assert is_gone("/".join((place, str(child), started, word)))
    assert is_gone("/".join((place, str(os.getpid()), "1", word)))  # its number went to a younger process
    assert not is_gone("/".join(("another machine", str(child), started, word)))


# How long it takes --------------------------------------------------------------------------------------
class _Planned:
    """What `Pace` sees of a unit."""

    def __init__(self, probe: str, cost_s: float, *, alone: bool = False) -> None:
        self.probe, self.cost_s, self.alone = probe, cost_s, alone


def test_the_rest_is_estimated_by_what_was_measured() -> None:
    units = [_Planned("loading", 2.0), _Planned("loading", 4.0), _Planned("latency", 3.0, alone=True)]
    pace = Pace({})
    assert pace.left_s(units, 1) == pytest.approx(9.0)  # type: ignore[arg-type]
    assert pace.left_s(units, 2) == pytest.approx(6.0)  # type: ignore[arg-type]
    slow = Pace({"loading": (1e6, 2e6)})
    assert slow.left_s(units[:2], 1) == pytest.approx(12.0, rel=1e-4)  # type: ignore[arg-type]
    assert slow.left_s(units[2:], 1) == pytest.approx(6.0, rel=1e-4)  # type: ignore[arg-type] # as far off as the rest
    for _ in range(200):
        pace.add(_Planned("latency", 3.0, alone=True), 30.0)  # type: ignore[arg-type]
    assert pace.left_s(units[2:], 4) == pytest.approx(30.0, rel=0.1)  # type: ignore[arg-type]


# Whole runs ---------------------------------------------------------------------------------------------
def test_two_processes_share_the_work_and_run_no_unit_twice(home: Home, tmp_path: Path) -> None:
    models, log = make_models(tmp_path / "models", 8), tmp_path / "log"
    started = [start_ruled(home.path, models, log, {"takes_s": 0.15}) for _ in range(2)]
    for process in started:
        process.join(120)
        assert process.exitcode == 0
    ran = runs_of(log)
    assert len(ran) == len(set(ran)) >= len(models)
    assert len({line.split()[1] for line in log.read_text().splitlines()}) == 2  # both took part
    with home.store.reading() as connection:
        records = list(all_evidence(connection))
        assert check_evidence_chain(connection) == len(records)
        assert {str(row.id) for row in connection.execute(select(UNITS.c.id))} == set(ran)
        told = [(r.claim, r.metric, r.scope, r.artifact, r.method) for r in records]
    assert len(told) == len(set(map(str, told)))  # and none of them repeated what the other had recorded
    alone = tmp_path / "alone"
    report = verify_ruled(alone, models, tmp_path / "other log")
    assert report.units_run == len(ran)
    assert {(count.verdict, count.claims) for count in report.counts} == {("verified", len(models))}
    assert report.records == len(records)


def test_several_at_once_come_to_the_same(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared_work import RuledWorker

    import inference.work.shared

    models, log = make_models(tmp_path / "models", 4), tmp_path / "log"
    one = verify_ruled(tmp_path / "one", models, tmp_path / "log of one")

    class Own(RuledWorker):
        def __init__(self, modules: object, device: str = "cpu", without: frozenset[str] = frozenset()) -> None:
            super().__init__(log, takes_s=0.1)

        def __enter__(self) -> Own:
            return self

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(inference.work.shared, "Zygote", Own)
    three = verify_ruled(home.path, models, log, jobs=3)
    assert three.counts == one.counts
    assert (three.units_run, three.records) == (one.units_run, one.records)
    assert len(runs_of(log)) == len(set(runs_of(log))) == three.units_run
    with pytest.raises(InputError, match="0 jobs"):
        verify_ruled(home.path, models, log, jobs=0)


@pytest.mark.parametrize("alone", [True, False])
def test_what_measures_time_runs_by_itself(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, alone: bool
) -> None:
    from shared_work import RuledWorker

    import inference.work.shared
    from inference.work.units import Unit

    times: list[tuple[float, float]] = []

    class Own(RuledWorker):
        def __init__(self, modules: object, device: str = "cpu", without: frozenset[str] = frozenset()) -> None:
            super().__init__(tmp_path / "log", takes_s=0.2)
            self.times = times

        def __enter__(self) -> Own:
            return self

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(inference.work.shared, "Zygote", Own)
    monkeypatch.setattr(inference.work.settle, "observation_needs", lambda *_: [])
    monkeypatch.setattr(Unit, "alone", property(lambda _: alone))
    verify_ruled(home.path, make_models(tmp_path / "models", 4), tmp_path / "log", jobs=4)
    times.sort()
    overlaps = sum(begun < ended for (_, ended), (begun, _) in itertools.pairwise(times))
    assert len(times) == 4
    assert (overlaps == 0) is alone


def test_a_killed_run_is_taken_over_at_once(home: Home, tmp_path: Path) -> None:
    models, log = make_models(tmp_path / "models", 3), tmp_path / "log"
    first = start_ruled(home.path, models, log, {"hangs": 1})
    wait_for(log, 2)
    first.kill()
    first.join(30)
    begun = time.monotonic()
    report = verify_ruled(home.path, models, log)
    assert time.monotonic() - begun < LEASE_S  # it did not wait for the lease to run out
    ran = runs_of(log)
    assert report.units_resumed == 1
    assert len(ran) == len(set(ran)) + 1  # only the one that was interrupted was begun twice
    assert ran.count(ran[1]) == 2
    with home.store.reading() as connection:
        check_evidence_chain(connection)


def test_ctrl_c_gives_leases_back(home: Home, tmp_path: Path) -> None:
    models, log = make_models(tmp_path / "models", 2), tmp_path / "log"
    process = start_ruled(home.path, models, log, {"hangs": 1})
    wait_for(log, 2)
    os.kill(process.pid or 0, signal.SIGINT)
    process.join(30)
    assert process.exitcode == 1
    with home.store.reading() as connection:
        assert lease_owners(connection) == frozenset()
        standing = job_standings(connection, runs_of(log))
    assert [(standing[ident].state, standing[ident].attempts) for ident in runs_of(log)] == [
        ("done", 1),
        ("waiting", 0),
    ]


def test_a_unit_that_takes_its_process_along_ends_as_crashed_and_refutes_nothing(home: Home, tmp_path: Path) -> None:
    models, log = make_models(tmp_path / "models", 1), tmp_path / "log"
    for attempt in range(ATTEMPTS_MOST):
        process = start_ruled(home.path, models, log, {"kills": ["loading"]})
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert len(runs_of(log)) == attempt + 1
    for _ in range(2):
        report = verify_ruled(home.path, models, log, {"kills": ["loading"]})
        assert len(runs_of(log)) == ATTEMPTS_MOST  # it was not begun once more
        assert [(count.verdict, count.reason_code) for count in report.counts] == [("error", "crashed")]
    with home.store.reading() as connection:
        [record] = deciding_evidence(connection).values()
    assert record.reason == LOST


def test_a_budget_that_ends_says_what_was_left(home: Home, tmp_path: Path) -> None:
    models, log = make_models(tmp_path / "models", 3), tmp_path / "log"
    report = verify_ruled(home.path, models, log, budget_s=0.3)
    assert (report.units_run, runs_of(log)) == (0, [])
    assert {(unit.artifact, unit.probe) for unit in report.left} >= {(model.slug, "loading") for model in models}
    assert all(unit.cost_s > 0 for unit in report.left if unit.probe == "loading")
    assert report.units_left == len(report.left)
    assert verify_ruled(home.path, models, log).units_left == 0
