"""Tiny real records for tests: only what a test cares about needs saying."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from typing import Any

from graph.artifacts import Artifact, Capability, Source, slug_of
from graph.claims import Evidence, evidence_id
from graph.events import Actor, Delivered, OutcomeEvent, SearchEvent, new_id

DAY_0_US = 1_760_000_000_000_000
"""A fixed moment in October 2025, in microseconds; tests count from it."""
_CLOCK = itertools.count(DAY_0_US)


def make_artifact(name: str = "ann/tiny-classifier", **fields: Any) -> Artifact:
    """An artifact named as its id, with one capability unless told otherwise."""
    capability = Capability(id="classify", name="classify pictures", task="vision.image-classification")
    defaults: dict[str, Any] = {
        "id": name, "slug": slug_of(name), "name": name.rpartition("/")[2], "capabilities": (capability,),
        "source": Source(kind="manifest", file="matchgraph.yml"),
    }  # fmt: skip
    return Artifact(**(defaults | fields))


def make_search(
    delivered: Iterable[str | tuple[str, str | None]] = (), *, actor: str = "local", intent: str | None = "in_1",
    **fields: Any,
) -> SearchEvent:  # fmt: skip
    """A search that delivered these artifacts, or (artifact, uri) pairs, at positions 1, 2, …"""
    name = fields.pop("id", None) or new_id("se")
    pairs = [item if isinstance(item, tuple) else (item, "capability://a.b.c") for item in delivered]
    results = tuple(
        Delivered(artifact=artifact, uri=uri, position=position, score=1.0 / position)
        for position, (artifact, uri) in enumerate(pairs, start=1)
    )
    defaults: dict[str, Any] = {
        "id": name, "root": name, "time_us": next(_CLOCK), "operation": "search", "origin": "cli",
        "actor": Actor(id=actor), "query": "q", "intent": intent, "limit": 10, "results": results,
    }  # fmt: skip
    return SearchEvent(**(defaults | fields))


def make_outcome(search: SearchEvent | str, artifact: str, outcome: str = "success", **fields: Any) -> OutcomeEvent:
    """An outcome of a search's result, by the search's actor unless told otherwise."""
    defaults: dict[str, Any] = {
        "id": new_id("ou"), "time_us": next(_CLOCK), "artifact": artifact, "outcome": outcome, "origin": "cli",
        "position": 1, "intent": "in_1", "uri": "capability://a.b.c",
    }  # fmt: skip
    if isinstance(search, SearchEvent):
        hits = {result.artifact: result for result in search.results}
        defaults |= {"search": search.id, "actor": search.actor, "intent": search.intent}
        if artifact in hits:
            defaults |= {"uri": hits[artifact].uri, "position": hits[artifact].position}
    else:
        defaults |= {"search": search, "actor": Actor(id="local")}
    if isinstance(fields.get("actor"), str):
        fields["actor"] = Actor(id=fields["actor"])
    return OutcomeEvent(**(defaults | fields))


def make_evidence(artifact: str = "ann/tiny-classifier", verdict: str | None = "verified", **fields: Any) -> Evidence:
    """A sealed evidence record of one check."""
    defaults: dict[str, Any] = {
        "kind": "probe", "artifact": artifact, "claim": "cl_1", "metric": "runs", "verdict": verdict,
        "tier": "artifact", "method": "classification", "method_version": "1", "time_us": next(_CLOCK),
    }  # fmt: skip
    draft = Evidence(id="", **(defaults | fields))
    return draft.model_copy(update={"id": evidence_id(draft.model_dump(mode="json"))})


def make_page(first: SearchEvent, delivered: Iterable[tuple[str, bool]], **fields: Any) -> SearchEvent:
    """The second page of a search, with (artifact, was it delivered before) pairs."""
    results = tuple(
        Delivered(artifact=artifact, uri="capability://a.b.c", position=10 + i, score=0.1, repeat=repeat)
        for i, (artifact, repeat) in enumerate(delivered, start=1)
    )
    return make_search(parent=first.id, root=first.id, offset=10, results=results, **fields)


def make_log(seed: int, size: int) -> list[SearchEvent | OutcomeEvent]:
    """A random log of few names, so that everything collides with everything."""
    draw = random.Random(seed)
    events: list[SearchEvent | OutcomeEvent] = []
    for _ in range(size):
        delivered = draw.sample(["a", "b", "c", "d"], draw.randint(0, 4))
        search = make_search(
            [(artifact, draw.choice(["capability://x.y.1", "capability://x.y.2", None])) for artifact in delivered],
            actor=draw.choice(["ann", "bob", "anonymous"]), intent=draw.choice(["in_1", "in_2", None]),
            synthetic=draw.random() < 0.1, abstained=draw.random() < 0.1,
        )  # fmt: skip
        events.append(search)
        for artifact in delivered:
            kinds = draw.sample(["click", "select", "success", "failure", "dismiss"], draw.randint(0, 3))
            events += [make_outcome(search, artifact, kind, trust=draw.choice([0.0, 0.3, 1.0])) for kind in kinds]
    return events
