"""One snapshot: an immutable, checksummed build of the index. Rows, vectors and BM25 share their row numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from graph.digest import digest_of, text_digest
from graph.errors import EncoderMismatch, SnapshotError
from graph.events import now_us
from indexer.calibration.fit import METHOD, Calibration
from indexer.gate import Refused
from indexer.lexical import Lexical
from indexer.snapshots import (
    FORMAT,
    Manifest,
    check_files,
    current_folder,
    current_id,
    is_snapshot,
    list_snapshots,
    make_current,
    new_id,
    new_snapshot,
    prune,
    roll_back,
    write_manifest,
)
from indexer.vectors import Vectors
from inference.encoder_recipe import EncoderInfo

__all__ = [
    "Draft", "Manifest", "Row", "Snapshot", "content_digest", "current_id", "list_snapshots", "live_capabilities",
    "open_snapshot", "roll_back", "write_snapshot",
]  # fmt: skip

VECTORS_FILE: Final = "vectors.faiss"
LEXICAL_FOLDER: Final = "lexical"
ROWS_FILE: Final = "rows.jsonl"
CALIBRATION_FILE: Final = "calibration.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One searched text: whose it is. `kind` is main, wording or intents; `key` the key of its vector, its digest."""

    artifact: str
    slug: str
    name: str
    type: str
    capability: str
    uri: str | None
    kind: str
    key: str


@dataclass(frozen=True)
class Draft:
    """What a snapshot is made of. `texts` and `vectors` (float32, (rows, dimension)) are in the order of `rows`."""

    encoder: EncoderInfo
    policy: str
    rules: Mapping[str, Any]
    catalogue: str
    rows: Sequence[Row]
    texts: Sequence[str]
    vectors: NDArray[np.float32]
    counts: Mapping[str, int]
    refused: Sequence[Refused]
    calibration: Calibration | None = None

    @property
    def content(self) -> str:
        """Digest of format, encoder, policy, rows and the method of calibration."""
        return content_digest(self.encoder, self.rules, self.rows)


def content_digest(encoder: EncoderInfo, rules: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """What decides whether a build changes anything: digest of format, encoder, policy, rows, calibration."""
    return digest_of([FORMAT, METHOD, encoder.digest, dict(rules), text_digest(_lines(rows))])


class Snapshot:
    """An open snapshot. Its files are mapped, so it stays usable after they were removed."""

    def __init__(
        self, manifest: Manifest, rows: list[Row], vectors: Vectors, lexical: Lexical, calibration: Calibration | None
    ) -> None:
        self.id = manifest.id
        self.manifest = manifest
        self.rows = rows
        self.calibration = calibration
        """How sure a cosine makes us; None in a snapshot that has none (an older one, or nothing to fit it on)."""
        self._vectors, self._lexical = vectors, lexical

    def dense(self, vector: NDArray[np.float32], top: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Row numbers, int64 (k,), and cosines, float32 (k,), of the `top` nearest rows, ties by row number.

        Parameters
        ----------
        vector
            float32 (dimension,), L2-normalised.
        top
            How many rows; k = min(top, rows).
        """
        return self._vectors.nearest(vector, top)

    def cosines(self, vector: NDArray[np.float32], aside: Executor | None = None) -> NDArray[np.float32]:
        """The cosine of every row with a vector, float32 (rows,); `vector` as in `dense`, `aside` may do half of it."""
        return self._vectors.all_cosines(vector, aside)

    def lexical(self, query: str) -> NDArray[np.float32]:
        """BM25 of every row for a query, float32 (rows,); all zero where the query has no known word."""
        return self._lexical.scores(query)

    def knows(self, text: str) -> bool:
        """Whether a row has any word of a text, in some form; stop words aside."""
        return self._lexical.knows(text)

    def vectors_of(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """Vectors of rows, float32 (k, dimension), L2-normalised, in the order given; (0, dimension) for none."""
        return self._vectors.at(np.asarray(rows, np.int64))


def write_snapshot(folder: Path, draft: Draft) -> Manifest:
    """The manifest of a new snapshot in this folder, made live, older ones pruned. Call it under `build_lock`.

    Raises
    ------
    SnapshotError
        It cannot be written; the live snapshot stays as it was.
    """
    content = draft.content
    name, created_us = new_id(folder, now_us(), content)
    with new_snapshot(folder, name) as place:
        Vectors.of(draft.vectors).save(place / VECTORS_FILE)
        Lexical.of(draft.texts).save(place / LEXICAL_FOLDER)
        (place / ROWS_FILE).write_text(_lines(draft.rows), encoding="utf-8")
        if draft.calibration is not None:
            draft.calibration.save(place / CALIBRATION_FILE)
        fields = {
            "id": name, "created_us": created_us, "content": content, "encoder": asdict(draft.encoder),
            "policy": draft.policy, "rules": dict(draft.rules), "catalogue": draft.catalogue,
            "counts": dict(draft.counts), "refused": [asdict(refused) for refused in draft.refused],
        }  # fmt: skip
        manifest = write_manifest(place, fields)
    make_current(folder, name)
    prune(folder)
    return manifest


def open_snapshot(folder: Path, *, encoder: EncoderInfo | None, deep: bool = False) -> Snapshot:
    """The live snapshot of a home's folder of snapshots, or the snapshot in this folder, after checking its files.

    Parameters
    ----------
    folder
        `home.snapshots`, or the folder of one snapshot.
    encoder
        The encoder of the queries; None only looks at the snapshot and asks nothing of it.
    deep
        Hashes files above 64 MiB too.

    Raises
    ------
    SnapshotError
        Nothing was built yet, or a file is missing or altered; names it.
    EncoderMismatch
        It was built with another encoder; names both.
    """
    folder = folder if is_snapshot(folder) else current_folder(folder)
    manifest = check_files(folder, deep=deep)
    if encoder is not None and encoder.digest != manifest.encoder.digest:
        built, asked = manifest.encoder, encoder
        raise EncoderMismatch(
            f"snapshot {manifest.id} was built with encoder {built.name} ({built.digest[:12]}), not "
            f"{asked.name} ({asked.digest[:12]}): run `matchgraph build`, or name its encoder in MATCHGRAPH_ENCODER"
        )
    rows = _read_rows(folder / ROWS_FILE)
    vectors, lexical = Vectors.open(folder / VECTORS_FILE), Lexical.open(folder / LEXICAL_FOLDER)
    if not len(rows) == vectors.shape[0] == lexical.rows or vectors.shape[1] != manifest.encoder.dimension:
        raise SnapshotError(f"{folder}: rows, vectors and words do not fit together: run `matchgraph build`")
    return Snapshot(manifest, rows, vectors, lexical, Calibration.open(folder / CALIBRATION_FILE))


def live_capabilities(folder: Path, artifact: str) -> frozenset[str]:
    """Local ids of an artifact's capabilities in the live snapshot; empty before the first build.

    Raises
    ------
    SnapshotError
        The rows cannot be read.
    """
    live = current_id(folder)
    if live is None:
        return frozenset()
    rows = _read_rows(folder / live / ROWS_FILE, only=artifact)
    return frozenset(row.capability for row in rows if row.artifact == artifact)


def _lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(asdict(row), sort_keys=True) + "\n" for row in rows)


def _read_rows(file: Path, only: str | None = None) -> list[Row]:
    """All rows; those that cannot be of the artifact `only` are skipped unread."""
    mark = "" if only is None else json.dumps(only)
    try:
        with file.open(encoding="utf-8") as stream:
            return [Row(**json.loads(line)) for line in stream if mark in line]
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotError(f"{file}: cannot be read: run `matchgraph rollback` or `matchgraph build`") from error
