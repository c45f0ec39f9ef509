"""The evidence store: append-only and hash-chained; finished units; trusted names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from graph.attempts import decide
from graph.claims import Evidence, evidence_id
from graph.digest import GENESIS, canonical_json, link
from graph.errors import EvidenceError
from graph.events import now_us
from graph.store.database import fetch, upsert
from graph.store.tables import EVIDENCE, TRUST, UNITS


def append_evidence(connection: Connection, records: Sequence[Evidence]) -> None:
    """Append records to the chain, in the order given, in the connection's write transaction.

    Raises
    ------
    EvidenceError
        A record's id does not follow from its fields.
    """
    last = connection.execute(select(EVIDENCE.c.chain).order_by(EVIDENCE.c.seq.desc()).limit(1)).scalar()
    chain = str(last or GENESIS)
    rows = []
    for record in records:
        fields = record.model_dump(mode="json")
        if evidence_id(fields) != record.id:
            raise EvidenceError(f"evidence {record.id}: its fields were changed after it was sealed: seal it anew")
        payload = canonical_json(fields)
        payload_digest = hashlib.sha256(payload).hexdigest()
        chain = link(chain, payload_digest)
        rows.append(
            {"id": record.id, "kind": record.kind, "artifact": record.artifact, "claim": record.claim,
             "time_us": record.time_us, "payload": payload.decode(), "payload_digest": payload_digest, "chain": chain}
        )  # fmt: skip
    if rows:
        connection.execute(EVIDENCE.insert(), rows)


def all_evidence(connection: Connection, artifact: str | None = None) -> Iterator[Evidence]:
    """Evidence in the order it was appended, of one artifact or of all."""
    if artifact is not None:
        of_one = "SELECT payload FROM evidence WHERE artifact = ? ORDER BY seq"
        yield from (Evidence.model_validate_json(payload) for (payload,) in fetch(connection, of_one, (artifact,)))
        return
    for row in connection.execute(select(EVIDENCE.c.payload).order_by(EVIDENCE.c.seq)):
        yield Evidence.model_validate_json(row.payload)


def artifacts_with_evidence(connection: Connection, among: Sequence[str] | None = None) -> frozenset[str]:
    """Ids of the artifacts that have any evidence, among these or among all."""
    if among is None:
        return frozenset(str(row.artifact) for row in connection.execute(select(EVIDENCE.c.artifact).distinct()))
    statement = "SELECT 1 FROM evidence WHERE artifact = ? LIMIT 1"
    return frozenset(artifact for artifact in among if fetch(connection, statement, (artifact,)))


def ever_verified(connection: Connection, since_seq: int = 0) -> frozenset[str]:
    """Ids of the artifacts of which a record with a number above this one verified anything."""
    statement = "SELECT DISTINCT artifact FROM evidence WHERE seq > ? AND payload LIKE ?"
    # Canonical JSON: inside a string a quote is escaped, so the pattern meets the field alone.
    return frozenset(row[0] for row in fetch(connection, statement, (since_seq, '%"verdict":"verified"%')))


def deciding_evidence(connection: Connection, artifact: str | None = None) -> dict[str, Evidence]:
    """The evidence that decides each claim, by claim id; the rule is `graph.attempts.decide`."""
    return deciding_among(all_evidence(connection, artifact))


def deciding_among(evidence: Iterable[Evidence]) -> dict[str, Evidence]:
    """Of some records, in the order they were appended, those that decide each claim, by claim id."""
    attempts: dict[str, list[Evidence]] = {}
    for record in evidence:
        if record.claim is not None:
            attempts.setdefault(record.claim, []).append(record)
    decided = ((claim, decide(records)) for claim, records in attempts.items())
    return {claim: record for claim, record in decided if record is not None}


def find_evidence(connection: Connection, evidence: str) -> Evidence:
    """The record with this id.

    Raises
    ------
    EvidenceError
        There is none.
    """
    payload = connection.execute(select(EVIDENCE.c.payload).where(EVIDENCE.c.id == evidence)).scalar_one_or_none()
    if payload is None:
        raise EvidenceError(f"evidence {evidence}: there is no such record here: `matchgraph show ARTIFACT --json`")
    return Evidence.model_validate_json(payload)


def observations(connection: Connection, artifact: str | None = None) -> list[Evidence]:
    """The newest observation per artifact, metric and scope, in the order they were first made."""
    newest: dict[tuple[str, str, str], Evidence] = {}
    for record in all_evidence(connection, artifact):
        if record.kind == "observation":
            newest[record.artifact, record.metric, record.scope.model_dump_json()] = record
    return list(newest.values())


def check_evidence_chain(connection: Connection) -> int:
    """The number of records, after checking every digest and link.

    Raises
    ------
    EvidenceError
        A record was altered, removed or put in another place; names the first.
    """
    chain, count = GENESIS, 0
    for row in connection.execute(select(EVIDENCE).order_by(EVIDENCE.c.seq).execution_options(yield_per=1_000)):
        payload_digest = hashlib.sha256(row.payload.encode("utf-8", "surrogatepass")).hexdigest()
        chain = link(chain, payload_digest)
        if chain != row.chain or payload_digest != row.payload_digest or not _columns_agree(row):
            raise EvidenceError(f"evidence {row.id} (number {row.seq}): the chain breaks here: restore a backup")
        count += 1
    return count


def _columns_agree(row: Row[Any]) -> bool:
    said = json.loads(row.payload)
    return all(said[name] == getattr(row, name) for name in ("id", "kind", "artifact", "claim", "time_us"))


def count_evidence(connection: Connection) -> int:
    """How many evidence records there are."""
    return int(connection.execute(select(func.count()).select_from(EVIDENCE)).scalar_one())


# Finished units -----------------------------------------------------------------------------------------
def finished_unit(connection: Connection, unit: str) -> str | None:
    """The stored result (JSON) of a finished unit of work, or None where it is not finished."""
    payload = connection.execute(select(UNITS.c.payload).where(UNITS.c.id == unit)).scalar_one_or_none()
    return None if payload is None else str(payload)


def finish_unit(connection: Connection, unit: str, artifact: str, probe: str, payload: str) -> None:
    """Keep the result (JSON) of a unit of work, so that it is not repeated."""
    row = {"id": unit, "artifact": artifact, "probe": probe, "payload": payload, "finished_us": now_us()}
    upsert(connection, UNITS, [row])


# Trust --------------------------------------------------------------------------------------------------
def trust(connection: Connection, names: Sequence[str]) -> None:
    """Remember artifact names or model digests that the user trusts to be run."""
    upsert(connection, TRUST, [{"name": name, "since_us": now_us()} for name in names])


def trusted_names(connection: Connection) -> frozenset[str]:
    """Artifact names and model digests that the user trusts to be run."""
    return frozenset(str(row.name) for row in connection.execute(select(TRUST.c.name)))
