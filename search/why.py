"""Why a result is there: stored facts only, never a sentence that holds a refuted claim."""

from __future__ import annotations

from typing import Final

from graph.match_graph import Fold
from indexer.decompose import why_sentences
from search.facts import ArtifactFacts, verdict_words

MEASURED: Final = ("verified", "refuted", "inconclusive")
"""Verdicts that say something about a capability; the others say something about us."""
_SHOWN_CHARS: Final = 240


def explain_match(facts: ArtifactFacts, capability: str | None, fold: Fold) -> str:
    """One line: what the capability does, what running it showed, and what searchers confirmed."""
    key = capability or ""
    if key not in facts.said:
        facts.said[key] = _said(facts, capability)
    if not fold.is_chosen(facts.artifact.id):
        return facts.said[key]
    actors, searches = fold.selections(facts.artifact.id)
    counted = f"chosen or confirmed in {searches} search{'es' * (searches > 1)} by {actors} actor{'s' * (actors > 1)}"
    return "; ".join(filter(None, (facts.said[key], counted)))


def _said(facts: ArtifactFacts, capability: str | None) -> str:
    """What follows from the facts alone."""
    parts = []
    refuted = frozenset(claim.id for claim in facts.refuted_claims)
    own = next((c for c in facts.artifact.capabilities if c.id == capability), None)
    sentences = why_sentences(facts.artifact, own, refuted) if own else ()
    if sentences:
        first = sentences[0]
        parts.append(first if len(first) <= _SHOWN_CHARS else first[: _SHOWN_CHARS - 1].rstrip() + "…")
    runs = facts.runs(capability)
    if runs is not None and runs.verdict in MEASURED:
        parts.append(f"runs: {verdict_words(runs)}{f', {runs.reason}' if runs.reason else ''}")
    return "; ".join(parts)
