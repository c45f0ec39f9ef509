"""The demand report: what is asked for, what rises, what finds no answer, and what is shown but never chosen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, select

from graph.constants import DAY_US, DEMAND_LEVEL, DEMAND_WINDOW_DAYS
from graph.event_responses import DemandResponse, IntentDemand, RisingIntent, Unanswered, Unchosen
from graph.events import now_us
from graph.home import Home
from graph.identities import Identities
from graph.match_graph import NO_INTENT
from graph.store import catalogue, log
from graph.store.folded import read_identities
from graph.store.tables import EVENTS
from search.bounds import at_most, ratio_at_least

CHOSEN: Final = frozenset({"click", "select", "success"})
"""Outcomes of somebody who chose the artifact."""


@dataclass
class _Asked:
    """What a window knows of one intent."""

    queries: Counter[str] = field(default_factory=Counter)
    actors: set[str] = field(default_factory=set)
    unanswered: int = 0
    chosen: set[str] = field(default_factory=set)
    last_us: int = 0

    @property
    def searches(self) -> int:
        return self.queries.total()

    @property
    def label(self) -> str:
        """Its most frequent query; ties: the first in the alphabet."""
        return min(self.queries.items(), key=lambda pair: (-pair[1], pair[0]))[0] if self.queries else ""


@dataclass
class _Offered:
    """What a window knows of one artifact: searches that delivered it, by whom, where; and what happened to it."""

    shown: int = 0
    actors: set[str] = field(default_factory=set)
    positions: list[int] = field(default_factory=list)
    chosen: int = 0
    refused: int = 0


@dataclass
class Demand:
    """What the searches and outcomes of a window add up to; `before` counts the searches of the window before it."""

    since_us: int
    until_us: int
    same: Identities
    intents: dict[str, _Asked] = field(default_factory=dict)
    artifacts: dict[str, _Offered] = field(default_factory=dict)
    before: Counter[str] = field(default_factory=Counter)
    searches: int = 0
    _full: dict[str, str] = field(default_factory=dict)
    _shown_at: Counter[int] = field(default_factory=Counter)
    _chosen_at: Counter[int] = field(default_factory=Counter)
    _chosen: set[tuple[str, str]] = field(default_factory=set)

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in an event of the log, as stored, searches before outcomes; those of neither window change nothing."""
        time_us = int(event["time_us"])
        if event["kind"] == "search":
            if self.since_us <= time_us < self.until_us:
                self._take_search(event)
            elif 2 * self.since_us - self.until_us <= time_us < self.since_us and event["root"] == event["id"]:
                self.before[self._intent(event)] += 1
        elif event["kind"] == "outcome" and self.since_us <= time_us < self.until_us:
            self._take_outcome(event)

    def _take_search(self, event: Mapping[str, Any]) -> None:
        asked = self.intents.setdefault(self._intent(event), _Asked())
        actor = self.same.resolve("actor", event["actor"]["id"])
        if event["root"] == event["id"]:  # a further page continues its search
            self.searches += 1
            asked.queries[event["query"]] += 1
            asked.actors.add(actor)
            asked.last_us = max(asked.last_us, event["time_us"])
            asked.unanswered += bool(event["abstained"])
        for result in () if event["abstained"] else event["results"]:
            if not result["repeat"]:
                offered = self.artifacts.setdefault(self.same.resolve("artifact", result["artifact"]), _Offered())
                offered.shown += 1
                offered.actors.add(actor)
                if not event.get("partial", False):
                    offered.positions.append(result["position"])
                    self._shown_at[result["position"]] += 1
                    self._full[event["root"]] = event["id"]

    def _take_outcome(self, event: Mapping[str, Any]) -> None:
        artifact = self.same.resolve("artifact", event["artifact"])
        offered = self.artifacts.setdefault(artifact, _Offered())
        if event["outcome"] not in CHOSEN:
            offered.refused += 1
            return
        offered.chosen += 1
        place = (event["search"], artifact)
        if place in self._chosen:
            return
        self._chosen.add(place)
        if self._intent(event) in self.intents:
            self.intents[self._intent(event)].chosen.add(event["search"])
        if event["search"] in self._full:
            self._chosen_at[event["position"]] += 1

    def _intent(self, event: Mapping[str, Any]) -> str:
        return self.same.resolve("intent", event["intent"] or NO_INTENT)

    def expected(self, offered: _Offered) -> float:
        """How often an artifact would have been chosen, had it been what results at its positions are on average."""
        return sum(self._chosen_at[p] / self._shown_at[p] for p in sorted(offered.positions))


def demand_report(
    home: Home, *, days: int = DEMAND_WINDOW_DAYS, until_us: int | None = None, limit: int = 20
) -> DemandResponse:
    """What was asked for in the last `days` before a moment, against the same time before it.

    Synthetic events count nothing, except in a throw-away home. Searches are counted as times matched are: a further
    page continues its search.
    """
    end = now_us() if until_us is None else until_us
    with home.store.reading() as connection:
        demand = read_demand(connection, end - days * DAY_US, end)
        known = catalogue.artifacts_by_id(connection, demand.artifacts)
    slugs = {artifact.id: artifact.slug for artifact in known.values()}
    rising = _rising(demand)
    unanswered = _unanswered(demand)
    unchosen = _unchosen(demand, slugs)
    return DemandResponse(
        since_us=demand.since_us, until_us=end, searches=demand.searches, searches_before=demand.before.total(),
        intents=len(demand.intents), unanswered_searches=sum(each.unanswered for each in demand.intents.values()),
        artifacts_shown=sum(each.shown > 0 for each in demand.artifacts.values()),
        artifacts_never_chosen=len(unchosen),
        top=tuple(_top(demand)[:limit]), rising=tuple(rising[:limit]), no_answer=tuple(unanswered[:limit]),
        never_chosen=tuple(unchosen[:limit]),
        message="" if demand.before else "nothing was searched in the time before: what rises cannot be told yet",
    )  # fmt: skip


def read_demand(connection: Connection, since_us: int, until_us: int) -> Demand:
    """The demand of a window of the log, and the searches of the window before."""
    demand = Demand(since_us, until_us, read_identities(connection))
    for event in _events(connection, 2 * since_us - until_us, until_us):
        demand.take(event)
    return demand


def _events(connection: Connection, since_us: int, until_us: int) -> Iterator[dict[str, Any]]:
    """All searches, then all outcomes, as plain JSON: validating a million again would take a minute."""
    fits = EVENTS.c.payload.is_not(None) & EVENTS.c.kind.in_(("search", "outcome"))
    fits &= (EVENTS.c.time_us >= since_us) & (EVENTS.c.time_us < until_us)
    if not log.is_throw_away(connection):
        fits &= EVENTS.c.synthetic.is_(False)
    query = select(EVENTS.c.payload).where(fits).order_by(EVENTS.c.kind.desc(), EVENTS.c.time_us, EVENTS.c.id)
    for row in connection.execute(query.execution_options(yield_per=1_000)):
        yield json.loads(row.payload)


def _top(demand: Demand) -> list[IntentDemand]:
    """Intents by searches, then actors, then id."""
    most = sorted(demand.intents.items(), key=lambda item: (-item[1].searches, -len(item[1].actors), item[0]))
    return [
        IntentDemand(
            intent=intent, label=asked.label, searches=asked.searches, actors=len(asked.actors),
            unanswered=asked.unanswered, chosen=len(asked.chosen),
        )
        for intent, asked in most
        if asked.searches
    ]  # fmt: skip


def _rising(demand: Demand) -> list[RisingIntent]:
    """Intents whose share of all searches grew for certain, the surest first."""
    now, before = demand.searches, demand.before.total()
    if not now or not before:
        return []
    candidates = {intent: asked for intent, asked in demand.intents.items() if asked.searches}
    level = 1.0 - (1.0 - DEMAND_LEVEL) / len(candidates)  # so many questions are asked at once (Bonferroni)
    found = []
    for intent, asked in candidates.items():
        low = ratio_at_least(asked.searches, now, demand.before[intent], before, level)
        if low > 1.0:
            share, share_before = asked.searches / now, demand.before[intent] / before
            found.append(
                RisingIntent(
                    intent=intent, label=asked.label, searches=asked.searches, before=demand.before[intent],
                    actors=len(asked.actors), growth=share / share_before if share_before else None, at_least=low,
                )
            )  # fmt: skip
    return sorted(found, key=lambda each: (-each.at_least, each.intent))


def _unanswered(demand: Demand) -> list[Unanswered]:
    """Intents with searches that were given no answer, the most first."""
    found = [
        Unanswered(intent=intent, label=asked.label, searches=asked.unanswered, of=asked.searches,
                   actors=len(asked.actors), last_us=asked.last_us)
        for intent, asked in demand.intents.items()
        if asked.unanswered
    ]  # fmt: skip
    return sorted(found, key=lambda each: (-each.searches, -each.actors, each.intent))


def _unchosen(demand: Demand, slugs: Mapping[str, str]) -> list[Unchosen]:
    """Artifacts that were shown and never chosen, those first that would have been the most often."""
    found = [
        Unchosen(
            artifact=artifact, slug=slugs.get(artifact, artifact), shown=offered.shown, actors=len(offered.actors),
            refused=offered.refused, best_position=min(offered.positions, default=None),
            expected=demand.expected(offered), at_most=at_most(0, offered.shown, DEMAND_LEVEL),
        )
        for artifact, offered in demand.artifacts.items()
        if offered.shown and not offered.chosen
    ]  # fmt: skip
    return sorted(found, key=lambda each: (-each.expected, -each.shown, each.artifact))
