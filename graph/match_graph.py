"""The fold: events become counts. Pure, of ids only, and independent of the order of events.

Counts are integers and votes are chosen by a total order, so folding in parts and merging gives the same as
folding all at once, bit for bit. Time enters on reading (`graph.weights`), never here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graph.constants import OUTCOME_LEVEL
from graph.events import CatalogueEvent, OutcomeEvent, SearchEvent, Tombstone

NO_INTENT = ""
"""Key of searches without an intent and of results without a capability."""


@dataclass(frozen=True)
class Vote:
    """The strongest outcome of one actor on one artifact in one search."""

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
    def strength(self) -> tuple[int, int, str]:
        """Sort key: the strongest outcome, then (the smaller the better) the first in (time, id)."""
        return (-OUTCOME_LEVEL[self.outcome], self.time_us, self.event)


@dataclass
class Fold:
    """Counts of all events folded so far.

    `times` counts delivering searches per artifact, `actors` per (artifact, actor), `edges` per (intent, capability
    URI, artifact); `intents` counts searches per intent, further pages left out; `votes` holds one vote per
    (search, artifact, actor). A result marked `repeat` was counted with the page that delivered it first.
    """

    times: Counter[str] = field(default_factory=Counter)
    actors: Counter[tuple[str, str]] = field(default_factory=Counter)
    intents: Counter[str] = field(default_factory=Counter)
    edges: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    votes: dict[tuple[str, str, str], Vote] = field(default_factory=dict)
    _by_artifact: dict[str, dict[tuple[str, str], Vote]] = field(default_factory=dict, compare=False, repr=False)
    _by_intent: dict[str, set[str]] = field(default_factory=dict, compare=False, repr=False)

    def apply(self, event: SearchEvent | OutcomeEvent | CatalogueEvent | Tombstone, *, count_synthetic: bool) -> None:
        """Fold one event into the counts.

        Parameters
        ----------
        event
            Any event; catalogue events and tombstones change no count.
        count_synthetic
            True only in a throw-away home, which folds everything.
        """
        if isinstance(event, SearchEvent):
            if not event.abstained and (count_synthetic or not event.synthetic):
                self._apply_search(event)
        elif isinstance(event, OutcomeEvent) and (count_synthetic or not event.synthetic):
            self._apply_outcome(event)

    def _apply_search(self, event: SearchEvent) -> None:
        intent = event.intent or NO_INTENT
        if event.root == event.id:  # a further page continues its search
            self.intents[intent] += 1
        delivered = {(result.uri or NO_INTENT, result.artifact) for result in event.results if not result.repeat}
        for artifact in {artifact for _, artifact in delivered}:
            self.times[artifact] += 1
            self.actors[artifact, event.actor.id] += 1
        for uri, artifact in delivered:
            self.edges[intent, uri, artifact] += 1

    def _apply_outcome(self, event: OutcomeEvent) -> None:
        vote = Vote(
            event.search, event.artifact, event.actor.id, event.intent or NO_INTENT, event.uri or NO_INTENT,
            event.outcome, event.position, event.trust, event.time_us, event.id,
        )  # fmt: skip
        self.add_vote(vote)

    def add_vote(self, vote: Vote) -> None:
        """Take a vote in; of two by one actor on one artifact in one search the stronger stays."""
        key = (vote.search, vote.artifact, vote.actor)
        before = self.votes.get(key)
        if before is None or vote.strength < before.strength:
            self.votes[key] = vote
            self._by_artifact.setdefault(vote.artifact, {})[vote.search, vote.actor] = vote
            self._by_intent.setdefault(vote.intent, set()).add(vote.artifact)

    def votes_on(self, artifact: str) -> list[Vote]:
        """All votes on an artifact, in no particular order."""
        return list(self._by_artifact.get(artifact, {}).values())

    def artifacts_near(self, intents: Iterable[str]) -> list[str]:
        """Artifacts that have or had a vote in one of these intents, sorted."""
        return sorted({artifact for intent in intents for artifact in self._by_intent.get(intent, ())})


def fold(
    events: Iterable[SearchEvent | OutcomeEvent | CatalogueEvent | Tombstone], *, count_synthetic: bool = False
) -> Fold:
    """The counts of a log. Erased events must be left out by the caller; the order does not matter."""
    counts = Fold()
    for event in events:
        counts.apply(event, count_synthetic=count_synthetic)
    return counts


def resolve_alias(uri: str, aliases: Mapping[str, str]) -> str:
    """The URI that a chain of aliases ends in; the same where there is none."""
    seen = {uri}
    while uri in aliases and aliases[uri] not in seen:
        uri = aliases[uri]
        seen.add(uri)
    return uri
