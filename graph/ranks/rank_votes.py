"""What votes say of every artifact, in arrays that are weighed at any later moment without looking at a vote again.

Weights halve with time all alike, so sums are kept in units of a base moment and multiplied by the decay since then.
The one thing that is not in proportion is the cap on an actor: where it may still bind, the parts stay apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import ACTOR_CAP, DAY_US, HALF_LIFE_DAYS
from graph.match_graph import SELECTING, Vote
from graph.packed_names import PackedNames, pack_names
from graph.weights import exact_sum, standing_votes, vote_value

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
INTS: Final = ("voter_row", "voter", "path_row", "part_path")
FLOATS: Final = ("selecting", "flow", "path_free", "part_weight", "part_size")


@dataclass(frozen=True)
class ArtifactVotes:
    """What the votes on one artifact come to, in units of the base moment.

    `selecting` is the decayed number of actors who took it; `flow` the sum of its paths, each at least 0. Where an
    actor is capped `flow` is 0 and `paths` say it: of each path the sum of its uncapped votes, and its capped parts as
    (weight before the cap, the absolute weight of all votes of that actor here).
    """

    voters: tuple[str, ...] = ()
    selecting: float = 0.0
    flow: float = 0.0
    paths: tuple[tuple[float, tuple[tuple[float, float], ...]], ...] = ()


def since_base(time_us: int, base_us: int) -> float:
    """The decay from a moment to another, as a factor: ½ a half-life after it, 2 a half-life before."""
    return float(2.0 ** ((time_us - base_us) / (HALF_LIFE_DAYS * DAY_US)))


def sum_votes(votes: Iterable[Vote], base_us: int, as_of_us: int) -> ArtifactVotes:
    """What the outcomes of one artifact come to, of those that had happened by a moment, for that moment and later."""
    standing = standing_votes(votes, as_of_us)
    sizes: dict[str, list[float]] = {}
    newest: dict[str, float] = {}
    paths: dict[tuple[str, str], dict[str, list[float]]] = {}
    for vote in standing:
        left = since_base(vote.time_us, base_us)
        weight = vote_value(vote.outcome, vote.position, vote.trust) * left
        sizes.setdefault(vote.actor, []).append(abs(weight))
        if vote.outcome in SELECTING:
            newest[vote.actor] = max(newest.get(vote.actor, 0.0), left)
        paths.setdefault((vote.intent, vote.uri), {}).setdefault(vote.actor, []).append(weight)
    cap = ACTOR_CAP * since_base(as_of_us, base_us)
    capped = {actor: size for actor, each in sizes.items() if (size := exact_sum(each)) > cap}
    found = [
        (
            exact_sum(weight for actor, weights in path.items() if actor not in capped for weight in weights),
            tuple((exact_sum(path[actor]), capped[actor]) for actor in path if actor in capped),
        )
        for path in paths.values()
    ]
    return ArtifactVotes(
        tuple(sorted(sizes)), exact_sum(newest.values()),
        0.0 if capped else exact_sum(max(0.0, free) for free, _ in found), tuple(found) if capped else (),
    )  # fmt: skip


class RankVotes:
    """The votes on numbered artifacts (rows).

    Attributes
    ----------
    selecting, flow : ndarray
        Shape (rows,), float64, in units of `base_us`; `flow` without what `path_…` and `part_…` add.
    voter_row, voter : ndarray
        Shape (pairs,), int32: the row, and the number in `actors`, of every (artifact, actor) with a vote.
    path_row, path_free : ndarray
        Shape (paths,): paths of artifacts with a capped actor; their row, and the sum of their uncapped votes.
    part_path, part_weight, part_size : ndarray
        Shape (parts,): the number of a path, what one capped actor's votes on it weigh before the cap, and the
        absolute weight of all that actor's votes on the artifact.
    """

    def __init__(self, base_us: int, rows: int) -> None:
        self.base_us = base_us
        self.actors = PackedNames(*pack_names([]))
        self.selecting: Floats = np.zeros(rows)
        self.flow: Floats = np.zeros(rows)
        self.voter_row: Ints = np.zeros(0, np.int32)
        self.voter: Ints = np.zeros(0, np.int32)
        self.path_row: Ints = np.zeros(0, np.int32)
        self.path_free: Floats = np.zeros(0)
        self.part_path: Ints = np.zeros(0, np.int32)
        self.part_weight: Floats = np.zeros(0)
        self.part_size: Floats = np.zeros(0)

    def in_order(self) -> tuple[list[str], Ints]:
        """The actors sorted, and `voter` with their places among the sorted ones."""
        names = [self.actors[number] for number in range(len(self.actors))]
        order = sorted(range(len(names)), key=names.__getitem__)
        places = np.empty(len(names), np.int32)
        places[order] = np.arange(len(names), dtype=np.int32)
        return [names[number] for number in order], places[self.voter]

    def replace(self, taken: Mapping[int, ArtifactVotes]) -> None:
        """Put these in the place of what was said of the artifacts in these rows; new rows may follow the last."""
        new = np.zeros(max(0, max(taken, default=-1) + 1 - len(self.selecting)))
        self.selecting, self.flow = np.concatenate([self.selecting, new]), np.concatenate([self.flow, new])
        rows = np.fromiter(taken, np.int32, len(taken))
        self.selecting[rows] = [votes.selecting for votes in taken.values()]
        self.flow[rows] = [votes.flow for votes in taken.values()]
        self._remove(rows)
        self._add(taken)

    def _remove(self, rows: Ints) -> None:
        gone = np.zeros(len(self.selecting), bool)
        gone[rows] = True
        voters, paths = ~gone[self.voter_row], ~gone[self.path_row]
        self.voter_row, self.voter = self.voter_row[voters], self.voter[voters]
        parts, numbers = paths[self.part_path], (np.cumsum(paths) - 1).astype(np.int32)
        self.part_path = numbers[self.part_path[parts]]
        self.part_weight, self.part_size = self.part_weight[parts], self.part_size[parts]
        self.path_row, self.path_free = self.path_row[paths], self.path_free[paths]

    def _add(self, taken: Mapping[int, ArtifactVotes]) -> None:
        new: dict[str, list[float]] = {name: [] for name in (*INTS, *FLOATS)}
        path = len(self.path_row)
        for row, votes in taken.items():
            new["voter_row"] += [row] * len(votes.voters)
            new["voter"] += [self.actors.number(actor) for actor in votes.voters]
            for free, parts in votes.paths:
                new["path_row"].append(row)
                new["path_free"].append(free)
                new["part_path"] += [path] * len(parts)
                new["part_weight"] += [weight for weight, _ in parts]
                new["part_size"] += [size for _, size in parts]
                path += 1
        for name in new.keys() - {"selecting", "flow"}:
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.array(new[name], old.dtype)]))

    def weigh(self, as_of_us: int) -> tuple[Floats, Floats]:
        """Decayed selecting actors and flow of every row at a moment, each float64 of shape (rows,)."""
        left = since_base(self.base_us, as_of_us)
        capped = ACTOR_CAP / np.maximum(self.part_size * left, ACTOR_CAP)
        parts = np.bincount(self.part_path, self.part_weight * capped, minlength=len(self.path_row))
        paths = np.maximum(0.0, self.path_free + parts)
        flow = self.flow + np.bincount(self.path_row, paths, minlength=len(self.flow))
        return self.selecting * left, flow * left

    def voters(self) -> Floats:
        """Distinct actors with a vote on each artifact, float64 of shape (rows,)."""
        return np.bincount(self.voter_row, minlength=len(self.selecting)).astype(np.float64)

    def tried(self) -> NDArray[np.int64]:
        """How many artifacts each actor has a vote on, int64, by the numbers in `actors`."""
        return np.bincount(self.voter)
