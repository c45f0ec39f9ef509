"""A record made again: the same verdict on the same files, a clear word where that cannot be."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.artifacts import Artifact
from graph.attempts import DIFFER
from graph.claims import Evidence
from graph.errors import EvidenceError, InputError
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store.catalogue import all_artifacts
from graph.store.evidence import all_evidence, check_evidence_chain, deciding_evidence
from indexer.pipeline import ingest
from inference.work.executor import VerifyOptions, verify_artifacts
from inference.work.records import sealed
from inference.work.reproduce import reproduce

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TEXTS = {"code-or-prose": EXAMPLES / "data" / "code-or-prose.csv"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home where the small text classifier was verified; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("reproduce")
    shutil.copytree(EXAMPLES / "models" / "code-or-prose", folder / "models" / "code-or-prose")
    manifest = (
        (EXAMPLES / "artifacts" / "local-code-or-prose.yml").read_text().replace("../models", str(folder / "models"))
    )
    (folder / "m.yml").write_text(manifest)
    home = open_home(Settings(home=folder / "home"))
    ingest(home, [folder / "m.yml"])
    verify_artifacts(home, artifacts(home), VerifyOptions(data=TEXTS))
    yield home
    home.close()


@pytest.fixture
def home(verified: Home, tmp_path: Path) -> Iterator[Home]:
    shutil.copytree(verified.path, tmp_path / "home")
    opened = open_home(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


def artifacts(home: Home) -> list[Artifact]:
    with home.store.reading() as connection:
        return all_artifacts(connection)


def deciding(home: Home, metric: str) -> Evidence:
    with home.store.reading() as connection:
        return next(record for record in deciding_evidence(connection).values() if record.metric == metric)


def test_an_accuracy_comes_out_the_same_and_is_kept_as_a_second_attempt(home: Home) -> None:
    record = deciding(home, "accuracy")
    assert record.verdict == "verified"
    found = reproduce(home, record.id, VerifyOptions(data=TEXTS))
    assert found.agrees
    assert (found.again.successes, found.again.n, found.again.attempt) == (record.successes, record.n, 2)
    assert found.again.id != record.id
    assert deciding(home, "accuracy").id == record.id
    with home.store.reading() as connection:
        check_evidence_chain(connection)


def test_an_observation_of_files_is_made_again_without_a_run(home: Home) -> None:
    with home.store.reading() as connection:
        size = next(r for r in all_evidence(connection) if r.kind == "observation" and r.metric == "size_bytes")
    found = reproduce(home, size.id, VerifyOptions())
    assert found.agrees
    assert found.again.measured == size.measured


def test_the_opposite_outcome_leaves_the_claim_open(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    record = deciding(home, "accuracy")
    real = reproduce.__globals__["conclude"]

    def other_way(*told: object) -> object:
        finding = real(*told)
        return dataclasses.replace(finding, judgement=dataclasses.replace(finding.judgement, verdict="refuted"))

    monkeypatch.setitem(reproduce.__globals__, "conclude", other_way)
    found = reproduce(home, record.id, VerifyOptions(data=TEXTS))
    assert not found.agrees
    now = deciding(home, "accuracy")
    assert (now.verdict, now.flags, now.pooled) == ("inconclusive", (DIFFER,), (record.id, found.again.id))
    with home.store.reading() as connection:
        check_evidence_chain(connection)


def test_without_its_set_or_with_another_it_says_which(home: Home, tmp_path: Path) -> None:
    record = deciding(home, "accuracy")
    with pytest.raises(InputError, match="give --data code-or-prose=PATH"):
        reproduce(home, record.id, VerifyOptions())
    other = tmp_path / "other.csv"
    other.write_text(TEXTS["code-or-prose"].read_text() + "x = 1,code\n")
    with pytest.raises(InputError, match="its content is not that of the record"):
        reproduce(home, record.id, VerifyOptions(data={"code-or-prose": other}))


def test_changed_weights_are_not_the_same_model(home: Home) -> None:
    record = deciding(home, "accuracy")
    [artifact] = artifacts(home)
    weights = Path(str(artifact.weights.path)) / "config.json"
    before = weights.read_text()
    weights.write_text(before + " ")
    try:
        with pytest.raises(EvidenceError, match="the model's files have changed since"):
            reproduce(home, record.id, VerifyOptions(data=TEXTS))
    finally:
        weights.write_text(before)


def test_an_unknown_record_is_said(home: Home) -> None:
    with pytest.raises(EvidenceError, match="there is no such record"):
        reproduce(home, sealed(deciding(home, "accuracy").model_copy(update={"n": 1})).id, VerifyOptions())
