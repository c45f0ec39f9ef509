"""The fold: events become counts. Pure, of ids only, and independent of the order of events.

Counts are integers and votes are chosen by a total order, so folding in parts and merging gives the same as
folding all at once, bit for bit. Time enters on reading (`graph.weights`), never here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from graph.constants import OUTCOME_LEVEL
from graph.events import CatalogueEvent, OutcomeEvent, SearchEvent, Tombstone
from graph.identities import Identities

SELECTING: Final = frozenset({"select", "success"})
"""Outcomes of an actor who took the artifact."""
NO_INTENT = ""
"""Key of searches without an intent and of results without a capability."""


@dataclass(frozen=True)
class Vote:
    """An outcome of one actor on one artifact in one search."""

    search: str
    artifact: str
    actor: str
    intent: str
    uri: str
    outcome: str
    position: int
    trust: float
    time_us: int
    event: str

    @property
    def level(self) -> int:
        """How strong its outcome is, 1 (a click) to 4 (success or failure)."""
        return OUTCOME_LEVEL[self.outcome]

    @property
    def strength(self) -> tuple[int, int, str]:
        """Sort key: the strongest outcome, then (the smaller the better) the first in (time, id)."""
        return (-self.level, self.time_us, self.event)


@dataclass
class Fold:
    """Counts of all events folded so far.

    `times` counts delivering searches per artifact, of which the first was at `first_us`, `actors` per (artifact,
    actor), `edges` per (intent, capability URI, artifact); `intents` counts searches per intent, `queries` per
    (intent, query, actor), both without further pages. A result marked `repeat` was counted with the page that
    delivered it first.

    `outcomes` holds, per (search, artifact, actor, level), the first outcome of this level; `votes`, per (search,
    artifact, actor), the strongest of them. The weaker ones are kept because they were the vote before the stronger one
    came, so that the graph as of an earlier moment is what it was. `named` holds the paths that outcomes name, kept or
    not. `same` holds the merges: capabilities, intents and
    actors are resolved on reading, artifacts when folded, because two merged artifacts of one page were delivered once.
    """

    times: Counter[str] = field(default_factory=Counter)
    first_us: dict[str, int] = field(default_factory=dict)
    actors: Counter[tuple[str, str]] = field(default_factory=Counter)
    intents: Counter[str] = field(default_factory=Counter)
    edges: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    queries: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    outcomes: dict[tuple[str, str, str, int], Vote] = field(default_factory=dict)
    same: Identities = field(default_factory=Identities)
    named: set[tuple[str, str, str]] = field(default_factory=set, compare=False, repr=False)
    votes: dict[tuple[str, str, str], Vote] = field(default_factory=dict, compare=False, repr=False)
    changed: list[tuple[str, str, str]] = field(default_factory=list, compare=False, repr=False)
    """Keys of `votes` in the order in which they changed, so that who follows them need not look at all."""
    _by_artifact: dict[str, dict[tuple[str, str, int], Vote]] = field(default_factory=dict, compare=False, repr=False)
    _selections: dict[str, tuple[int, int]] = field(default_factory=dict, compare=False, repr=False)

    def apply(self, event: SearchEvent | OutcomeEvent | CatalogueEvent | Tombstone, *, count_synthetic: bool) -> None:
        """Fold one event into the counts.

        Parameters
        ----------
        event
            Any event. Of catalogue events only merges change anything; a merge of artifacts must be known before the
            events of these artifacts are folded (`fold` sees to it, `graph.store.log` folds anew).
        count_synthetic
            True only in a throw-away home, which folds everything.
        """
        if isinstance(event, SearchEvent):
            if not event.abstained and (count_synthetic or not event.synthetic):
                self._apply_search(event)
        elif isinstance(event, OutcomeEvent):
            if event.trust > 0 and (count_synthetic or not event.synthetic):
                self._apply_outcome(event)
        elif isinstance(event, CatalogueEvent):
            self.same.take(event)
            self._selections.clear()

    def _apply_search(self, event: SearchEvent) -> None:
        intent = event.intent or NO_INTENT
        if event.root == event.id:  # a further page continues its search
            self.intents[intent] += 1
            self.queries[intent, event.query, event.actor.id] += 1
        resolve = self.same.resolve
        delivered = {(r.uri or NO_INTENT, resolve("artifact", r.artifact)) for r in event.results if not r.repeat}
        for artifact in {artifact for _, artifact in delivered}:
            self.times[artifact] += 1
            self.first_us[artifact] = min(event.time_us, self.first_us.get(artifact, event.time_us))
            self.actors[artifact, event.actor.id] += 1
        for uri, artifact in delivered:
            self.edges[intent, uri, artifact] += 1

    def _apply_outcome(self, event: OutcomeEvent) -> None:
        vote = Vote(
            event.search, self.same.resolve("artifact", event.artifact), event.actor.id, event.intent or NO_INTENT,
            event.uri or NO_INTENT, event.outcome, event.position, event.trust, event.time_us, event.id,
        )  # fmt: skip
        self.named.add((vote.intent, vote.uri, vote.artifact))
        self.add_vote(vote)

    def add_vote(self, vote: Vote) -> None:
        """Take an outcome in; of two of one level by one actor on one artifact in one search the first stays."""
        key = (vote.search, vote.artifact, vote.actor, vote.level)
        before = self.outcomes.get(key)
        if before is None or vote.strength < before.strength:
            self.outcomes[key] = vote
            self._selections.pop(vote.artifact, None)
            self._by_artifact.setdefault(vote.artifact, {})[vote.search, vote.actor, vote.level] = vote
            strongest = self.votes.get(key[:3])
            if strongest is None or vote.strength < strongest.strength:
                self.votes[key[:3]] = vote
                self.changed.append(key[:3])

    def votes_on(self, artifact: str) -> list[Vote]:
        """All outcomes kept for an artifact, merges resolved, in no particular order; `weigh_votes` picks the votes."""
        return [self._resolved(vote) for vote in self._by_artifact.get(artifact, {}).values()]

    def selections(self, artifact: str) -> tuple[int, int]:
        """How many actors, in how many searches, selected an artifact or had success with it; merges resolved."""
        known = self._selections.get(artifact)
        if known is None:
            chosen = [vote for vote in self.votes_on(artifact) if vote.outcome in SELECTING]
            known = (len({vote.actor for vote in chosen}), len({vote.search for vote in chosen}))
            self._selections[artifact] = known
        return known

    def is_chosen(self, artifact: str) -> bool:
        """Whether anyone ever selected an artifact or had success with it."""
        return artifact in self._by_artifact and self.selections(artifact)[1] > 0

    def _resolved(self, vote: Vote) -> Vote:
        same = self.same
        if not same.pairs:
            return vote
        found = (same.resolve("actor", vote.actor), same.resolve("intent", vote.intent), self.uri(vote.uri))
        if found == (vote.actor, vote.intent, vote.uri):
            return vote
        return replace(vote, actor=found[0], intent=found[1], uri=found[2])

    def uri(self, uri: str) -> str:
        """The canonical URI that stands for this one today."""
        return self.same.resolve("capability", uri)

    def voted_on(self) -> list[str]:
        """Artifacts with an outcome, sorted."""
        return sorted(self._by_artifact)

    def deliveries(self) -> Counter[tuple[str, str, str]]:
        """Delivering searches per (intent, capability URI, artifact), merges resolved."""
        if not self.same.pairs:
            return self.edges
        found: Counter[tuple[str, str, str]] = Counter()
        for (intent, uri, artifact), searches in self.edges.items():
            found[self.same.resolve("intent", intent), self.uri(uri), artifact] += searches
        return found

    def searches(self) -> Counter[str]:
        """Searches per intent, merges resolved."""
        found: Counter[str] = Counter()
        for intent, searches in self.intents.items():
            found[self.same.resolve("intent", intent)] += searches
        return found

    def seekers(self) -> Counter[str]:
        """Distinct actors, merges resolved, of the searches that delivered an artifact, per artifact."""
        if not self.same.survivors("actor"):
            return Counter(artifact for artifact, _ in self.actors)
        resolve = self.same.resolve
        return Counter(artifact for artifact, _ in {(a, resolve("actor", actor)) for a, actor in self.actors})


class Heard(Fold):
    """What a search needs of the counts: `times`, `first_us`, `queries`, outcomes and merges; the others stay empty."""

    def _apply_search(self, event: SearchEvent) -> None:
        if event.root == event.id:
            self.queries[event.intent or NO_INTENT, event.query, event.actor.id] += 1
        for artifact in {self.same.resolve("artifact", r.artifact) for r in event.results if not r.repeat}:
            self.times[artifact] += 1
            self.first_us[artifact] = min(event.time_us, self.first_us.get(artifact, event.time_us))


def fold(
    events: Iterable[SearchEvent | OutcomeEvent | CatalogueEvent | Tombstone], *, count_synthetic: bool = False
) -> Fold:
    """The counts of a log. Erased events must be left out by the caller; the order does not matter."""
    given = list(events)
    counts = Fold()
    for event in given:
        if isinstance(event, CatalogueEvent):
            counts.same.take(event)
    for event in given:
        counts.apply(event, count_synthetic=count_synthetic)
    return counts


def resolve_alias(uri: str, aliases: Mapping[str, str]) -> str:
    """The URI that a chain of aliases ends in; the same where there is none."""
    seen = {uri}
    while uri in aliases and aliases[uri] not in seen:
        uri = aliases[uri]
        seen.add(uri)
    return uri
