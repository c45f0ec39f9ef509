"""The folded votes once more, packed into columns: a hub's tens of thousands of votes are read at once, not row by row.

What was packed last, and the rows of `fold_votes` of the searches noted since, are together the rows of `fold_votes`,
at every moment. Votes are packed when the log is folded anew, after an import, and by who reads a hub when many
searches are noted; nobody waits to keep that. `rebuild --check` holds them against the log.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete

from graph.digest import canonical_json
from graph.errors import StoreError
from graph.identities import Identities, IdKind
from graph.packed_names import PackedNames, pack_names
from graph.store.database import Database, fetch, insert_rows, place_of, run_many, upsert
from graph.store.tables import FOLD_VOTES, PACKED_VOTES, UNPACKED_SEARCHES
from graph.vote_columns import COLUMNS, VoteColumns

MOST_UNPACKED: Final = 128
"""When more searches are noted than this, who reads packs their votes with the others."""
_MOST_ADDED: Final = 4_096
KINDS: Final[tuple[IdKind, ...]] = get_args(IdKind)
COLUMN_OF: Final[dict[IdKind, str]] = {kind: "uri" if kind == "capability" else kind for kind in KINDS}
_TYPES: Final = dict(zip(COLUMNS, [np.uint32] * 4 + [np.uint64, np.uint32, np.int64], strict=True))
_MARK: Final = "mark"
_PLACE: Final = {column.name: place for place, column in enumerate(FOLD_VOTES.columns)}
_SELECT: Final = f"SELECT {', '.join(f'v.{name}' for name in _PLACE)} FROM "  # noqa: S608
Row = tuple[Any, ...]
Numbered = Mapping[IdKind, Mapping[str, int]]


@dataclass(frozen=True)
class PackedVotes:
    """All votes of a store as columns, in order, and the names that their numbers stand for."""

    columns: VoteColumns
    names: Mapping[IdKind, PackedNames] = field(repr=False)

    def resolved(self, same: Identities) -> PackedVotes:
        """The votes as of today's merges; those of artifacts were resolved by the fold."""
        columns = {name: getattr(self.columns, name) for name in COLUMNS}
        for kind, column in COLUMN_OF.items():
            names, found = self.names[kind], {}
            for merged, survivor in same.survivors(kind).items() if kind != "artifact" else ():
                number = names.find(merged)
                if number is not None:
                    found[number] = names.number(survivor)
            if found:
                leads = np.arange(len(names), dtype=np.uint32)
                leads[list(found)] = list(found.values())
                columns[column] = leads[columns[column]]
        resolved = VoteColumns(**columns, kinds=self.columns.kinds)
        return PackedVotes(resolved.in_order() if same.survivors("actor") else resolved, self.names)


def read_packed(connection: Connection) -> tuple[PackedVotes, Packing | None]:
    """All votes, and what may be kept where they had to be packed anew."""
    documents = _read_documents(connection)
    noted = _count_noted(connection)
    if not _is_whole(documents) or noted > _MOST_ADDED:
        packing = pack_anew(connection)
        return packing.votes, packing
    packed = unpack_votes(documents)
    of_noted = "fold_votes v WHERE v.search IN (SELECT search FROM unpacked_searches)"
    rows = fetch(connection, _SELECT + of_noted) if noted else []
    packed = _with_rows(packed, rows) if rows else packed
    return packed, _packing(connection, _packed_again(packed)) if noted > MOST_UNPACKED else None


def _read_documents(connection: Connection) -> dict[str, bytes]:
    return {str(name): bytes(each) for name, each in fetch(connection, "SELECT name, document FROM packed_votes")}


@dataclass(frozen=True)
class Packing:
    """All votes packed anew, and what was there before: the mark of what was packed, and the searches noted since."""

    documents: Mapping[str, bytes] = field(repr=False)
    before: bytes | None
    noted: Sequence[tuple[str, int]] = field(repr=False)

    @property
    def votes(self) -> PackedVotes:
        """The votes."""
        return unpack_votes(self.documents)


def pack_anew(connection: Connection) -> Packing:
    """All votes of a store, packed but not kept."""
    return _packing(connection, pack_votes(fetch(connection, f"{_SELECT}fold_votes v")))


def _packing(connection: Connection, documents: Mapping[str, bytes]) -> Packing:
    noted = fetch(connection, "SELECT search, changes FROM unpacked_searches")
    return Packing(documents, _mark(connection), [(str(search), int(changes)) for search, changes in noted])


def keep_packing(connection: Connection, packing: Packing) -> None:
    """Replace what was packed, unless another did so meanwhile; searches that changed meanwhile stay noted."""
    if _mark(connection) == packing.before:
        _replace(connection, packing.documents)
        places = " AND ".join(f"{name} = {place_of(connection.dialect)}" for name in ("search", "changes"))
        run_many(connection, f"DELETE FROM unpacked_searches WHERE {places}", packing.noted)  # noqa: S608


def pack_when_crowded(store: Database) -> None:
    """Pack all votes where so many searches are noted that a reader would; left to a reader where another writes."""
    with store.reading() as connection:
        packing = pack_anew(connection) if _count_noted(connection) > MOST_UNPACKED else None
    if packing is not None:
        with contextlib.suppress(StoreError), store.writing(wait=False) as connection:
            keep_packing(connection, packing)


def _count_noted(connection: Connection) -> int:
    ((noted,),) = fetch(connection, "SELECT count(*) FROM unpacked_searches")
    return int(noted)


def replace_packed(connection: Connection, rows: Iterable[Row]) -> None:
    """Pack these rows of `fold_votes`, which are all of this moment, and keep them."""
    _replace(connection, pack_votes(rows))
    connection.execute(delete(UNPACKED_SEARCHES))


def _replace(connection: Connection, documents: Mapping[str, bytes]) -> None:
    connection.execute(delete(PACKED_VOTES))
    mark = _checksum(documents) + secrets.token_bytes(16)
    insert_rows(connection, PACKED_VOTES, {**documents, _MARK: mark}.items())


def _is_whole(documents: Mapping[str, bytes]) -> bool:
    """Whether these are packed votes, to the bit as they were written; where they are not, they are packed anew."""
    return _MARK in documents and documents[_MARK].startswith(_checksum(documents))


def _checksum(documents: Mapping[str, bytes]) -> bytes:
    """Four bytes that an accident does not leave as they are; the mark itself does not count."""
    found = 0
    for name in sorted(documents.keys() - {_MARK}):
        found = zlib.crc32(documents[name], zlib.crc32(name.encode(), found))
    return found.to_bytes(4, "little")


def _mark(connection: Connection) -> bytes | None:
    rows = fetch(connection, "SELECT document FROM packed_votes WHERE name = ?", (_MARK,))
    return bytes(rows[0][0]) if rows else None


def note_unpacked(connection: Connection, searches: Iterable[str]) -> None:
    """Note searches whose votes are no longer what was packed."""
    upsert(connection, UNPACKED_SEARCHES, [{"search": s, "changes": 1} for s in sorted(searches)], add=["changes"])


def is_packed_equal(connection: Connection) -> bool:
    """Whether what is packed, and the rows noted since, are the rows of `fold_votes`."""
    documents = _read_documents(connection)
    if documents and not _is_whole(documents):
        return False
    return _spelled(read_packed(connection)[0]) == _spelled(pack_anew(connection).votes)


def _spelled(packed: PackedVotes) -> list[tuple[Any, ...]]:
    """The rows with names in place of numbers, sorted."""
    columns = []
    for name in _TYPES:
        values = getattr(packed.columns, name).tolist()
        kind = next((kind for kind, column in COLUMN_OF.items() if column == name), None)
        names = packed.columns.kinds if name == "kind" else packed.names[kind] if kind else None
        columns.append(values if names is None else [names[number] for number in values])
    return sorted(zip(*columns, strict=True))


def pack_votes(rows: Iterable[Row]) -> dict[str, bytes]:
    """The documents of packed votes, by name, from rows of `fold_votes` in any order."""
    given = list(rows)
    documents: dict[str, bytes] = {}
    numbered: dict[IdKind, dict[str, int]] = {}
    for kind, column in COLUMN_OF.items():
        names = sorted({row[_PLACE[column]] for row in given})
        documents[f"{kind} names"], documents[f"{kind} ends"] = pack_names(names)
        numbered[kind] = {name: number for number, name in enumerate(names)}
    kinds = {kind: number for number, kind in enumerate(sorted({_kind(row) for row in given}))}
    documents["kinds"] = canonical_json(list(kinds))
    columns = _columns(given, numbered, kinds)
    return documents | {name: getattr(columns, name).tobytes() for name in _TYPES}


def unpack_votes(documents: Mapping[str, bytes]) -> PackedVotes:
    """The votes of documents that `pack_votes` made."""
    kinds = tuple((str(outcome), int(place), float(trust)) for outcome, place, trust in json.loads(documents["kinds"]))
    columns = VoteColumns(
        **{name: np.frombuffer(documents[name], type_) for name, type_ in _TYPES.items()}, kinds=kinds
    )
    return PackedVotes(columns, {k: PackedNames(documents[f"{k} names"], documents[f"{k} ends"]) for k in KINDS})


def _packed_again(packed: PackedVotes) -> dict[str, bytes]:
    """The documents of votes to which rows were added: names and kinds sorted, rows in order."""
    documents: dict[str, bytes] = {}
    columns = {name: getattr(packed.columns, name) for name in COLUMNS}
    for kind, column in COLUMN_OF.items():
        names = [packed.names[kind][number] for number in range(len(packed.names[kind]))]
        order, columns[column] = _sorted_again(names, columns[column])
        documents[f"{kind} names"], documents[f"{kind} ends"] = pack_names(order)
    kinds, columns["kind"] = _sorted_again(packed.columns.kinds, columns["kind"])
    documents["kinds"] = canonical_json(kinds)
    ordered = VoteColumns(**columns, kinds=tuple(kinds)).in_order()
    return documents | {name: getattr(ordered, name).tobytes() for name in _TYPES}


def _sorted_again(values: Sequence[Any], numbers: NDArray[np.uint32]) -> tuple[list[Any], NDArray[np.uint32]]:
    """Values sorted, and their numbers as places among them."""
    order = sorted(range(len(values)), key=values.__getitem__)
    places = np.empty(len(values), np.uint32)
    places[order] = np.arange(len(values), dtype=np.uint32)
    return [values[number] for number in order], places[numbers]


def _kind(row: Row) -> tuple[str, int, float]:
    return row[_PLACE["outcome"]], row[_PLACE["position"]], row[_PLACE["trust"]]


def _columns(rows: Sequence[Row], numbered: Numbered, kinds: Mapping[tuple[str, int, float], int]) -> VoteColumns:
    """The columns of rows, in order."""
    taken = {name: [row[place] for row in rows] for name, place in _PLACE.items()}
    for kind, column in COLUMN_OF.items():
        taken[column] = list(map(numbered[kind].__getitem__, taken[column]))
    taken["kind"] = [kinds[_kind(row)] for row in rows]
    taken["search"] = list(map(search_digest, taken["search"]))
    columns = {name: np.array(taken[name], type_) for name, type_ in _TYPES.items()}
    return VoteColumns(**columns, kinds=tuple(kinds)).in_order()


def _with_rows(packed: PackedVotes, rows: Sequence[Row]) -> PackedVotes:
    """The votes with rows in place of all others of the same searches."""
    numbered = {
        kind: {name: packed.names[kind].number(name) for name in {row[_PLACE[column]] for row in rows}}
        for kind, column in COLUMN_OF.items()
    }
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys([*packed.columns.kinds, *map(_kind, rows)]))}
    new, old = _columns(rows, numbered, kinds), packed.columns
    kept = np.flatnonzero(~_is_any(old.search, new.search))
    pairs, searches = old.pairs[kept], old.search[kept]
    starts = np.searchsorted(pairs, new.pairs, "left")
    ends = np.searchsorted(pairs, new.pairs, "right")
    for row in np.flatnonzero(ends > starts).tolist():  # within its pair a row stands by its search
        starts[row] += np.searchsorted(searches[starts[row] : ends[row]], new.search[row])
    order = np.insert(kept, starts, len(old) + np.arange(len(new)))
    both = {name: np.concatenate([getattr(old, name), getattr(new, name)])[order] for name in _TYPES}
    return PackedVotes(VoteColumns(**both, kinds=new.kinds), packed.names)


def _is_any(values: NDArray[np.uint64], few: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which values are among few others; most are ruled out by their last 16 bits."""
    low = np.uint64(0xFFFF)
    likely = np.zeros(1 << 16, np.bool_)
    likely[few & low] = True
    found: NDArray[np.bool_] = likely[values & low]
    places = np.flatnonzero(found)
    found[places] = np.isin(values[places], few)
    return found


def search_digest(search: str) -> int:
    """64 bits of a search's id; equal ones matter only of one actor and one artifact."""
    return int.from_bytes(hashlib.blake2b(search.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
