"""Leases of this process on jobs: taken, renewed while they are worked on, ended or given back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from graph.digest import canonical_json
from graph.errors import StoreError
from graph.events import now_us
from graph.home import Home
from graph.store.jobs import (
    LEASE_S,
    Job,
    add_jobs,
    claim_job,
    end_job,
    job_standings,
    lease_owners,
    release_jobs,
    renew_leases,
)
from inference.work.machine import is_gone, new_owner
from inference.work.units import Unit


class Leases:
    """The leases of one run. All jobs that it still holds are given back at the end, whatever ends it."""

    def __init__(self, home: Home) -> None:
        self._home, self._owner = home, new_owner()

    def add(self, units: Sequence[Unit]) -> None:
        """Put units into the table of jobs, where they are not there yet."""
        with self._home.store.writing() as connection:
            add_jobs(connection, [_job(unit) for unit in units])

    def take(self, ids: Sequence[str]) -> tuple[str, int] | None:
        """The first of these jobs that is free, held from now on, and which attempt at it this is; None: none is.

        Free is also what a process held that runs no more, or that was not heard of for `LEASE_S`.
        """
        with self._home.store.reading() as connection:
            standing = job_standings(connection, ids).values()
            gone = {owner for owner in lease_owners(connection) if is_gone(owner)}
        now = now_us()
        waiting = any(job.state == "waiting" for job in standing)
        if not waiting and not any(job.owner in gone or (job.until_us or now) < now for job in standing):
            return None  # asked without queueing up with the writers, for this is asked again and again
        with self._home.store.writing() as connection:
            return claim_job(connection, ids, self._owner, now, gone)

    def end(self, connection: Connection, job: str, *, duration_s: float, failure: str | None = None) -> bool:
        """Whether a job was ours to end, in the transaction that keeps its result; `failure` is one that lasts not."""
        return end_job(connection, job, self._owner, duration_s=duration_s, failure=failure)

    def give_back(self, job: str) -> None:
        """Let another run have a job, as if it had never been taken."""
        with self._home.store.writing() as connection:
            release_jobs(connection, self._owner, [job])

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Renews all leases meanwhile, and gives back at the end what is held then."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(LEASE_S / 3):
                # A busy database is no reason to stop: who loses a lease by it hears so when the unit ends.
                with contextlib.suppress(StoreError), self._home.store.writing() as connection:
                    renew_leases(connection, self._owner, now_us())

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with self._home.store.writing() as connection:
                release_jobs(connection, self._owner)


def _job(unit: Unit) -> Job:
    settings = canonical_json([list(setting) for setting in unit.settings]).decode()
    data = unit.data.digest if unit.data is not None else ""
    return Job(unit.id, unit.ground.artifact.id, unit.probe, data, settings, unit.cost_s)
