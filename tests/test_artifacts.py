"""Slugs, and finding an artifact by any of its names."""

from __future__ import annotations

import re

import pytest
from factories import make_artifact
from hypothesis import given
from hypothesis import strategies as st

from graph.artifacts import slug_of
from graph.errors import UnknownArtifact
from graph.home import Home
from graph.store import catalogue


@given(st.text(max_size=300))
def test_any_id_has_a_slug(name: str) -> None:
    slug = slug_of(name)
    assert re.fullmatch(r"[a-z0-9._-]{1,200}", slug)
    assert slug_of(name) == slug


def test_what_cannot_be_spelled_stays_apart() -> None:
    assert slug_of("Ann/Été v1.5") == "ann--ete-v1.5"
    assert slug_of("ann/模型") != slug_of("ann/模式")
    assert slug_of("ann/模型").startswith("ann")


@pytest.mark.parametrize("name", ["ann/FLUX.1-pro", "ann--flux.1-pro", "FLUX.1-PRO", "flux.1-pro", "flux.1 pro"])
def test_any_of_its_names_finds_an_artifact(home: Home, name: str) -> None:
    artifacts = [make_artifact("ann/FLUX.1-pro"), make_artifact("ben/twin"), make_artifact("eve/twin")]
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, artifacts)
        assert catalogue.find_artifact(connection, name).id == "ann/FLUX.1-pro"
        with pytest.raises(UnknownArtifact):  # two have it: nobody is guessed
            catalogue.find_artifact(connection, "twin")
