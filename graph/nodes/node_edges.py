"""The deliveries along the edges between one node and its neighbours of one kind, from the store by indexes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, func, select

from graph.identities import Identities
from graph.store.packed_votes import COLUMN_OF
from graph.store.tables import FOLD_ARTIFACT_EDGES, FOLD_INTENT_EDGES
from graph.walks import Node, NodeKind

_IN_CHUNK: Final = 500


class NodeEdges:
    """The edges of a node with the nodes of a kind next to it, merges resolved.

    Where the node or any node of this kind was merged, all rows are read and added up; else only what is asked for.
    """

    def __init__(self, connection: Connection, node: Node, kind: NodeKind, same: Identities) -> None:
        self._connection, self._survivors = connection, same.survivors(kind)
        self._table = FOLD_INTENT_EDGES if "intent" in (node.kind, kind) else FOLD_ARTIFACT_EDGES
        self._near, self._node = self._table.c[COLUMN_OF[kind]], self._table.c[COLUMN_OF[node.kind]]
        self._members = same.members(node.kind, node.id)
        self._is_plain = len(self._members) == 1 and not self._survivors
        self._at_node = self._node == node.id

    @cached_property
    def all(self) -> dict[str, int]:
        """The deliveries of every neighbour that has some, by id."""
        found: Counter[str] = Counter()
        for start in range(0, len(self._members), _IN_CHUNK):
            there = self._node.in_(self._members[start : start + _IN_CHUNK]) & (self._table.c.searches > 0)
            for near, searches in self._connection.execute(select(self._near, self._table.c.searches).where(there)):
                found[self._survivors.get(near, near)] += searches
        return dict(found)

    def count(self, named: Collection[str]) -> int:
        """How many neighbours were delivered or are named by votes; `named` must tell quickly what is in it."""
        if not self._is_plain:
            return len(self.all) + sum(near not in self.all for near in named)
        counted = select(func.count(), func.min(self._table.c.searches)).where(self._at_node)
        ((rows, least),) = self._connection.execute(counted)
        if least != 0:
            return int(rows)
        undelivered = select(self._near).where(self._at_node, self._table.c.searches == 0)
        return int(rows) - sum(near not in named for near in self._connection.execute(undelivered).scalars())

    def deliveries(self, ids: Sequence[str]) -> dict[str, int]:
        """The deliveries of these neighbours, by id; those that were only voted for are left out."""
        if not self._is_plain:
            return {near: self.all[near] for near in ids if near in self.all}
        found: dict[str, int] = {}
        for start in range(0, len(ids), _IN_CHUNK):
            these = self._near.in_(ids[start : start + _IN_CHUNK])
            rows = self._connection.execute(select(self._near, self._table.c.searches).where(self._at_node, these))
            found.update((str(near), int(searches)) for near, searches in rows)
        return found

    def busiest(self, limit: int, without: Collection[str]) -> dict[str, int]:
        """The neighbours of most deliveries, ties by id, at most so many; those named left out."""
        if self._is_plain:
            order = (self._table.c.searches.desc(), self._near)
            query = select(self._near, self._table.c.searches).where(self._at_node, self._table.c.searches > 0)
            found = {
                str(near): int(searches)
                for near, searches in self._connection.execute(query.order_by(*order).limit(limit + len(without)))
            }
        else:
            found = self.all
        left = ((near, searches) for near, searches in found.items() if near not in without)
        return dict(sorted(left, key=lambda each: (-each[1], each[0]))[:limit])
