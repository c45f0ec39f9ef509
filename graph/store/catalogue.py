"""Artifacts, claims, canonical capabilities, intents and vectors in the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, delete, func, select, update

from graph.artifacts import Artifact, slug_of
from graph.claims import Claim
from graph.digest import text_digest
from graph.errors import UnknownArtifact
from graph.events import now_us
from graph.store.database import fetch, insert_new, upsert, write_meta
from graph.store.tables import ARTIFACTS, ASSIGNMENTS, CANONICAL, CLAIMS, INTENTS, VECTORS

_IN_CHUNK = 500
CATALOGUE_CHANGED: Final = "catalogue_changed"
"""Key of when, and with which artifact, the catalogue changed last."""


@dataclass(frozen=True)
class Saved:
    """What saving changed: ids of new, changed and unchanged artifacts."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


@dataclass(frozen=True)
class Canonical:
    """A canonical capability as stored; `alias_of` is the URI it was merged into, or None."""

    uri: str
    task: str
    label: str
    vector_key: str
    alias_of: str | None = None


def save_artifacts(connection: Connection, artifacts: Sequence[Artifact]) -> Saved:
    """Insert or replace artifacts and their claims; claims no longer stated are kept, marked not stated.

    A slug taken by another id gets the suffix `-2`, `-3`, … so that each artifact keeps its own.
    """
    known = _known(connection, artifacts)
    slugs = {row.slug: row.id for row in known.values()}
    added: list[str] = []
    changed: list[str] = []
    unchanged: list[str] = []
    rows, claims, touched = [], [], []
    for artifact in artifacts:
        before = known.get(artifact.id)
        slug = _free_slug(connection, artifact, slugs) if before is None else before.slug
        slugs[slug] = artifact.id
        document = artifact.model_copy(update={"slug": slug}).model_dump_json(exclude_defaults=True)
        digest = text_digest(document)
        group = added if before is None else unchanged if before.digest == digest else changed
        group.append(artifact.id)
        if group is unchanged:
            continue
        touched.append(artifact.id)
        rows.append(
            {"id": artifact.id, "slug": slug, "name": artifact.name, "type": artifact.type, "document": document,
             "digest": digest, "retired": False, "updated_us": now_us()}
        )  # fmt: skip
        claims += [
            {"id": claim.id, "artifact": artifact.id, "stated": True, "document": claim.model_dump_json()}
            for claim in artifact.claims
        ]
    for start in range(0, len(touched), _IN_CHUNK):
        chunk = touched[start : start + _IN_CHUNK]
        connection.execute(update(CLAIMS).where(CLAIMS.c.artifact.in_(chunk)).values(stated=False))
    upsert(connection, ARTIFACTS, list({row["id"]: row for row in rows}.values()))
    upsert(connection, CLAIMS, list({row["id"]: row for row in claims}.values()))
    if rows:
        write_meta(connection, CATALOGUE_CHANGED, f"{now_us()} {touched[-1]}")
    return Saved(tuple(added), tuple(changed), tuple(unchanged))


def _known(connection: Connection, artifacts: Sequence[Artifact]) -> dict[str, Row[tuple[str, str, str]]]:
    """Rows of the same ids, and of other artifacts that hold the same slugs, by id."""
    query = select(ARTIFACTS.c.id, ARTIFACTS.c.slug, ARTIFACTS.c.digest)
    found: dict[str, Row[tuple[str, str, str]]] = {}
    for start in range(0, len(artifacts), _IN_CHUNK):
        chunk = artifacts[start : start + _IN_CHUNK]
        same = ARTIFACTS.c.id.in_([a.id for a in chunk]) | ARTIFACTS.c.slug.in_([a.slug for a in chunk])
        found |= {row.id: row for row in connection.execute(query.where(same))}
    return found


def _free_slug(connection: Connection, artifact: Artifact, taken: dict[str, str]) -> str:
    """The artifact's slug, or with the first suffix that neither the batch nor the store has taken."""
    slug, number = artifact.slug, 2
    while taken.get(slug, artifact.id) != artifact.id:
        slug, number = f"{artifact.slug}-{number}", number + 1
        holder = connection.execute(select(ARTIFACTS.c.id).where(ARTIFACTS.c.slug == slug)).scalar_one_or_none()
        if holder is not None:
            taken[slug] = str(holder)
    return slug


def _artifact(row: Row[tuple[str]]) -> Artifact:
    return Artifact.model_validate_json(row.document)


def all_artifacts(connection: Connection) -> list[Artifact]:
    """All artifacts that are not retired, sorted by id."""
    query = select(ARTIFACTS.c.document).where(ARTIFACTS.c.retired.is_(False)).order_by(ARTIFACTS.c.id)
    return [_artifact(row) for row in connection.execute(query)]


def artifacts_by_id(connection: Connection, ids: Iterable[str]) -> dict[str, Artifact]:
    """Artifacts by id, retired ones included; ids that are unknown are left out."""
    found = {}
    for name in sorted(set(ids)):
        for (document,) in fetch(connection, "SELECT document FROM artifacts WHERE id = ?", (name,)):
            artifact = Artifact.model_validate_json(document)
            found[artifact.id] = artifact
    return found


def capability_labels(connection: Connection) -> dict[tuple[str, str], tuple[str, str | None, str | None]]:
    """Task, domain and functionality of every capability, by (artifact id, local capability id), retired ones included.

    Read without validating whole artifacts, which are many.
    """
    found = {}
    for row in connection.execute(select(ARTIFACTS.c.id, ARTIFACTS.c.document)):
        for capability in json.loads(row.document).get("capabilities", ()):
            key = (str(row.id), str(capability["id"]))
            found[key] = (capability["task"], capability.get("domain"), capability.get("functionality"))
    return found


def find_artifact(connection: Connection, name: str) -> Artifact:
    """The artifact with this id, slug or, if only one has it, name or slug without owner, in this order.

    Case is ignored but for the id.

    Raises
    ------
    UnknownArtifact
        None has; the message names the nearest ones.
    """
    for condition in (ARTIFACTS.c.id == name, ARTIFACTS.c.slug == name.lower()):
        row = connection.execute(select(ARTIFACTS.c.document).where(condition)).first()
        if row is not None:
            return _artifact(row)
    named = select(ARTIFACTS.c.document).where(func.lower(ARTIFACTS.c.name) == name.strip().lower())
    rows = connection.execute(named.where(ARTIFACTS.c.retired.is_(False)).limit(2)).all()
    if len(rows) == 1:
        return _artifact(rows[0])
    tail = select(ARTIFACTS.c.document).where(ARTIFACTS.c.slug.endswith(f"--{slug_of(name)}", autoescape=True))
    rows = connection.execute(tail.where(ARTIFACTS.c.retired.is_(False)).limit(2)).all()
    if len(rows) == 1:
        return _artifact(rows[0])
    raise UnknownArtifact(name, suggest_artifacts(connection, name))


def suggest_artifacts(connection: Connection, name: str, limit: int = 3) -> list[str]:
    """Slugs nearest to a name by edit distance, best first; empty for an empty catalogue."""
    from rapidfuzz import fuzz, process

    known: dict[str, str] = {}
    for row in connection.execute(select(ARTIFACTS.c.slug, ARTIFACTS.c.name).where(ARTIFACTS.c.retired.is_(False))):
        known[row.slug] = f"{row.slug} {row.name}".lower()
    hits = process.extract(name.lower()[:200], known, scorer=fuzz.WRatio, limit=limit, score_cutoff=60)
    return [slug for _, _, slug in hits]


def stated_claims(connection: Connection, artifact: str | None = None) -> list[Claim]:
    """Claims that their artifacts state now, of one artifact or of all, sorted by artifact and id."""
    query = select(CLAIMS.c.document).where(CLAIMS.c.stated).order_by(CLAIMS.c.artifact, CLAIMS.c.id)
    if artifact is not None:
        query = query.where(CLAIMS.c.artifact == artifact)
    return [Claim.model_validate_json(row.document) for row in connection.execute(query)]


def stated_claims_of(connection: Connection, artifacts: Sequence[str]) -> list[Claim]:
    """Claims that these artifacts state now, sorted by id within each."""
    statement = "SELECT document FROM claims WHERE artifact = ? AND stated ORDER BY id"
    return [
        Claim.model_validate_json(document)
        for artifact in dict.fromkeys(artifacts)
        for (document,) in fetch(connection, statement, (artifact,))
    ]


def claims_of(connection: Connection) -> list[Claim]:
    """All claims ever stated, withdrawn ones too, sorted by artifact and id."""
    query = select(CLAIMS.c.document).order_by(CLAIMS.c.artifact, CLAIMS.c.id)
    return [Claim.model_validate_json(row.document) for row in connection.execute(query)]


def count_artifacts(connection: Connection) -> int:
    """How many artifacts are not retired."""
    query = select(func.count()).select_from(ARTIFACTS).where(ARTIFACTS.c.retired.is_(False))
    return int(connection.execute(query).scalar_one())


# Canonical capabilities ---------------------------------------------------------------------------------
def all_canonical(connection: Connection) -> list[Canonical]:
    """All canonical capabilities, aliases included, oldest first, ties by URI."""
    rows = connection.execute(select(CANONICAL).order_by(CANONICAL.c.created_us, CANONICAL.c.uri))
    return [Canonical(row.uri, row.task, row.label, row.vector_key, row.alias_of) for row in rows]


def read_aliases(connection: Connection) -> dict[str, str]:
    """The URI that each merged canonical capability was merged into, by its own URI."""
    rows = connection.execute(select(CANONICAL.c.uri, CANONICAL.c.alias_of).where(CANONICAL.c.alias_of.is_not(None)))
    return {row.uri: row.alias_of for row in rows}


def save_canonical(connection: Connection, created: Sequence[Canonical], time_us: int) -> None:
    """Insert or update canonical capabilities."""
    upsert(
        connection,
        CANONICAL,
        [
            {"uri": c.uri, "task": c.task, "label": c.label, "vector_key": c.vector_key,
             "created_us": time_us, "alias_of": c.alias_of}
            for c in created
        ],
    )  # fmt: skip


def alias_canonical(connection: Connection, uri: str, into: str) -> None:
    """Make a canonical capability an alias of another; its age and label stay."""
    connection.execute(update(CANONICAL).where(CANONICAL.c.uri == uri).values(alias_of=into))


def assignments(connection: Connection) -> dict[tuple[str, str], str]:
    """The URI of every (artifact id, local capability id)."""
    rows = connection.execute(select(ASSIGNMENTS))
    return {(row.artifact, row.capability): row.uri for row in rows}


def assignments_of(connection: Connection, artifact: str) -> frozenset[str]:
    """The URIs of an artifact's capabilities."""
    rows = connection.execute(select(ASSIGNMENTS.c.uri).where(ASSIGNMENTS.c.artifact == artifact))
    return frozenset(str(row.uri) for row in rows)


def save_assignments(connection: Connection, assigned: dict[tuple[str, str], str]) -> None:
    """Keep the URIs of capabilities."""
    rows = [{"artifact": a, "capability": c, "uri": uri} for (a, c), uri in sorted(assigned.items())]
    upsert(connection, ASSIGNMENTS, rows)
    if rows:
        write_meta(connection, CATALOGUE_CHANGED, f"{now_us()} {rows[-1]['uri']}")


# Vectors and intents ------------------------------------------------------------------------------------
def vector_key(text: str) -> str:
    """The key of a text's vector under one encoder: the digest of the text."""
    return text_digest(text)


def load_vectors(connection: Connection, encoder: str, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Kept vectors by text key, each float32 of shape (dimension,); keys without a vector are left out."""
    found = {}
    for start in range(0, len(keys), _IN_CHUNK):
        chunk = keys[start : start + _IN_CHUNK]
        query = select(VECTORS.c.text, VECTORS.c.vector).where(VECTORS.c.encoder == encoder, VECTORS.c.text.in_(chunk))
        for row in connection.execute(query):
            found[row.text] = np.frombuffer(row.vector, dtype=np.float32)
    return found


def load_vector(connection: Connection, encoder: str, key: str) -> NDArray[np.float32] | None:
    """The kept vector of one text, float32 of shape (dimension,), or None."""
    rows = fetch(connection, "SELECT vector FROM vectors WHERE encoder = ? AND text = ?", (encoder, key))
    return np.frombuffer(rows[0][0], dtype=np.float32) if rows else None


def save_vectors(connection: Connection, encoder: str, vectors: dict[str, NDArray[np.float32]]) -> None:
    """Keep vectors by text key."""
    rows = [
        {"encoder": encoder, "text": key, "vector": np.ascontiguousarray(vector, np.float32).tobytes()}
        for key, vector in vectors.items()
    ]
    upsert(connection, VECTORS, rows)


def keep_vector(connection: Connection, encoder: str, key: str, vector: NDArray[np.float32]) -> None:
    """Keep the vector of one text, if it is not kept yet."""
    row = {"encoder": encoder, "text": key, "vector": np.ascontiguousarray(vector, np.float32).tobytes()}
    insert_new(connection, VECTORS, row)


def save_intent(connection: Connection, intent: str, encoder: str, key: str, time_us: int) -> None:
    """Keep a new intent and the key of its first query's vector."""
    save_intents(connection, encoder, [(intent, key, time_us)])


def save_intents(connection: Connection, encoder: str, intents: Iterable[tuple[str, str, int]]) -> None:
    """Keep new intents, each with the key of its first query's vector and the time of that query."""
    rows = [{"id": i, "encoder": encoder, "vector_key": key, "created_us": us} for i, key, us in intents]
    upsert(connection, INTENTS, rows)


def intent_vectors(connection: Connection, encoder: str) -> tuple[list[str], NDArray[np.float32]]:
    """Ids of all intents of an encoder, sorted, and their vectors, float32 of shape (intents, dimension)."""
    query = (
        select(INTENTS.c.id, VECTORS.c.vector)
        .join(VECTORS, (VECTORS.c.text == INTENTS.c.vector_key) & (VECTORS.c.encoder == INTENTS.c.encoder))
        .where(INTENTS.c.encoder == encoder)
        .order_by(INTENTS.c.id)
    )
    rows = connection.execute(query).all()
    if not rows:
        return [], np.zeros((0, 0), np.float32)
    return [row.id for row in rows], np.stack([np.frombuffer(row.vector, np.float32) for row in rows])


def vectors_of_intents(
    connection: Connection, encoder: str, intents: Sequence[str]
) -> list[tuple[str, NDArray[np.float32]]]:
    """These intents with their vectors, each float32 of shape (dimension,), in their order; unknown ones left out."""
    query = select(INTENTS.c.id, INTENTS.c.vector_key).where(INTENTS.c.encoder == encoder)
    keys: dict[str, str] = {}
    for start in range(0, len(intents), _IN_CHUNK):
        rows = connection.execute(query.where(INTENTS.c.id.in_(intents[start : start + _IN_CHUNK])))
        keys |= {str(row.id): str(row.vector_key) for row in rows}
    vectors = load_vectors(connection, encoder, list(keys.values()))
    return [(intent, vectors[keys[intent]]) for intent in intents if keys.get(intent) in vectors]


def forget_vectors(connection: Connection, encoder: str, keys: Sequence[str]) -> None:
    """Remove vectors by text key."""
    for start in range(0, len(keys), _IN_CHUNK):
        chunk = keys[start : start + _IN_CHUNK]
        connection.execute(delete(VECTORS).where(VECTORS.c.encoder == encoder, VECTORS.c.text.in_(chunk)))
