"""The folded votes once more, packed into columns: a hub's tens of thousands of votes are read at once, not row by row.

What was packed last, and the rows of `fold_votes` of the searches noted since, are together the rows of `fold_votes`,
at every moment. Votes are packed when the log is folded anew, after an import, and by who reads a hub when many
searches were noted. `rebuild --check` holds them against the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, get_args

import numpy as np
from sqlalchemy import Connection, delete

from graph.identities import Identities, IdKind
from graph.packed_names import PackedNames, pack_names
from graph.store.database import fetch, insert_rows, upsert
from graph.store.tables import FOLD_VOTES, PACKED_VOTES, UNPACKED_SEARCHES
from graph.vote_columns import VoteColumns
from graph.weights import vote_value

MOST_UNPACKED: Final = 512
"""When more searches are noted than this, all votes are packed anew."""
KINDS: Final[tuple[IdKind, ...]] = get_args(IdKind)
COLUMN_OF: Final[dict[IdKind, str]] = {kind: "uri" if kind == "capability" else kind for kind in KINDS}
_TYPES: Final = {
    "artifact": np.uint32, "actor": np.uint32, "intent": np.uint32, "uri": np.uint32, "search": np.uint64,
    "level": np.uint8, "value": np.float64, "time_us": np.int64,
}  # fmt: skip
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
        columns = {each.name: getattr(self.columns, each.name) for each in fields(VoteColumns)}
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
        resolved = VoteColumns(**columns)
        return PackedVotes(resolved.in_order() if same.survivors("actor") else resolved, self.names)


def read_packed(connection: Connection) -> PackedVotes | None:
    """All votes; None where they are to be packed first."""
    documents = {str(name): bytes(each) for name, each in fetch(connection, "SELECT name, document FROM packed_votes")}
    ((noted,),) = fetch(connection, "SELECT count(*) FROM unpacked_searches")
    if not documents or noted > MOST_UNPACKED:
        return None
    packed = unpack_votes(documents)
    rows = fetch(connection, f"{_SELECT}unpacked_searches u JOIN fold_votes v ON v.search = u.search") if noted else []
    return _with_rows(packed, rows) if rows else packed


def all_packed(connection: Connection) -> dict[str, bytes]:
    """The documents of all votes of a store, made anew."""
    return pack_votes(fetch(connection, f"{_SELECT}fold_votes v"))


def keep_packed(connection: Connection, documents: Mapping[str, bytes]) -> None:
    """Replace what was packed by all votes of this moment."""
    connection.execute(delete(PACKED_VOTES))
    connection.execute(delete(UNPACKED_SEARCHES))
    insert_rows(connection, PACKED_VOTES, documents.items())


def note_unpacked(connection: Connection, searches: Iterable[str]) -> None:
    """Note searches whose votes are no longer what was packed."""
    upsert(connection, UNPACKED_SEARCHES, [{"search": search} for search in sorted(searches)])


def is_packed_equal(connection: Connection) -> bool:
    """Whether what is packed, and the rows noted since, are the rows of `fold_votes`."""
    packed = read_packed(connection)
    return packed is None or _spelled(packed) == _spelled(unpack_votes(all_packed(connection)))


def _spelled(packed: PackedVotes) -> list[tuple[Any, ...]]:
    """The rows with names in place of numbers, sorted."""
    columns = []
    for name in _TYPES:
        values = getattr(packed.columns, name).tolist()
        kind = next((kind for kind, column in COLUMN_OF.items() if column == name), None)
        columns.append([packed.names[kind][number] for number in values] if kind else values)
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
    columns = _columns(given, numbered)
    return documents | {name: getattr(columns, name).tobytes() for name in _TYPES}


def unpack_votes(documents: Mapping[str, bytes]) -> PackedVotes:
    """The votes of documents that `pack_votes` made."""
    columns = VoteColumns(**{name: np.frombuffer(documents[name], type_) for name, type_ in _TYPES.items()})
    return PackedVotes(columns, {k: PackedNames(documents[f"{k} names"], documents[f"{k} ends"]) for k in KINDS})


def _columns(rows: Sequence[Row], numbered: Numbered) -> VoteColumns:
    """The columns of rows, in order."""
    taken = {name: [row[place] for row in rows] for name, place in _PLACE.items()}
    for kind, column in COLUMN_OF.items():
        taken[column] = list(map(numbered[kind].__getitem__, taken[column]))
    valued = list(zip(taken["outcome"], taken["position"], taken["trust"], strict=True))
    values = {key: vote_value(*key) for key in set(valued)}
    taken["value"] = list(map(values.__getitem__, valued))
    taken["search"] = list(map(_digest, taken["search"]))
    return VoteColumns(**{name: np.array(taken[name], type_) for name, type_ in _TYPES.items()}).in_order()


def _with_rows(packed: PackedVotes, rows: Sequence[Row]) -> PackedVotes:
    """The votes with rows in place of all others of the same searches."""
    numbered = {
        kind: {name: packed.names[kind].number(name) for name in {row[_PLACE[column]] for row in rows}}
        for kind, column in COLUMN_OF.items()
    }
    new, old = _columns(rows, numbered), packed.columns
    kept = old.take(~np.isin(old.search, np.unique(new.search)))
    pairs, low = kept.pairs, new.pairs
    starts, ends = np.searchsorted(pairs, low, "left").tolist(), np.searchsorted(pairs, low, "right").tolist()
    places = [
        start + int(np.searchsorted(kept.search[start:end], search))
        for start, end, search in zip(starts, ends, new.search, strict=True)
    ]
    both = {name: np.insert(getattr(kept, name), places, getattr(new, name)) for name in _TYPES}
    return PackedVotes(VoteColumns(**both), packed.names)


def _digest(search: str) -> int:
    """64 bits of a search's id; equal ones matter only of one actor and one artifact."""
    return int.from_bytes(hashlib.blake2b(search.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
