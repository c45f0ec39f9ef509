"""The job table: units of work that several processes share, each claimed by a lease.

A job is `waiting`, `leased`, `done` (its result is kept with the finished units) or `left` (it ended without a lasting
result: out of time or memory, or the process that ran it was lost too often). Writers queue up (`Database.writing`),
so that a claim is one transaction, on SQLite as on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, func, select, update

from graph.events import now_us
from graph.store.tables import JOBS, UNITS

JobState = Literal["waiting", "leased", "done", "left"]
LEASE_S: Final = 30.0
"""A lease that nobody renewed for so long may be taken over."""
ATTEMPTS_MOST: Final = 3
"""A job whose process was lost so often is not tried again."""
_BATCH: Final = 500


@dataclass(frozen=True)
class Job:
    """A unit of work as it is put into the table: `data` is its set's digest or "", `settings` canonical JSON."""

    id: str
    artifact: str
    probe: str
    data: str
    settings: str
    cost_s: float


@dataclass(frozen=True)
class JobStanding:
    """Where a job stands; `failure` is the result (JSON) of one that was left."""

    state: JobState
    owner: str | None
    until_us: int | None
    attempts: int
    failure: str | None


def add_jobs(connection: Connection, jobs: Sequence[Job]) -> None:
    """Put jobs into the table as waiting.

    One that is leased stays so, and one that is finished or lost its process too often stays as it is; one that was
    left for another reason is tried again.
    """
    ids = [job.id for job in jobs]
    standing = job_standings(connection, ids)
    finished = {str(row.id) for part in _parts(ids) for row in connection.execute(
        select(UNITS.c.id).where(UNITS.c.id.in_(part)))}  # fmt: skip
    fresh: dict[str, dict[str, Any]] = {}
    for job in jobs:
        known = standing.get(job.id)
        if known is None:
            fresh.setdefault(job.id, {
                "id": job.id, "artifact": job.artifact, "probe": job.probe, "data": job.data,
                "settings": job.settings, "state": "done" if job.id in finished else "waiting", "owner": None,
                "until_us": None, "attempts": 0, "cost_s": job.cost_s, "duration_s": None, "failure": None,
                "updated_us": now_us(),
            })  # fmt: skip
    if fresh:
        connection.execute(JOBS.insert(), list(fresh.values()))
    again = [
        ident
        for ident, known in standing.items()
        if ident not in finished
        and (known.state == "done" or (known.state == "left" and known.attempts < ATTEMPTS_MOST))
    ]
    for part in _parts(again):
        connection.execute(
            update(JOBS)
            .where(JOBS.c.id.in_(part))
            .values(state="waiting", owner=None, until_us=None, attempts=0, failure=None, updated_us=now_us())
        )


def job_standings(connection: Connection, ids: Sequence[str]) -> dict[str, JobStanding]:
    """Where each of these jobs stands, by id; those that are not in the table are left out."""
    columns = (JOBS.c.id, JOBS.c.state, JOBS.c.owner, JOBS.c.until_us, JOBS.c.attempts, JOBS.c.failure)
    return {
        str(row.id): JobStanding(row.state, row.owner, row.until_us, row.attempts, row.failure)
        for part in _parts(ids)
        for row in connection.execute(select(*columns).where(JOBS.c.id.in_(part)))
    }


def claim_job(
    connection: Connection, ids: Sequence[str], owner: str, time_us: int, gone: Collection[str] = ()
) -> tuple[str, int] | None:
    """Lease the first of these jobs that is free, for `LEASE_S`; its id and which attempt this is, from 1.

    Free is what waits, and what is leased by an owner in `gone` or whose lease has run out. None where none is free.
    """
    standing = job_standings(connection, ids)
    for ident in ids:
        known = standing.get(ident)
        if known is None or not _is_free(known, time_us, gone):
            continue
        connection.execute(
            update(JOBS)
            .where(JOBS.c.id == ident)
            .values(
                state="leased",
                owner=owner,
                until_us=time_us + round(LEASE_S * 1e6),
                attempts=known.attempts + 1,
                updated_us=time_us,
            )
        )
        return ident, known.attempts + 1
    return None


def _is_free(known: JobStanding, time_us: int, gone: Collection[str]) -> bool:
    if known.state != "leased":
        return known.state == "waiting"
    return known.owner in gone or known.until_us is None or known.until_us < time_us


def renew_leases(connection: Connection, owner: str, time_us: int) -> None:
    """Renew all leases of an owner, for `LEASE_S` from now."""
    mine = (JOBS.c.owner == owner) & (JOBS.c.state == "leased")
    connection.execute(update(JOBS).where(mine).values(until_us=time_us + round(LEASE_S * 1e6)))


def end_job(connection: Connection, ident: str, owner: str, *, duration_s: float, failure: str | None = None) -> bool:
    """End a job that this owner holds; False, and nothing is written, where its lease was taken over.

    It is `done`, or `left` where there is a `failure`: the result (JSON) that will not last. Call it first in the
    transaction that keeps the result, and keep nothing where it says False.
    """
    mine = (JOBS.c.id == ident) & (JOBS.c.owner == owner) & (JOBS.c.state == "leased")
    fields = {"duration_s": duration_s, "failure": failure, "updated_us": now_us()}
    state = "done" if failure is None else "left"
    ended = connection.execute(update(JOBS).where(mine).values(state=state, owner=None, until_us=None, **fields))
    return bool(ended.rowcount == 1)


def release_jobs(connection: Connection, owner: str, ids: Sequence[str] | None = None) -> None:
    """Give leases of an owner back, as if they had never been taken: these, or all."""
    mine = (JOBS.c.owner == owner) & (JOBS.c.state == "leased")
    if ids is not None:
        mine &= JOBS.c.id.in_(ids)
    connection.execute(
        update(JOBS).where(mine).values(state="waiting", owner=None, until_us=None, attempts=JOBS.c.attempts - 1)
    )


def lease_owners(connection: Connection) -> frozenset[str]:
    """Who holds leases now."""
    rows = connection.execute(select(JOBS.c.owner).where(JOBS.c.state == "leased").distinct())
    return frozenset(str(row.owner) for row in rows if row.owner is not None)


def measured_costs(connection: Connection) -> dict[str, tuple[float, float]]:
    """Seconds that were estimated, and seconds that it took, by probe, of all jobs that were run to their end."""
    rows = connection.execute(
        select(JOBS.c.probe, func.sum(JOBS.c.cost_s).label("cost_s"), func.sum(JOBS.c.duration_s).label("took_s"))
        .where((JOBS.c.state == "done") & JOBS.c.duration_s.is_not(None))
        .group_by(JOBS.c.probe)
    )
    return {str(row.probe): (float(row.cost_s), float(row.took_s)) for row in rows}


def _parts(ids: Iterable[str]) -> Iterator[list[str]]:
    """Ids without repetition, in pieces that fit one statement."""
    listed = list(dict.fromkeys(ids))
    for start in range(0, len(listed), _BATCH):
        yield listed[start : start + _BATCH]
