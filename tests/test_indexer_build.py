"""`build` as a whole, on tiny catalogues with an encoder that can be computed by hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_artifact, make_evidence
from fake_encoder import WordEncoder

from graph.artifacts import Artifact, Capability, Wording
from graph.claims import VERDICTS, Claim
from graph.errors import EncoderMismatch, ModelError, QueryError, SnapshotError
from graph.home import Home
from graph.policy import OPEN
from graph.store.catalogue import load_vectors, save_artifacts, vector_key
from graph.store.evidence import append_evidence
from graph.store.log import last_seq
from indexer import embedding
from indexer.build import build
from indexer.calibration.questions import fitting_queries, made_queries
from indexer.claims import with_implied_claims
from indexer.lexical import tokenize
from indexer.progress import Progress
from indexer.snapshot import open_snapshot
from indexer.snapshots import current_id, list_snapshots, roll_back

LIE = "Flawless on every zebra"


def make_model(name: str, description: str, **fields: Any) -> Artifact:
    known = {"id": "c", "name": f"Job of {name}", "task": "text.fill-mask", "description": description}
    capability = Capability.model_validate(known | fields)
    return with_implied_claims(make_artifact(name, capabilities=(capability,)))


MODELS = [make_model(f"m{n}", f"Does thing number{n}.") for n in range(5)]


def save(home: Home, models: Sequence[Artifact]) -> None:
    with home.store.writing() as connection:
        save_artifacts(connection, models)


def refute(home: Home, claim: Claim, verdict: str = "refuted") -> None:
    with home.store.writing() as connection:
        append_evidence(connection, [make_evidence(claim.artifact, verdict, claim=claim.id, metric=claim.metric)])


def make(home: Home, encoder: WordEncoder, **options: Any) -> Any:
    return build(home, encoder, **({"probe": False} | options))


def rows_of(home: Home) -> list[tuple[str, str, str]]:
    snapshot = open_snapshot(home.snapshots, encoder=None)
    return [(row.artifact, row.capability, row.kind) for row in snapshot.rows]


def test_a_build_makes_every_text_findable(home: Home) -> None:
    encoder = WordEncoder()
    save(home, MODELS)
    report = make(home, encoder)
    assert (report.artifacts, report.capabilities, report.rows, report.unchanged) == (5, 5, 5, False)
    asked = {*fitting_queries(), *made_queries(model.capabilities[0].description for model in MODELS)}
    assert (
        report.embedded == len([text for text in encoder.encoded if text not in asked]) == 10
    )  # for its URI, searched
    assert asked <= set(encoder.encoded)  # to calibrate
    assert report.claims == {**dict.fromkeys(VERDICTS, 0), "claimed": 0, "unverifiable": 5}  # checked: no weights
    snapshot = open_snapshot(home.snapshots, encoder=encoder.info)
    for model in MODELS:
        text = f"{model.name}. fill mask. Job of {model.name}. {model.capabilities[0].description}"
        rows, cosines = snapshot.dense(encoder.encode([text])[0], 1)
        assert snapshot.rows[rows[0]].artifact == model.id
        assert cosines[0] == pytest.approx(1)
        assert snapshot.lexical(f"number{model.id[1:]}").argmax() == rows[0]
        assert snapshot.rows[rows[0]].uri == f"capability://text.fill-mask.job-of-{model.id}"


def test_a_second_build_embeds_nothing_and_changes_nothing(home: Home) -> None:
    encoder = WordEncoder()
    save(home, MODELS)
    first = make(home, encoder)
    with home.store.reading() as connection:
        seq = last_seq(connection)
    encoder.encoded.clear()
    second = make(home, encoder)
    assert asdict(second) == asdict(replace(first, unchanged=True, embedded=0))
    assert encoder.encoded == []
    with home.store.reading() as connection:
        assert last_seq(connection) == seq
    assert len(list_snapshots(home.snapshots)) == 1


def test_only_what_changed_is_embedded_again(home: Home) -> None:
    encoder = WordEncoder()
    save(home, MODELS)
    make(home, encoder)
    encoder.encoded.clear()
    save(home, [make_model("m3", "Does something else.")])
    report = make(home, encoder)
    assert report.embedded == 2
    changed = {"fill mask. Job of m3. Does something else", "m3. fill mask. Job of m3. Does something else."}
    assert len(encoder.encoded) == len(set(encoder.encoded))
    assert set(encoder.encoded) - set(made_queries(["Does something else."])) == changed
    assert not report.unchanged


def test_another_policy_or_encoder_makes_another_snapshot(home: Home) -> None:
    save(home, MODELS)
    first = make(home, WordEncoder())
    assert not make(home, WordEncoder(), policy="open").unchanged
    other = make(home, WordEncoder("others"), policy="open")
    assert (other.unchanged, other.embedded) == (False, 10)
    with pytest.raises(EncoderMismatch):
        open_snapshot(home.snapshots, encoder=WordEncoder().info)
    assert roll_back(home.snapshots, first.snapshot) == first.snapshot
    assert make(home, WordEncoder()).unchanged


def test_a_damaged_live_snapshot_is_made_anew(home: Home) -> None:
    save(home, MODELS)
    first = make(home, WordEncoder())
    (home.snapshots / first.snapshot / "rows.jsonl").write_text("")
    second = make(home, WordEncoder())
    assert not second.unchanged
    assert second.embedded == 0
    assert len(rows_of(home)) == 5


def test_an_empty_catalogue_and_one_that_is_refused_whole_are_indexes_too(home: Home) -> None:
    assert make(home, WordEncoder()).rows == 0
    save(home, [make_artifact("ann/bare", capabilities=())])
    report = make(home, WordEncoder())
    assert [(refused.artifact, refused.what) for refused in report.refused] == [("ann/bare", "artifact")]
    save(home, MODELS)
    strict = make(home, WordEncoder(), policy="strict")
    assert strict.rows == 0
    assert {refused.artifact for refused in strict.refused} == {"ann/bare", *(model.id for model in MODELS)}
    assert open_snapshot(home.snapshots, encoder=None).lexical("thing").shape == (0,)


# The gate -----------------------------------------------------------------------------------------------
def lying_model() -> Artifact:
    capability = Capability(
        id="c", name="Sees animals", task="vision.image-classification", description=f"{LIE}. Small. Cheap.",
        unique=f"{LIE}!", intents_served=("name an animal", LIE), wordings=(Wording(name="w", description=LIE),),
    )  # fmt: skip
    claim = Claim(id="cl_lie", artifact="liar", capability="c", metric="accuracy", value=100.0, text=LIE)
    return with_implied_claims(make_artifact("liar", capabilities=(capability,), claims=(claim,)))


@pytest.mark.parametrize("refuted", [False, True])
def test_a_refuted_sentence_is_in_no_vector_no_word_and_no_file(home: Home, refuted: bool) -> None:
    model, encoder = lying_model(), WordEncoder()
    save(home, [model])
    if refuted:
        refute(home, model.claims[0])
    report = make(home, encoder)
    files = b"".join(file.read_bytes() for file in home.snapshots.rglob("*") if file.is_file())
    snapshot = open_snapshot(home.snapshots, encoder=encoder.info)
    [stem] = tokenize(["zebra"])[0]
    assert (max(snapshot.lexical("zebra")) > 0) == (stem.encode() in files) == (not refuted)
    assert any("zebra" in text for text in encoder.encoded) == (not refuted)
    searched = "liar. image classification. Sees animals. {}Small. Cheap."
    told = {said: searched.format(f"{LIE}. " if said else "") for said in (False, True)}
    keys = {said: vector_key(text) for said, text in told.items()}
    with home.store.reading() as connection:
        kept = load_vectors(connection, encoder.info.digest, list(keys.values()))
    assert set(kept) == {keys[not refuted]}
    assert (snapshot.cosines(encoder.encode(["zebra"])[0]).max() > 0) == (not refuted)
    assert (report.claims["refuted"], len(report.refused) > 0) == (int(refuted), refuted)


def test_a_lie_found_later_leaves_the_index_at_the_next_build(home: Home) -> None:
    model, encoder = lying_model(), WordEncoder()
    save(home, [model])
    make(home, encoder)
    assert max(open_snapshot(home.snapshots, encoder=None).lexical("zebra")) > 0
    refute(home, model.claims[0])
    assert not make(home, encoder).unchanged
    assert max(open_snapshot(home.snapshots, encoder=None).lexical("zebra")) == 0


@pytest.mark.parametrize("policy", ["open", "default"])
def test_a_refuted_runs_keeps_the_capability_out(home: Home, policy: str) -> None:
    save(home, MODELS)
    refute(home, MODELS[2].claims[0])
    refute(home, MODELS[3].claims[0], "inconclusive")
    report = make(home, WordEncoder(), policy=policy)
    assert [row[0] for row in rows_of(home)] == ["m0", "m1", "m3", "m4"]
    assert [(refused.artifact, refused.capability) for refused in report.refused] == [("m2", "c")]
    manifest = open_snapshot(home.snapshots, encoder=None).manifest
    assert [kept.artifact for kept in manifest.refused] == ["m2"]


def test_checks_run_first_and_decide_in_the_same_build(home: Home) -> None:
    save(home, MODELS)
    asked: list[Any] = []

    def verify(given: Home, artifacts: Sequence[Artifact], budget_s: float | None, _: Any) -> None:
        asked.append((given is home, [artifact.id for artifact in artifacts], budget_s))
        refute(home, MODELS[0].claims[0])

    report = make(home, WordEncoder(), probe=True, budget_s=5.0, verify=verify)
    assert asked == [(True, ["m0", "m1", "m2", "m3", "m4"], 5.0)]
    assert report.claims["refuted"] == 1
    assert [row[0] for row in rows_of(home)] == ["m1", "m2", "m3", "m4"]
    make(home, WordEncoder(), probe=False, verify=verify)
    assert len(asked) == 1


def test_an_unknown_policy_is_refused_before_anything_is_done(home: Home) -> None:
    save(home, MODELS)
    encoder = WordEncoder()
    with pytest.raises(QueryError, match="no policy 'lax'"):
        make(home, encoder, policy="lax")
    assert encoder.encoded == []
    assert make(home, encoder, policy=OPEN).policy == "open"


# Interrupted --------------------------------------------------------------------------------------------
def test_ctrl_c_while_embedding_resumes_with_what_is_missing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "BATCH", 2)
    save(home, MODELS[:1])
    live = make(home, WordEncoder()).snapshot
    save(home, MODELS)
    stopped = WordEncoder(stop_after=5)
    with pytest.raises(KeyboardInterrupt):
        make(home, stopped)
    assert len(stopped.encoded) == 4
    assert current_id(home.snapshots) == live
    assert len(rows_of(home)) == 1
    resumed = WordEncoder()
    report = make(home, resumed)
    assert report.embedded == 8 - 4
    assert not set(stopped.encoded) & set(resumed.encoded)
    assert len(rows_of(home)) == 5


@pytest.mark.parametrize("call", [1, 2], ids=["the folder's rename", "the switch"])
def test_ctrl_c_at_the_end_leaves_the_live_snapshot(home: Home, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    save(home, MODELS[:1])
    live = make(home, WordEncoder()).snapshot
    save(home, MODELS)
    real, calls = os.replace, []

    def interrupted(*paths: Any) -> None:
        calls.append(paths)
        if len(calls) == call:
            raise KeyboardInterrupt
        real(*paths)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(home, WordEncoder())
    monkeypatch.undo()
    assert current_id(home.snapshots) == live
    assert len(rows_of(home)) == 1
    report = make(home, WordEncoder())
    assert (report.embedded, report.rows) == (0, 5)
    assert current_id(home.snapshots) == report.snapshot != live


def test_ctrl_c_in_a_check_changes_nothing(home: Home) -> None:
    def verify(*_: Any) -> None:
        raise KeyboardInterrupt

    save(home, MODELS)
    with pytest.raises(KeyboardInterrupt):
        make(home, WordEncoder(), probe=True, verify=verify)
    assert current_id(home.snapshots) is None
    assert make(home, WordEncoder()).rows == 5


def test_a_broken_encoder_is_refused(home: Home) -> None:
    class Broken(WordEncoder):
        def encode(self, texts: Sequence[str], on_done: Any = None) -> Any:
            return np.full((len(texts), self.info.dimension), np.nan, np.float32)

    class Short(WordEncoder):
        def encode(self, texts: Sequence[str], on_done: Any = None) -> Any:
            return super().encode(texts)[:, 1:]

    save(home, MODELS)
    with pytest.raises(ModelError, match="not finite"):
        make(home, Broken())
    with pytest.raises(ModelError, match="shape"):
        make(home, Short())


def test_a_full_disk_is_one_line(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", str(Path("rows.jsonl")))

    save(home, MODELS)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SnapshotError, match="No space left on device: check"):
        make(home, WordEncoder())
    monkeypatch.undo()
    assert current_id(home.snapshots) is None


def test_progress_is_told(home: Home) -> None:
    save(home, MODELS)
    heard: list[Progress] = []
    make(home, WordEncoder(), on_progress=heard.append)
    assert {p.stage for p in heard} == {"verify", "embed", "index"}
    assert [(p.stage, p.done, p.total) for p in heard if p.stage != "verify"] == [
        ("embed", 0, 5), ("embed", 5, 5), ("embed", 0, 5), ("embed", 5, 5), ("index", 0, 5), ("index", 5, 5),
    ]  # fmt: skip
