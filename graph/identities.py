"""What has turned out to be the same: merged artifacts, capabilities, intents and actors. Pure, of ids only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from graph.events import CatalogueEvent

IdKind = Literal["artifact", "capability", "intent", "actor"]
MERGES: Final[dict[str, IdKind]] = {
    "artifact_merged": "artifact", "capability_aliased": "capability", "intent_merged": "intent",
    "actor_merged": "actor",
}  # fmt: skip
"""The catalogue events that say "subject is object", and of what kind both are."""


@dataclass
class Identities:
    """The merges of a log. Merges hold for all times, those before them too: they say what was one thing all along."""

    pairs: set[tuple[IdKind, str, str]] = field(default_factory=set)
    _maps: dict[IdKind, dict[str, str]] = field(default_factory=dict, compare=False, repr=False)

    def take(self, event: CatalogueEvent) -> bool:
        """Whether an event is a merge; if so, it is taken in."""
        kind = MERGES.get(event.action)
        if kind is None or event.object is None or event.object == event.subject:
            return False
        self.add(kind, event.subject, event.object)
        return True

    def add(self, kind: IdKind, subject: str, survivor: str) -> None:
        """Take in that `subject` is `survivor`."""
        self.pairs.add((kind, subject, survivor))
        self._maps.pop(kind, None)

    def survivors(self, kind: IdKind) -> dict[str, str]:
        """Where the merged ids of a kind lead to; ids that were never merged, and survivors, are not in it."""
        if kind not in self._maps:
            self._maps[kind] = lead_to_survivors((a, b) for of, a, b in self.pairs if of == kind)
        return self._maps[kind]

    def resolve(self, kind: IdKind, id_: str) -> str:
        """The id that stands for this one today; itself where it was never merged."""
        return self.survivors(kind).get(id_, id_) if self.pairs else id_

    def members(self, kind: IdKind, survivor: str) -> list[str]:
        """All ids that one id stands for, itself included, sorted."""
        return sorted({survivor, *(a for a, b in self.survivors(kind).items() if b == survivor)})


def lead_to_survivors(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For every id that was merged, the one that stands for it; the order of pairs does not matter.

    Ids that pairs join, directly or not, are one. Of them the smallest that was merged into nothing else stands for
    all; in a circle the smallest of all.

    Examples
    --------
    >>> lead_to_survivors([("b", "a"), ("c", "b")])
    {'b': 'a', 'c': 'a'}
    """
    given = set(pairs)
    joined: dict[str, set[str]] = {}
    for subject, survivor in sorted(given):
        whole = joined.get(subject, {subject}) | joined.get(survivor, {survivor})
        joined.update(dict.fromkeys(whole, whole))
    merged = {subject for subject, _ in given}
    found = {}
    for id_, whole in sorted(joined.items()):
        standing = min(whole - merged or whole)
        if id_ != standing:
            found[id_] = standing
    return found
