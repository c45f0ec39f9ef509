"""Artifacts and their capabilities, as sources give them and as the catalogue keeps them."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from graph.claims import Claim
from graph.digest import text_digest

ARTIFACT_TYPES: Final = (
    "agent", "api", "app", "benchmark", "cli", "dataset", "extension", "finetune", "framework", "mcp",
    "model", "platform", "product", "prompt", "repo", "skill", "template", "tool", "webapp", "workflow",
)  # fmt: skip
ArtifactType = Literal[
    "agent", "api", "app", "benchmark", "cli", "dataset", "extension", "finetune", "framework", "mcp",
    "model", "platform", "product", "prompt", "repo", "skill", "template", "tool", "webapp", "workflow",
]  # fmt: skip

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]+$", min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=20_000, strip_whitespace=True)]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]


class Record(BaseModel):
    """Base of everything stored: frozen, and unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Conditions(Record):
    """When a capability holds, and what goes in and comes out."""

    best_for: tuple[Line, ...] = ()
    limitations: tuple[Line, ...] = ()
    requires: tuple[Line, ...] = ()
    input_types: tuple[Line, ...] = ()
    output_types: tuple[Line, ...] = ()


class Wording(Record):
    """Another published row of the same capability: searched too, and the best row counts."""

    name: Line
    domain: Line | None = None
    functionality: Line | None = None
    description: Text = ""


class Capability(Record):
    """One thing that an artifact does.

    `task` is `domain.task` of the taxonomy; `domain` and `functionality` are the source's own labels.
    """

    id: Slug
    name: Line
    task: str
    description: Text = ""
    domain: Line | None = None
    functionality: Line | None = None
    unique: Text | None = None
    vs_alternatives: Text | None = None
    intents_served: tuple[Line, ...] = ()
    conditions: Conditions = Conditions()
    tags: tuple[Line, ...] = ()
    wordings: tuple[Wording, ...] = ()


class Pricing(Record):
    """What an artifact costs, as its source says."""

    model: Line | None = None
    free: bool | None = None
    detail: Text | None = None


class Weights(Record):
    """Where the model's files are: at most one of the three."""

    path: Line | None = None
    hub_id: Line | None = None
    endpoint: Line | None = None


class Signals(Record):
    """Counts that a source gives; None is unknown, never 0."""

    downloads: Count | None = None
    likes: Count | None = None
    stars: Count | None = None


class Source(Record):
    """Where an artifact was read: kind of source, file as the user gave it, 1-based line."""

    kind: str
    file: str
    line: int | None = None


class Artifact(Record):
    """What a user can pick. `id` is as the source gave it; `slug` is the name in URLs."""

    id: Line
    slug: Slug
    name: Line
    type: ArtifactType = "model"
    description: Text = ""
    maintainer: Line | None = None
    organization: Line | None = None
    url: Line | None = None
    license: Line | None = None
    library: Line | None = None
    family: Line | None = None
    base_model: Line | None = None
    params: Count | None = None
    released: Line | None = None
    formats: tuple[Line, ...] = ()
    pricing: Pricing = Pricing()
    weights: Weights = Weights()
    signals: Signals = Signals()
    declared_total: int | None = Field(default=None, ge=0, le=10_000)
    has_card: bool = False
    capabilities: tuple[Capability, ...] = ()
    claims: tuple[Claim, ...] = ()
    source: Source


def slug_of(name: str) -> str:
    """The slug of an id: lower case, `owner/name` as `owner--name`, anything else outside the set as "-".

    Accents are dropped; where other letters had to go, six digits of the id's digest keep different ids apart.

    Examples
    --------
    >>> slug_of("Salesforce/BLIP image captioning")
    'salesforce--blip-image-captioning'
    >>> slug_of("équipe/模型")
    'equipe-e08217'
    """
    plain = unicodedata.normalize("NFKD", name.strip()).lower().replace("/", "--")
    slug = re.sub(r"[^a-z0-9._-]+", "-", re.sub(r"[\u0300-\u036f]", "", plain)).strip("-")
    lost = any(char.isalnum() and not char.isascii() for char in plain)
    return f"{slug or 'unnamed'}-{text_digest(name)[:6]}"[-200:].lstrip("-") if lost else slug[:200] or "unnamed"
