"""From an artifact to the texts that are searched, and to the stored facts that a `why` may quote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from graph.artifacts import Artifact, Capability, Wording
from graph.claims import Claim
from graph.taxonomy import OTHER, task_words
from indexer.sentences import allowed_field, allowed_sentences, allowed_text

Kind = Literal["main", "wording", "intents"]
WHY_MAX_CHARS: Final = 400
"""A quoted sentence is cut here."""


@dataclass(frozen=True)
class IndexText:
    """One text of the index: one vector and one lexical document."""

    artifact: str
    capability: str
    kind: Kind
    text: str


def refuted_claims(artifact: Artifact, refuted: Iterable[str]) -> list[Claim]:
    """The artifact's claims among these claim ids, in the order stated."""
    ids = frozenset(refuted)
    return [claim for claim in artifact.claims if claim.id in ids] if ids else []


def texts_of(artifact: Artifact, refuted: frozenset[str] = frozenset()) -> list[IndexText]:
    """The texts of all capabilities of an artifact, in order, without what refuted claims take out.

    The main text of a capability is "name. domain. functionality. description" with empty parts left out: the
    artifact's name, the capability's domain or its task in words, its functionality or name, its description.
    Each wording is one more text of the same shape; the intents served are one more. Equal texts of a capability
    are given once; a capability with nothing left to say gives none.

    Parameters
    ----------
    artifact
        The artifact.
    refuted
        Ids of refuted claims; those of other artifacts are ignored.
    """
    claims = refuted_claims(artifact, refuted)
    name = allowed_field(artifact.name, claims)
    texts: list[IndexText] = []
    for capability in artifact.capabilities:
        domain = _domain(capability, claims)
        functionality = allowed_field(capability.functionality or capability.name, claims)
        rows: list[tuple[Kind, str]] = [
            ("main", _joined(name, domain, functionality, allowed_text(capability.description, claims)))
        ]
        rows += [("wording", _wording_text(wording, domain, claims)) for wording in capability.wordings]
        intents = [intent for intent in capability.intents_served if allowed_field(intent, claims)]
        if intents:
            rows.append(("intents", _joined(name, *intents) + "."))
        first: dict[str, Kind] = {}
        for kind, text in rows:
            first.setdefault(text, kind)
        texts += [IndexText(artifact.id, capability.id, kind, text) for text, kind in first.items() if text]
    return texts


def why_sentences(artifact: Artifact, capability: Capability, refuted: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Stored sentences that the engine may quote about a capability, best first, none of them refuted.

    From its description, what is unique, the intents served, wordings, and what it is best for and against
    alternatives; each cut after 400 characters, no repeats.
    """
    claims = refuted_claims(artifact, refuted)
    fields = [
        capability.description,
        capability.unique or "",
        *capability.intents_served,
        *(wording.description for wording in capability.wordings),
        *capability.conditions.best_for,
        capability.vs_alternatives or "",
    ]
    sentences = (sentence[:WHY_MAX_CHARS] for field in fields for sentence in allowed_sentences(field, claims))
    return tuple(dict.fromkeys(sentences))


def canonical_text(artifact: Artifact, capability: Capability, refuted: frozenset[str] = frozenset()) -> str:
    """What a capability does, without whose it is: "task. capability name. first sentence of the description".

    The artifact's own name is taken out, so that the same job of two artifacts reads alike.
    """
    claims = refuted_claims(artifact, refuted)
    task = "" if capability.task == OTHER else task_words(capability.task)
    first = next(iter(allowed_sentences(capability.description, claims)), "")
    name = allowed_field(capability.name, claims)
    return _joined(task, _nameless(name, artifact), _nameless(first, artifact)) or task_words(capability.task)


def _wording_text(wording: Wording, domain: str, claims: Sequence[Claim]) -> str:
    return _joined(
        allowed_field(wording.name, claims),
        allowed_field(wording.domain, claims) or domain,
        allowed_field(wording.functionality, claims),
        allowed_text(wording.description, claims),
    )


def _domain(capability: Capability, claims: Sequence[Claim]) -> str:
    """The source's own label, else the task in words; `other.other` says nothing and gives nothing."""
    own = allowed_field(capability.domain, claims)
    return own or ("" if capability.task == OTHER else task_words(capability.task))


def _joined(*parts: str) -> str:
    return ". ".join(part for part in parts if part)


def _nameless(text: str, artifact: Artifact) -> str:
    """A text without the artifact's names: its id, its name, and the part of each after the owner."""
    names = {artifact.id, artifact.name, artifact.id.rpartition("/")[2], artifact.name.rpartition("/")[2]}
    for name in sorted((name for name in names if len(name) > 2), key=lambda name: (-len(name), name)):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", text, flags=re.IGNORECASE)
    return " ".join(text.split()).strip(" .,:;-")
