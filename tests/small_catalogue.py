"""A small catalogue, saved and built with the hand-computable encoder: what the search tests search."""

from __future__ import annotations

from typing import Any

from factories import make_artifact
from fake_encoder import WordEncoder

from graph.artifacts import Artifact, Capability, Pricing, Weights
from graph.home import Home
from graph.store import catalogue
from indexer.build import build
from indexer.claims import with_implied_claims
from search.engine import Engine, open_engine

CLASSIFY = "vision.image-classification"


def _one(name: str, task: str, what: str, description: str, **fields: Any) -> Artifact:
    capability = Capability(id="main", name=what, task=task, description=description)
    return make_artifact(name, capabilities=(capability,), **fields)


ARTIFACTS = (
    _one(
        "ann/small-eyes", CLASSIFY, "classify photos", "Names what is on a photo, on a phone.",
        params=5_600_000, license="mit", family="mobile", weights=Weights(hub_id="ann/small-eyes"),
        pricing=Pricing(free=True),
    ),
    _one(
        "ben/large-eyes", CLASSIFY, "classify photos", "Names what is on a photo, on a server.",
        params=86_000_000, license="apache-2.0", family="vit", weights=Weights(hub_id="ben/large-eyes"),
    ),
    _one(
        "eve/large-eyes", CLASSIFY, "classify photos", "Names what is on a photo, repackaged.",
        params=86_000_000, base_model="ben/large-eyes",
    ),
    _one("dan/closed-eyes", CLASSIFY, "label photos", "Labels a photo behind an address.",
         weights=Weights(endpoint="https://example.org/eyes")),
    _one(
        "ann/painter", "vision.text-to-image", "draw pictures", "Draws a picture from a sentence.",
        params=12_000_000_000,
    ),
    _one("cat/listener", "audio.automatic-speech-recognition", "write down speech", "Turns spoken words into text."),
    _one("cat/depth", "vision.depth-estimation", "estimate depth", "Estimates depth from one image.", type="tool"),
)  # fmt: skip


def build_small(home: Home, artifacts: tuple[Artifact, ...] = ARTIFACTS) -> Engine:
    """The engine of a home with these artifacts, built without running anything."""
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [with_implied_claims(artifact) for artifact in artifacts])
    encoder = WordEncoder()
    build(home, encoder, policy="open", probe=False)
    return open_engine(home, encoder)
