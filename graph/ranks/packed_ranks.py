"""A rank table as bytes and back: arrays as they are, names as one list, with a sum that tells damage."""

from __future__ import annotations

import zlib
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from graph import constants
from graph.digest import text_digest
from graph.errors import StoreError
from graph.packed_names import PackedNames, pack_names
from graph.ranks.known_columns import COLUMNS, KnownColumns
from graph.ranks.rank_table import RankTable
from graph.ranks.rank_votes import FLOATS, INTS, RankVotes

_FORMAT: Final = 1
_CONSTANTS: Final = (
    constants.OUTCOME_VALUE, constants.EXAMINATION_EXPONENT, constants.EXAMINATION_FLOOR, constants.HALF_LIFE_DAYS,
    constants.ACTOR_CAP, constants.QUALITY_TIER_WEIGHT, constants.QUALITY_CONFIDENCE, constants.ECOSYSTEM_SCALE,
)  # fmt: skip
_FORMULAS: Final = text_digest(repr((_FORMAT, _CONSTANTS)))
"""Another one where what is kept was made with other constants; count `_FORMAT` up where a formula changes."""
_SUM: Final = 4
_VALUE: Final = 8


class _Packed(msgspec.Struct):
    formulas: str
    stamp: tuple[str | int | None, ...]
    seq: int
    base_us: int
    until_us: int | None
    ids: tuple[bytes, bytes]
    others: list[str]
    pending: list[str]
    type_names: list[str]
    types: bytes
    delivered: bytes
    actors: tuple[bytes, bytes]
    known: dict[str, bytes]
    votes: dict[str, bytes]


_DECODER: Final = msgspec.msgpack.Decoder(_Packed)


class Packed(msgspec.Struct):
    """A table as it was at an event number; it holds while its stamp does, and until a moment (None: no end)."""

    table: RankTable
    stamp: tuple[str | int | None, ...]
    seq: int
    until_us: int | None


def pack_table(packed: Packed) -> bytes:
    """The bytes of a table."""
    table, known, votes = packed.table, packed.table.known, packed.table.votes
    actors, voters = votes.in_order()
    numbers = {"voter": voters}
    body = msgspec.msgpack.encode(_Packed(
        formulas=_FORMULAS, stamp=packed.stamp, seq=packed.seq, base_us=votes.base_us, until_us=packed.until_us,
        ids=known.ids, others=table.others, pending=sorted(table.pending), type_names=list(known.type_names),
        types=known.types.astype("<i4").tobytes(), delivered=table.delivered.tobytes(), actors=pack_names(actors),
        known={name: _pack_column(column) for name, column in known.columns.items()},
        votes={name: numbers.get(name, getattr(votes, name)).astype(_kind(name)).tobytes()
               for name in (*INTS, *FLOATS)},
    ))  # fmt: skip
    return zlib.crc32(body).to_bytes(_SUM, "little") + body


def unpack_table(data: bytes) -> Packed:
    """The table of bytes that `pack_table` made.

    Raises
    ------
    StoreError
        They are damaged, or of another version of the formulas.
    """
    body = memoryview(data)[_SUM:]
    if zlib.crc32(body) != int.from_bytes(data[:_SUM], "little"):
        raise StoreError("kept ranks: the bytes are damaged: they are to be computed anew")
    try:
        packed = _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise StoreError(f"kept ranks: {error}: they are to be computed anew") from error
    if packed.formulas != _FORMULAS:
        raise StoreError("kept ranks: they are of another version: they are to be computed anew")
    types = np.frombuffer(packed.types, "<i4")
    columns = {name: _unpack_column(packed.known[name], len(types)) for name in COLUMNS}
    known = KnownColumns(packed.ids, packed.type_names, types, columns)
    votes = RankVotes(packed.base_us, len(known) + len(packed.others))
    for name in (*INTS, *FLOATS):
        setattr(votes, name, np.frombuffer(packed.votes[name], _kind(name)))
    votes.actors = PackedNames(*packed.actors)
    table = RankTable(known, votes, packed.others, np.frombuffer(packed.delivered, bool).copy(), packed.pending)
    return Packed(table, packed.stamp, packed.seq, packed.until_us)


def _pack_column(column: NDArray[np.float64]) -> bytes:
    """The bytes of a column; those of one value where it has no other: most homes know little of anybody."""
    written = column.astype("<f8").tobytes()
    return written[:_VALUE] if written == written[:_VALUE] * len(column) else written


def _unpack_column(written: bytes, rows: int) -> NDArray[np.float64]:
    column = np.frombuffer(written, "<f8")
    return np.full(rows, column[0]) if len(column) == 1 else column


def _kind(name: str) -> str:
    return "<i4" if name in INTS else "<f8"
