"""The event log's records. Their shape is final: the log is append-only and is the truth of the match graph.

Fields may be added with defaults; none is ever renamed, removed or given another meaning. Times are integers
in microseconds since 1970 UTC. The order of events is (time, id).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Operation = Literal["search", "resolve", "different", "page"]
"""How a search was made; `page`: a results page opened in the web face. A further page is its search's operation."""
Face = Literal["cli", "api", "mcp", "web", "python", "import"]
OutcomeKind = Literal["click", "select", "success", "failure", "dismiss"]
OUTCOME_KINDS: tuple[OutcomeKind, ...] = ("click", "select", "success", "failure", "dismiss")
INTEGER_MAX: Final = 2**53 - 1
"""The largest integer that canonical JSON (RFC 8785) holds."""


class _Event(BaseModel):
    """What every event has. `salt` is drawn when it is appended: the digest that outlives it then confirms no guess."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    id: str
    time_us: int = Field(ge=0, le=INTEGER_MAX)
    salt: str = ""


class Actor(BaseModel):
    """Who acts: `anonymous`, `local`, or a keyed hash with the id of the key that made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = "anonymous"
    key_id: str | None = None


class Delivered(BaseModel):
    """One result as it was delivered: 1-based position over all pages; `repeat` if this search delivered it before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artifact: str
    uri: str | None = None
    position: int = Field(ge=1, le=INTEGER_MAX)
    score: float = Field(allow_inf_nan=False)
    repeat: bool = False


class SearchEvent(_Event):
    """A search and what it delivered.

    `parent` is the search that this one continues (a further page) or refines; `root` is the first search of a
    chain of pages (its own id where it is the first). `query` is redacted; `redacted` names what was taken out.
    `vector_key` is the digest of redacted text and encoder digest. `seen_seq` is the number of the last event that the
    scores knew; they were weighed at `time_us`. `exploration_propensity` is the chance with which the result at
    `exploration_position` was drawn. `target` is what a difference is asked from, `rejected` what else is not wanted;
    `switches` names options that were not at their default, sorted; `batch` is the digest of an import. `partial`: an
    imported log did not list what was delivered, `results` are only what outcomes prove.
    """

    kind: Literal["search"] = "search"
    parent: str | None = None
    root: str
    operation: Operation
    origin: Face
    actor: Actor
    synthetic: bool = False
    query: str
    redacted: tuple[str, ...] = ()
    intent: str | None = None
    vector_key: str | None = None
    snapshot: str | None = None
    filters: tuple[str, ...] = ()
    policy: str = "default"
    limit: int = Field(ge=0, le=INTEGER_MAX)
    offset: int = Field(default=0, ge=0, le=INTEGER_MAX)
    abstained: bool = False
    exploration_position: int | None = None
    exploration_propensity: float | None = Field(default=None, gt=0.0, le=1.0)
    target: str | None = None
    rejected: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    partial: bool = False
    seen_seq: int | None = Field(default=None, ge=0, le=INTEGER_MAX)
    batch: str | None = None
    results: tuple[Delivered, ...] = ()


class OutcomeEvent(_Event):
    """What happened to one result.

    Carries what the fold needs (intent, uri, position of the delivery), so that it stands when the search's own
    payload has been forgotten. `trust` weighs imported outcomes, `batch` is the digest of their import, and `position`
    is 1 where an import does not say; a token's digest, never the token, is kept.
    """

    kind: Literal["outcome"] = "outcome"
    search: str
    artifact: str
    outcome: OutcomeKind
    actor: Actor
    origin: Face
    synthetic: bool = False
    intent: str | None = None
    uri: str | None = None
    position: int = Field(ge=1, le=INTEGER_MAX)
    trust: float = Field(default=1.0, ge=0.0, le=1.0)
    token_digest: str | None = None
    batch: str | None = None


class CatalogueEvent(_Event):
    """A change of what ids mean: written by the indexer, folded by the graph."""

    kind: Literal["catalogue"] = "catalogue"
    action: Literal[
        "artifact_added", "artifact_changed", "artifact_removed", "artifact_merged", "capability_created",
        "capability_assigned", "capability_unassigned", "capability_aliased", "intent_created", "intent_merged",
        "actor_merged",
    ]  # fmt: skip
    subject: str
    object: str | None = None
    detail: dict[str, Any] = Field(default_factory=dict)


TAKEN_BACK: Final = "import taken back"
"""The reason of a tombstone over an import, which may then be imported anew; what an actor had forgotten may not."""


class Tombstone(_Event):
    """Payloads of these events were removed (`forget`); the fold skips them, the chain of digests stays whole."""

    kind: Literal["tombstone"] = "tombstone"
    erased: tuple[str, ...]
    reason: str


Event = Annotated[SearchEvent | OutcomeEvent | CatalogueEvent | Tombstone, Field(discriminator="kind")]
EVENT: TypeAdapter[SearchEvent | OutcomeEvent | CatalogueEvent | Tombstone] = TypeAdapter(Event)


def new_id(prefix: str) -> str:
    """A fresh random id, 128 bits, as `prefix_…` in hex."""
    return f"{prefix}_{secrets.token_hex(16)}"


def now_us() -> int:
    """The time now, in whole microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


def hashed_actor(identity: str, key: bytes, key_id: str) -> Actor:
    """The actor of an identity: HMAC-SHA-256 under the home's key, so that the log holds no names."""
    return Actor(id="ac_" + hmac.new(key, identity.encode(), hashlib.sha256).hexdigest()[:24], key_id=key_id)
