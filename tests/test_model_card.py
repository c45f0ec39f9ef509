"""Measured results as model pages read them: the libraries' own readers must find the same numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from graph.claims import DataUsed, Evidence, Interval, ModelUsed
from graph.errors import InputError
from graph.home import Home
from graph.responses import ArtifactReport
from graph.store.catalogue import save_artifacts
from graph.store.evidence import append_evidence
from search.model_card import render_card
from search.show import show_artifact
from tests.factories import make_artifact, make_evidence

DATA = DataUsed(name="my-digits", digest="d" * 64, declared_by="operator", items=540)
MEASURED = {"kind": "observation", "claim": None, "verdict": None, "model": ModelUsed(digest="m" * 64)}


def accuracy(value: float = 96.48148, **fields: object) -> Evidence:
    interval = Interval(low=94.56, high=97.87, level=0.95, method="clopper-pearson")
    told = {"metric": "accuracy", "unit": "percent", "measured": value, "n": 540, "interval": interval, "data": DATA}
    return make_evidence("ann/tiny-classifier", **{**MEASURED, **told, **fields})


@pytest.fixture
def report(home: Home) -> ArtifactReport:
    artifact = make_artifact()
    with home.store.writing() as connection:
        save_artifacts(connection, [artifact])
        size = make_evidence(artifact.id, **MEASURED, metric="size_bytes", unit="bytes", measured=1_000.0)
        claimed = accuracy(99.9, kind="probe", claim="cl_1", verdict="refuted")
        append_evidence(connection, [size, accuracy(), claimed])
    return show_artifact(home, artifact.id)


def test_the_hubs_reader_finds_the_measured_number_and_not_the_claimed_one(report: ArtifactReport) -> None:
    card = ModelCard(f"---\n{render_card(report, 'model-index')}---\n# x\n")
    [result] = card.data.eval_results
    assert (result.task_type, result.dataset_name) == ("image-classification", "my-digits")
    assert (result.metric_type, result.metric_value) == ("accuracy", 96.4815)
    args = result.metric_args
    assert args["n"] == 540
    assert args["evidence"] == report.observations[-1].id
    assert args["interval"] == "[94.56, 97.87] 95% clopper-pearson"
    assert "operator" in args["data"]


def test_eval_results_are_read_by_the_hub(report: ArtifactReport) -> None:
    [entry] = parse_eval_result_entries(yaml.safe_load(render_card(report, "eval-results")))
    assert (entry.dataset_id, entry.task_id, entry.value) == ("my-digits", "image-classification", 96.4815)
    assert entry.notes is not None
    assert entry.notes.startswith("accuracy; evidence ev_")
    assert entry.verify_token is None


def test_what_we_write_we_can_read(report: ArtifactReport, tmp_path: Path) -> None:
    from indexer.sources.cards import read_card
    from inference.models.files import list_files

    (tmp_path / "README.md").write_text(f"---\n{render_card(report, 'model-index')}---\n# x\n")
    (tmp_path / ".eval_results").mkdir()
    (tmp_path / ".eval_results" / "x.yaml").write_text(render_card(report, "eval-results"))
    card = read_card(list_files(tmp_path))
    assert [(result.metric, result.value, result.dataset) for result in card.results] == [
        ("accuracy", 96.4815, "my-digits")
    ] * 2


@pytest.mark.parametrize(("form", "what"), [("pdf", "write one of model-index, eval-results")])
def test_an_unknown_format_is_said(report: ArtifactReport, form: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        render_card(report, form)


def test_nothing_measured_is_said(report: ArtifactReport) -> None:
    with pytest.raises(InputError, match="nothing was measured on a labelled set"):
        render_card(report.model_copy(update={"observations": ()}), "model-index")
