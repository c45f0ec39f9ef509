"""The reader of claims against the labelled pages: as good as published, on the side that was never tuned on."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def extraction(repository: Path) -> ModuleType:
    file = repository / "benchmarks/claims/extraction.py"
    spec = importlib.util.spec_from_file_location("extraction_benchmark", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("side", ["open", "held back", "second set", "third set"])
def test_precision_and_recall_are_as_published(
    extraction: ModuleType, shared: Path, repository: Path, side: str
) -> None:
    published = json.loads((repository / "benchmarks/claims/results/extraction.json").read_text(encoding="utf-8"))[side]
    which, held_back = extraction.SIDES[side]
    found = extraction.summary(extraction.measure(shared / "data", held_back=held_back, which=which))
    assert found["precision"]["value"] >= 0.9
    assert found["recall"]["value"] >= 0.8
    assert {key: found[key] for key in ("pages", "labels", "found", "missed", "wrong")} == {
        key: published[key] for key in ("pages", "labels", "found", "missed", "wrong")
    }


def test_a_reader_that_reads_nothing_finds_nothing(
    extraction: ModuleType, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "read_claims", lambda artifact, passages: ())
    found = extraction.summary(extraction.measure(shared / "data", held_back=False))
    assert found["recall"]["value"] == 0.0


def test_the_whole_zoo_holds_no_refutation(shared: Path) -> None:
    """All of its refutations were read by hand: there is none that is right, so there must be none."""
    from indexer.lint import lint

    report = lint([shared / "data/open_model_zoo"])
    assert len(report.artifacts) == 116
    assert [claim.text for linted in report.artifacts for claim in linted.refuted] == []
    assert sum(len(linted.claims) for linted in report.artifacts) > 600
