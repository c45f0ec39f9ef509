"""Confidence: fitted on the index's own words, stated as a probability, and what is said where nothing fits."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from factories import make_artifact, make_evidence
from fake_encoder import WordEncoder
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from small_catalogue import ARTIFACTS, build_small

import indexer.build
import indexer.snapshot
from graph.artifacts import Capability
from graph.claims import Claim, Scope, claim_id
from graph.constants import ABSTAIN_BELOW, ABSTAIN_CONFIDENCE, CALIBRATION_SENTENCES, FITS_PRIOR
from graph.errors import SnapshotError
from graph.home import Home, open_home
from graph.policy import POLICIES
from graph.settings import Settings
from indexer.build import build
from indexer.calibration.fit import Calibration, best_cosines, calibrate, fit_logistic
from indexer.calibration.questions import (
    admitted_sentences,
    fitting_queries,
    held_back_queries,
    made_queries,
    off_domain,
)
from indexer.gate import admit
from indexer.pipeline import ingest
from indexer.snapshot import CALIBRATION_FILE, current_id, open_snapshot
from indexer.sources import apibench_catalogue, apibench_queries
from inference.embedder import open_encoder
from search.confidence import Judge
from search.engine import LOCAL, Engine, open_engine
from search.memory import SearchRequest
from search.outcomes import record_outcome
from search.query import read_where
from search.query.names import Named
from search.ranking import Scored


@pytest.fixture
def engine(home: Home) -> Engine:
    return build_small(home)


def _ask(engine: Engine, text: str, **fields: object):
    return engine.search(SearchRequest(text, LOCAL, **fields))  # type: ignore[arg-type]


# The fit ------------------------------------------------------------------------------------------------
def test_the_curve_is_that_of_a_second_implementation() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0.5, 0.12, 90), rng.normal(0.2, 0.08, 40)])
    truth = np.arange(130) < 90
    weights = np.where(truth, 0.5 / 90, 0.5 / 40) * 130
    spread, centre = values.std(), values.mean()
    other = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000)
    other.fit(((values - centre) / spread)[:, None], truth, sample_weight=weights)
    slope, intercept = fit_logistic(values, truth)
    assert slope == pytest.approx(other.coef_[0, 0] / spread, rel=1e-4)
    assert intercept == pytest.approx(other.intercept_[0] - other.coef_[0, 0] * centre / spread, rel=1e-4)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_any_values_give_a_finite_curve(fits: list[float], others: list[float]) -> None:
    slope, intercept = fit_logistic(np.array(fits + others), np.arange(len(fits) + len(others)) < len(fits))
    assert math.isfinite(slope)
    assert math.isfinite(intercept)


def test_parted_values_give_a_finite_curve() -> None:
    slope, intercept = fit_logistic(np.array([0.9, 0.8, 0.1, 0.0]), np.array([True, True, False, False]))
    assert 0 < slope < 20
    assert -intercept / slope == pytest.approx(0.45)  # in the middle


def test_a_confidence_computed_by_hand() -> None:
    calibration = Calibration(1, 10.0, -3.0, fitting=1, off_domain=1, answered=0, queries="")
    assert calibration.confidence(0.3) == pytest.approx(0.5)
    assert calibration.confidence(0.5) == pytest.approx(1 / (1 + math.exp(-2)))
    assert calibration.abstains_below == pytest.approx(0.3)
    assert (calibration.confidence(1e9), calibration.confidence(-1e9)) == (1.0, pytest.approx(0.0))


def test_best_cosines_are_those_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    queries, rows = (rng.normal(size=(n, 8)).astype(np.float32) for n in (5, 11))
    monkeypatch.setattr("indexer.calibration.fit._ROWS", 4)
    np.testing.assert_allclose(best_cosines(queries, rows), (queries @ rows.T).max(axis=1), rtol=1e-6)


# The queries --------------------------------------------------------------------------------------------
def test_off_domain_queries_are_parted_by_their_digest() -> None:
    fitted, held = fitting_queries(), held_back_queries()
    every = [query for queries in off_domain().values() for query in queries]
    assert len(every) == len(set(every)) >= 200
    assert sorted(fitted + held) == sorted(every)
    assert min(len(fitted), len(held)) >= 100
    assert len(off_domain()) >= 15


def test_made_queries_are_words_of_sentences() -> None:
    sentences = [f"This number {n} model names what is on a photo of a street." for n in range(50)]
    made = made_queries(sentences)
    assert made == made_queries(reversed(sentences))
    assert len(made) == CALIBRATION_SENTENCES
    assert len(set(made)) > 50  # a sentence taken again loses other words
    for query in made:
        assert len(query.split()) == 4  # a third of 13
        assert any(set(query.split()) <= set(sentence.split()) for sentence in sentences)
    assert len(set(made) - set(made_queries([*sentences, "An entirely new sentence of seven words here."]))) < 10
    assert made_queries([]) == []
    assert set(made_queries(["too short"])) <= {"too", "short"}


def test_a_refuted_sentence_makes_no_query() -> None:
    scope = Scope(dataset="ImageNet-1k")
    identity = claim_id("ann/eyes", "", "accuracy", "=", 99.0, "percent", scope)
    lie = Claim(
        id=identity, artifact="ann/eyes", metric="accuracy", value=99.0, unit="percent", conditions=scope,
        text="It reaches 99 % on ImageNet.",
    )  # fmt: skip
    capability = Capability(
        id="main", name="see", task="vision.image-classification",
        description="It names what is on a photo. It reaches 99 % on ImageNet.",
    )  # fmt: skip
    liar = make_artifact("ann/eyes", capabilities=(capability,), claims=(lie,))
    before = admitted_sentences([liar], admit([liar], {}, POLICIES["open"], 0))
    evidence = {identity: make_evidence("ann/eyes", "refuted", claim=identity, metric="accuracy")}
    after = admitted_sentences([liar], admit([liar], evidence, POLICIES["open"], 0))
    assert "It reaches 99 % on ImageNet." in before
    assert after == ["It names what is on a photo."]


# The snapshot -------------------------------------------------------------------------------------------
def test_a_build_calibrates_and_seals_it(engine: Engine) -> None:
    calibration = engine.snapshot.calibration
    assert calibration is not None
    assert calibration.fitting == CALIBRATION_SENTENCES
    assert calibration.off_domain + calibration.answered == len(fitting_queries())
    file = engine.home.snapshots / engine.snapshot.id / CALIBRATION_FILE
    assert Calibration.open(file) == calibration
    file.write_text(file.read_text().replace('"slope"', '"slope" '))
    with pytest.raises(SnapshotError, match=r"calibration\.json: altered"):
        open_snapshot(engine.home.snapshots, encoder=None)


def test_the_prior_is_added_to_balanced_odds() -> None:
    encoder = WordEncoder()
    sentences = ["names what is on a photo of streets", "turns spoken words into text for captions"]
    found = calibrate(sentences, encoder.encode(sentences), encoder.encode)
    assert found is not None
    asked, foreign = made_queries(sentences), fitting_queries()
    cosines = best_cosines(encoder.encode([*asked, *foreign]), encoder.encode(sentences))
    assert found.answered == 0
    slope, intercept = fit_logistic(cosines, np.arange(len(cosines)) < len(asked))
    assert found.slope == pytest.approx(slope)
    assert found.intercept == pytest.approx(intercept + math.log(FITS_PRIOR / (1 - FITS_PRIOR)))
    assert calibrate([], encoder.encode(sentences), encoder.encode) is None
    assert calibrate(sentences, np.zeros((0, 512), np.float32), encoder.encode) is None


def test_off_domain_is_what_this_index_does_not_answer(home: Home) -> None:
    """An index of recipes is not calibrated against recipes, and finds them."""
    cooking = [query for query in off_domain()["cooking"] if query in fitting_queries()]
    cook = Capability(id="main", name="cook", task="other.other", description="Cooks.", intents_served=tuple(cooking))
    chefs = tuple(make_artifact(f"chef/{n}", capabilities=(cook,)) for n in range(3))
    engine = build_small(home, chefs)
    assert engine.snapshot.calibration is not None
    assert engine.snapshot.calibration.answered >= len(cooking)
    assert not _ask(engine, cooking[0]).abstained
    assert _ask(engine, "who won the judo tournament of ninety eight").abstained


def test_a_catalogue_that_claims_everything_silences_nobody(home: Home) -> None:
    """It lowers the bar, as it says that it answers everything; what others do is still found, with a sane curve."""
    everything = Capability(
        id="main", name="all", task="other.other", description="Does all.", intents_served=tuple(fitting_queries())
    )
    honest = build_small(home).snapshot.calibration
    engine = build_small(home, (*ARTIFACTS, make_artifact("evil/all", capabilities=(everything,))))
    calibration = engine.snapshot.calibration
    assert honest is not None
    assert calibration is not None
    assert calibration.slope > 0
    assert calibration.answered > len(fitting_queries()) / 2
    assert calibration.abstains_below < honest.abstains_below
    answer = _ask(engine, "estimate depth from one image")
    assert (answer.abstained, answer.results[0].artifact) == (False, "cat/depth")


def test_what_cannot_be_told_apart_has_no_calibration() -> None:
    def upside_down(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[0.0, 1.0] if i < CALIBRATION_SENTENCES else [1.0, 0.0] for i in range(len(texts))], "f4")

    rows = np.array([[1.0, 0.0]], np.float32)  # everything foreign is nearer than anything of its own
    assert calibrate(["one two three four five six seven"], rows, upside_down) is None


def test_another_way_of_calibrating_is_another_snapshot(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = build_small(home)
    assert build(home, engine.encoder, policy="open", probe=False).unchanged
    monkeypatch.setattr(indexer.snapshot, "METHOD", 99)
    assert not build(home, engine.encoder, policy="open", probe=False).unchanged


def test_a_snapshot_without_calibration_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer.build, "calibrate", lambda *_: None)
    engine = build_small(home)
    live = current_id(home.snapshots)
    assert live is not None
    assert not (home.snapshots / live / CALIBRATION_FILE).exists()
    found, nothing = _ask(engine, "classify photos"), _ask(engine, "quantum chromodynamics lagrangian")
    assert (found.confidence, found.abstained, nothing.abstained) == (None, False, True)
    for answer in (found, nothing):
        assert f"no calibration: abstaining below a cosine of {ABSTAIN_BELOW}" in answer.understood.notes[-1]


# Answers ------------------------------------------------------------------------------------------------
def test_every_answer_states_its_confidence(engine: Engine) -> None:
    good, bad = _ask(engine, "names what is on a photo"), _ask(engine, "quantum chromodynamics lagrangian")
    assert good.confidence is not None
    assert bad.confidence is not None
    assert bad.confidence < ABSTAIN_CONFIDENCE <= good.confidence <= 1
    assert (good.abstained, bad.abstained) == (False, True)
    assert bad.results == ()
    assert engine.snapshot.calibration is not None
    best = max(r.parts["dense"] for r in good.results)
    assert good.confidence == pytest.approx(engine.snapshot.calibration.confidence(best))
    assert good.understood.notes == ()


def test_a_name_is_certain_and_a_corrected_one_never_abstains(engine: Engine) -> None:
    assert _ask(engine, "painter").confidence == 1.0
    near = _ask(engine, "pianter")
    assert not near.abstained
    assert near.confidence == ABSTAIN_CONFIDENCE


def test_limits_alone_have_no_confidence(engine: Engine) -> None:
    answer = _ask(engine, "under 100M parameters")
    assert answer.results
    assert answer.confidence is None
    assert _ask(engine, "what is it for").confidence == 0.0
    assert _ask(engine, "classify photos", where=read_where(["params<1", "params>2"])).confidence == 0.0


def test_confidence_is_that_of_what_the_limits_leave(engine: Engine) -> None:
    free = _ask(engine, "Names what is on a photo, on a phone")
    bound = _ask(engine, "Names what is on a photo, on a phone", where=read_where(["family=vit"]))
    assert free.confidence is not None
    assert bound.confidence is not None
    assert bound.confidence < free.confidence
    pages = [
        _ask(engine, "Names what is on a photo", limit=1, offset=offset, where=read_where(["params>1"])).confidence
        for offset in range(3)
    ]
    assert len(set(pages)) == 1


def test_which_limit_to_drop_is_said(engine: Engine) -> None:
    one = _ask(engine, "classify photos", where=read_where(["license=mit", "params>50M"]))
    assert one.abstained
    assert "to widen, drop license=mit: 2 fit without it, best eve--large-eyes" in one.message
    both = _ask(engine, "classify photos", where=read_where(["license=gpl-3.0", "params>900B"]))
    assert "to widen, drop more than one of them" in both.message
    nothing = _ask(engine, "quantum chromodynamics lagrangian")
    assert nothing.message.startswith(
        "nothing here fits: use other words, or ingest more sources; nearest, but far, is "
    )
    policy = _ask(engine, "classify photos", policy=POLICIES["production"])
    assert "drop policy production" in policy.message


def test_the_log_changes_no_confidence(engine: Engine) -> None:
    text = "Names what is on a photo"
    before = _ask(engine, text)
    record_outcome(engine.home, before.results[0].token or "", "success", LOCAL)
    after, blind = _ask(engine, text), _ask(engine, text, blind=True)
    assert after.results[0].score > before.results[0].score
    assert before.confidence == after.confidence == blind.confidence


@pytest.mark.parametrize("calibration", [Calibration(1, 10.0, -3.0, 1, 1, 0, ""), None])
def test_what_fits_alone_fits_among_others(calibration: Calibration | None) -> None:
    judge = Judge(calibration, Named())
    for cosine in np.linspace(-1, 1, 41):
        one = Scored("a", 0, 0.0, {"dense": float(cosine), "lexical": 0.3, "graph": 0.4, "name": 0.0})
        assert judge.fits(one) is judge.of([one]).fits
    assert not judge.of([]).fits


@pytest.mark.slow
def test_off_domain_is_told_from_real_questions(shared: Path, tmp_path: Path) -> None:
    """A sample of benchmarks/retrieval/confidence.py: the real encoder, TorchHub, nothing of it seen by the fit."""
    home = open_home(Settings(home=tmp_path), throw_away=True)
    rows = apibench_catalogue(shared / "data/apibench", "torchhub", with_variants=False)
    (tmp_path / "catalogue.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ingest(home, [tmp_path / "catalogue.jsonl"], kind="catalogue")
    encoder = open_encoder(None, threads=2)
    build(home, encoder, policy="open", verify=lambda *_: None)
    engine = open_engine(home, encoder)
    questions = list(apibench_queries(shared / "data/apibench/data/apibench/torchhub_eval.json"))[::3]
    real = [_ask(engine, question["text"], limit=1) for question in questions]
    off = [_ask(engine, query, limit=1) for query in held_back_queries()[::3]]
    truth = [1] * len(real) + [0] * len(off)
    assert roc_auc_score(truth, [answer.confidence for answer in (*real, *off)]) >= 0.9
    assert np.mean([answer.abstained for answer in real]) <= 0.05
    assert np.mean([answer.abstained for answer in off]) >= 0.5
    home.close()
