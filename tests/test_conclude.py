"""From what a unit measured to verdicts: which measurement a claim is about, and how it is judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import make_artifact
from pydantic import ValidationError

from graph.claims import Claim, DataUsed, Evidence, Interval, Scope
from inference.ground import Ground
from inference.judging.conclude import conclude
from inference.judging.results import UnitResult
from inference.models.architecture import Architecture
from inference.models.facts import ModelFacts
from inference.models.files import ModelFile
from inference.probes.base import Measured, Measurement, RawAnswers, score_answers
from inference.work.records import evidence_of, observations_of_unit

GROUND = Ground(make_artifact("a"), ModelFacts("safetensors", ("safetensors",), 1_000, dtype="float32",
                library="transformers", parameters=500, loadable=True), trust="name")  # fmt: skip
BARE = Ground(
    make_artifact("a"), trust="known",
    architecture=Architecture("a", "transformers", "MobileViTModel", {"model_type": "mobilevit"}, "library default"),
)  # fmt: skip
DATA = DataUsed(name="digits", digest="d", declared_by="operator", items=540)
PASSED, FAILED = {"kind": "shuffled_labels", "passed": True}, {"kind": "shuffled_labels", "passed": False}


def claim(metric: str, value: float | str | None = None, text: str = "", **fields: Any) -> Claim:
    scope = Scope(**{name: fields.pop(name) for name in list(fields) if name in Scope.model_fields})
    return Claim(id="cl_1", artifact="a", metric=metric, value=value, text=text, conditions=scope, **fields)


def found(
    metric: str, value: float | str, low: float | None = None, high: float | None = None, **fields: Any
) -> Measurement:
    if low is not None and high is not None:
        fields["interval"] = Interval(low=low, high=high, level=0.95, method="order-statistic")
    scope = Scope(**{name: fields.pop(name) for name in list(fields) if name in Scope.model_fields})
    return Measurement(metric=metric, value=value, scope=scope, **fields)


def unit(*measurements: Measurement, data: DataUsed | None = None, **fields: Any) -> UnitResult:
    measured = Measured(**({"loads": True, "finite": True} | fields), measurements=measurements)
    return UnitResult(unit="un_1", probe="p", version="1", measured=measured, data=data, device="cpu (Xeon)")


def verdict(stated: Claim, result: UnitResult, ground: Ground = GROUND) -> tuple[str, str | None]:
    judgement = conclude(stated, ground, result).judgement
    return judgement.verdict, judgement.reason_code


def test_a_model_that_takes_any_labels_is_refuted_only_on_a_set_that_its_claims_name() -> None:
    runs = claim("runs")
    low, high = (found("runs", share, successes=int(100 * share), n=100, chance=0.5) for share in (0.4, 0.99))

    def asked(probe: str, measured: Measurement) -> UnitResult:
        return unit(measured, data=DATA).model_copy(update={"probe": probe})

    own = replace(GROUND, artifact=make_artifact("a", claims=(claim("accuracy", 90.0, dataset="Digits"),)))
    assert verdict(runs, asked("zero-shot-classification", low)) == ("inconclusive", "no_data")
    assert verdict(runs, asked("zero-shot-classification", low), own) == ("refuted", None)
    assert verdict(runs, asked("zero-shot-classification", high)) == ("verified", None)
    assert verdict(runs, asked("image-classification", low)) == ("refuted", None)


# What a measurement carries -----------------------------------------------------------------------------
def test_a_fact_holds_or_does_not() -> None:
    exports = [claim("exports", name) for name in ("onnx", "ONNX", "Core ML")]
    assert [verdict(each, unit(found("exports", "onnx", holds=True))) for each in exports] == [
        ("verified", None), ("verified", None), ("unverifiable", "missing_dependency"),
    ]  # fmt: skip
    assert verdict(exports[0], unit(found("exports", "onnx", holds=False))) == ("refuted", None)
    assert verdict(claim("fine_tunes", "new head"), unit(found("fine_tunes", "new head", holds=True)))[0] == "verified"


def test_runs_is_judged_against_its_chance() -> None:
    runs = claim("runs", note="vision.image-classification", comparator=">=")
    for successes, expected in [(526, "verified"), (55, "refuted"), (180, "inconclusive")]:
        share = found("runs", successes / 540, successes=successes, n=540, chance=0.1)
        assert verdict(runs, unit(share, data=DATA))[0] == expected
    assert verdict(runs, unit()) == ("inconclusive", "no_data")
    assert verdict(runs, unit(finite=None, detail="no made-up audio")) == ("unverifiable", "not_runnable")


def test_a_share_of_the_claims_own_set_is_no_sample() -> None:
    share = found("accuracy", 97.4, successes=526, n=540)
    stated = claim("accuracy", 97.4, unit="percent", dataset="Digits")
    known = DATA.model_copy(update={"declared_by": "known"})
    assert verdict(stated, unit(share, data=DATA))[0] == "inconclusive"
    assert verdict(stated, unit(share, data=known))[0] == "verified"
    part = found("accuracy", 98.0, successes=500, n=510)
    drawn = DATA.model_copy(update={"items": 510, "whole": 540})
    assert verdict(stated, unit(part, data=drawn))[0] == "verified"
    judged = conclude(stated, GROUND, unit(part, data=drawn)).judgement
    assert judged.interval is not None
    assert judged.interval.method == "hypergeometric"


def test_an_interval_and_an_exact_number() -> None:
    assert (
        verdict(claim("f1", 0.91, unit="fraction", dataset="digits"), unit(found("f1", 92.0, 90.5, 93.0), data=DATA))[0]
        == "verified"
    )
    assert verdict(claim("dimensions", 384.0), unit(found("dimensions", 384.0)))[0] == "verified"
    assert verdict(claim("dimensions", 768.0), unit(found("dimensions", 384.0)))[0] == "refuted"


def test_an_inconclusive_interval_says_what_would_decide() -> None:
    judged = conclude(claim("speedup", 2.0, "2.0x", note="batch 8"), GROUND,
                      unit(found("speedup", 2.1, 1.8, 2.4, n=15, batch_size=8))).judgement  # fmt: skip
    assert (judged.verdict, judged.decisive_n) == ("inconclusive", 60)  # (.3 / .15)² times as many
    assert judged.detectable is not None


# Which measurement --------------------------------------------------------------------------------------
SPEEDUPS = unit(
    found("speedup", 0.5, 0.4, 0.6, batch_size=8), found("speedup", 3.0, 2.9, 3.1, batch_size=1, precision="int8"),
    found("speedup", 0.9, 0.8, 1.0, batch_size=8, runtime="onnx runtime"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"note": "batch 8"}, ("refuted", None)),
        ({"note": "INT8"}, ("verified", None)),
        ({"precision": "int8", "device": "cpu"}, ("verified", None)),
        ({"precision": "int8", "device": "Xeon"}, ("verified", None)),
        ({"note": "batch 8, ONNX"}, ("refuted", None)),
        ({"note": "batch 16"}, ("unverifiable", "not_runnable")),
        ({"note": "INT8, Core ML"}, ("unverifiable", "missing_dependency")),
        ({"note": "INT8 on a GPU"}, ("unverifiable", "no_hardware")),
        ({"note": "INT8", "threads": 4}, ("unverifiable", "not_runnable")),
    ],
)
def test_every_field_that_a_claim_names_must_be_that_of_the_measurement(
    scope: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    assert verdict(claim("speedup", 3.0, "3x", **scope), SPEEDUPS) == expected


def test_what_was_measured_instead_is_said() -> None:
    finding = conclude(claim("speedup", 3.0, note="batch 16"), GROUND, SPEEDUPS)
    assert finding.judgement.reason == "it is about batch size 16; measured was 1, 8"
    assert (finding.tier, finding.measured) == (None, None)
    assert "shows no perplexity" in conclude(claim("perplexity", 3.0, dataset="x"), GROUND, SPEEDUPS).judgement.reason


def test_up_to_is_verified_by_any_scope_that_reaches_it() -> None:
    reached = claim("speedup", 3.0, "up to 3.0x", comparator="up_to")
    assert verdict(reached, SPEEDUPS)[0] == "inconclusive"  # 2.9 is not 2.95
    assert verdict(reached.model_copy(update={"value": 2.5, "text": "2.5x"}), SPEEDUPS)[0] == "verified"
    only = reached.model_copy(update={"value": 2.5, "text": "2.5x", "conditions": Scope(note="batch 8")})
    assert verdict(only, SPEEDUPS)[0] == "inconclusive"


def test_a_claim_without_a_number_format_is_about_the_files_own() -> None:
    half_as_long = unit(found("latency_s", 0.1, 0.09, 0.11, precision="int8"))
    assert verdict(claim("latency_s", 0.2, "0.2 s", device="xeon"), half_as_long)[0] == "unverifiable"
    assert verdict(claim("latency_s", 0.2, "0.2 s", device="xeon", precision="int8"), half_as_long)[0] == "verified"
    own = unit(found("latency_s", 0.1, 0.09, 0.11, precision="fp32"))
    assert verdict(claim("latency_s", 0.2, "0.2 s", device="xeon"), own)[0] == "verified"


def test_the_own_loader_counts_where_a_claim_names_none() -> None:
    tokens = unit(
        found("max_tokens", 256.0, loader="sentence-transformers"), found("max_tokens", 512.0, loader="transformers")
    )
    assert verdict(claim("max_tokens", 512.0), tokens)[0] == "verified"  # the files are made for transformers
    assert verdict(claim("max_tokens", 256.0, note="sentence-transformers"), tokens)[0] == "verified"
    assert verdict(claim("max_tokens", 256.0, loader="transformers"), tokens)[0] == "refuted"
    assert verdict(claim("max_tokens", 256.0, loader="diffusers"), tokens) == ("unverifiable", "not_runnable")


def test_a_claim_that_leaves_open_what_was_measured_is_underspecified() -> None:
    losses = unit(found("loss_points", 1.0, 0.8, 1.2, precision="int8"), data=DATA)
    finding = conclude(claim("loss_points", 5.0, dataset="digits"), GROUND, losses)
    assert (finding.judgement.reason_code, finding.judgement.reason) == (
        "underspecified", "it names no precision; measured was int8",
    )  # fmt: skip


def test_steps_and_size_of_a_drawing_are_part_of_its_scope() -> None:
    drawn = unit(found("adherence", 87.5, successes=105, n=120, steps=4, size="32x32"), data=DATA)
    assert verdict(claim("adherence", 75.0, note="at 4 steps", comparator=">="), drawn)[0] == "verified"
    assert verdict(claim("adherence", 99.0, note="at 4 steps", comparator=">="), drawn)[0] == "refuted"
    assert verdict(claim("adherence", 75.0, note="at 1 step", comparator=">="), drawn)[0] == "unverifiable"
    assert verdict(claim("adherence", 75.0, note="64x64", comparator=">="), drawn)[0] == "unverifiable"


def test_a_share_at_a_picture_size_is_that_of_the_models_own_processor(tmp_path: Path) -> None:
    share = unit(found("accuracy", 97.4, successes=526, n=540), data=DATA)
    at_256, at_384 = (claim("accuracy", 90.0, dataset="digits", note=f"top-1, {size}", comparator=">=")
                      for size in ("256x256", "384x384"))  # fmt: skip
    assert verdict(at_256, share) == ("unverifiable", "not_runnable")  # its files do not say
    for settings, own in [
        ({"size": {"height": 256, "width": 256}}, True), ({"size": {"shortest_edge": 256}}, False),
        ({"size": {"shortest_edge": 288}, "do_center_crop": True, "crop_size": {"height": 256, "width": 256}}, True),
        ({"size": {"shortest_edge": 288}, "do_center_crop": True, "crop_size": {"shortest_edge": 256}}, True),
        ({"size": 256}, True), ({"size": "256"}, False),
    ]:  # fmt: skip
        file = tmp_path / "preprocessor_config.json"
        file.write_text(json.dumps(settings))
        assert GROUND.facts is not None
        listed = (ModelFile(file.name, file.stat().st_size, file),)
        shown = replace(GROUND, facts=replace(GROUND.facts, files=listed))
        assert (verdict(at_256, share, shown)[0] == "verified") is own
        assert verdict(at_384, share, shown) == ("unverifiable", "not_runnable")


def test_of_two_ways_to_eight_bits_a_counted_one_is_enough_and_a_lucky_one_is_not() -> None:
    dynamic, static = (
        {"precision": "int8", "note": f"{way} quantization", "runtime": "onnxruntime"} for way in ("dynamic", "static")
    )
    sizes = unit(found("size_ratio", 1.5, **dynamic), found("size_ratio", 3.5, **static))

    def smaller(value: float, note: str = "INT8") -> Claim:
        return claim("size_ratio", value, f"{value}x", note=note, comparator=">=")

    one = conclude(smaller(2.5), GROUND, sizes)
    assert (one.judgement.verdict, one.measured, one.judgement.flags) == ("verified", 3.5, ("depends_on_the_way",))
    assert [verdict(smaller(value), sizes)[0] for value in (1.5, 3.9)] == ["verified", "refuted"]
    assert verdict(smaller(2.5, "INT8, dynamic"), sizes)[0] == "refuted"
    speeds = unit(found("speedup", 0.9, 0.8, 1.0, **dynamic), found("speedup", 2.0, 1.9, 2.1, **static))
    stated = claim("speedup", 1.5, "1.5x", note="INT8", device="cpu", comparator=">=")
    assert verdict(stated, speeds)[0] == "inconclusive"


# Losses -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("value", "expected"), [(1.0, "inconclusive"), (0.2, "refuted"), (3.0, "verified")])
def test_a_percent_loss_is_refuted_only_if_false_in_points_and_relative(value: float, expected: str) -> None:
    losses = unit(
        found("loss_points", 1.0, 0.8, 1.2, precision="int8"), found("loss_relative", 2.0, 1.6, 2.4, precision="int8"),
        data=DATA,
    )  # fmt: skip
    stated = claim("loss_relative", value, f"{value:.1f} %", unit="percent", dataset="digits", precision="int8",
                   comparator="<=")  # fmt: skip
    assert verdict(stated, losses)[0] == expected
    points = stated.model_copy(update={"metric": "loss_points", "unit": "points", "value": 0.5, "text": "0.5"})
    assert verdict(points, losses)[0] == "refuted"  # points say what they mean


# What went wrong ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "loads", "accuracy"),
    [
        ("load_failed", "refuted", "error"),
        ("crashed", "refuted", "error"),
        ("non_finite", "refuted", "error"),
        ("timeout", "error", "error"),
        ("oom", "error", "error"),
        ("unsafe_refused", "error", "error"),
        ("missing_dependency", "unverifiable", "unverifiable"),
        ("no_data", "unverifiable", "unverifiable"),
    ],
)
def test_what_ends_badly_refutes_loads_and_runs_at_most(code: Any, loads: str, accuracy: str) -> None:
    result = UnitResult(unit="un_1", probe="p", version="1", failure=code, what="so it ended")
    for metric, expected in [("loads", loads), ("runs", loads), ("accuracy", accuracy), ("exports", accuracy)]:
        assert verdict(claim(metric, 1.0), result) == (expected, code)


def test_a_model_that_does_not_come_out_whole() -> None:
    missing = unit(found("loads", "transformers", holds=False), found("parameters", 500.0), loads=False, detail="gone")
    assert verdict(claim("loads"), missing) == verdict(claim("runs"), missing) == ("refuted", "load_failed")
    assert verdict(claim("labels", 10.0), missing) == ("error", "load_failed")
    assert verdict(claim("parameters", 500.0), missing) == ("verified", None)
    wild = unit(found("loads", "transformers", holds=True), found("parameters", 500.0), finite=False)
    assert verdict(claim("runs"), wild) == ("refuted", "non_finite")
    assert [verdict(claim(metric, 1.0), wild)[1] for metric in ("accuracy", "exports")] == ["non_finite"] * 2
    assert verdict(claim("loads"), wild) == verdict(claim("parameters", 500.0), wild) == ("verified", None)


@pytest.mark.parametrize("successes", [538, 30])
def test_a_failed_control_leaves_nothing_decided(successes: int) -> None:
    stated = claim("accuracy", 90.0, dataset="digits", comparator=">=")
    for control, undecided in [(PASSED, False), (FAILED, True), (None, False)]:
        share = found("accuracy", successes / 5.4, successes=successes, n=540, control=control)
        finding = conclude(stated, GROUND, unit(share, data=DATA))
        assert (finding.judgement.verdict == "inconclusive") is undecided
        assert ("control_failed" in finding.judgement.flags) is undecided


# Tiers --------------------------------------------------------------------------------------------------
def test_an_architecture_never_verifies_what_weights_do() -> None:
    shares = [found(name, 99.0, successes=99, n=99, chance=0.1) for name in ("runs", "accuracy")]
    bare = unit(*shares, found("loads", "x", holds=True), found("parameters", 5_578_632.0), data=DATA)
    for metric in ("runs", "accuracy", "loads", "f1", "fine_tunes"):
        assert verdict(claim(metric, 50.0, dataset="digits"), bare, BARE) == ("unverifiable", "no_weights")
    finding = conclude(claim("parameters", 5.6e6, "5.6M"), BARE, bare)
    assert (finding.judgement.verdict, finding.tier) == ("verified", "architecture")
    assert {record.tier for record in observations_of_unit(BARE, bare, 1)} == {"architecture"}


# Records ------------------------------------------------------------------------------------------------
def test_observations_carry_all_that_was_measured() -> None:
    result = unit(
        found("loads", "transformers", holds=True), found("parameters", 500.0), found("runs", 0.9, successes=9, n=10,
              chance=0.1), found("accuracy", 90.0, successes=9, n=10, control=PASSED, flags=("odd",)),
        found("speedup", 0.5, 0.4, 0.6, batch_size=8, n=15), found("exports", "onnx", holds=False, detail="differs"),
        found("corner_distance", 3.0, unit="pixels"), data=DATA,
    )  # fmt: skip
    records = {record.metric: record for record in observations_of_unit(GROUND, result, 1)}
    assert set(records) == {"accuracy", "speedup", "exports", "corner_distance"}  # files say the parameters already
    accuracy, speedup = records["accuracy"], records["speedup"]
    assert accuracy.interval is not None
    assert (accuracy.unit, accuracy.n, accuracy.flags, accuracy.control) == ("percent", 10, ("odd",), PASSED)
    assert 50 < accuracy.interval.low < 90 < accuracy.interval.high <= 100
    assert speedup.scope == Scope(dataset="digits", device="cpu", runtime="torch", threads=1, batch_size=8)
    assert (speedup.interval, speedup.n) == (Interval(low=0.4, high=0.6, level=0.95, method="order-statistic"), 15)
    assert (records["exports"].measured, records["exports"].reason) == ("not onnx", "differs")
    assert records["corner_distance"].unit == "pixels"


def test_a_finding_is_recorded_with_the_scope_of_what_was_measured() -> None:
    stated = claim("speedup", 3.0, "3x", precision="int8")
    record: Evidence = evidence_of(stated, conclude(stated, GROUND, SPEEDUPS), GROUND, SPEEDUPS, 1)
    assert (record.verdict, record.tier, record.scope.precision, record.scope.batch_size) == (
        "verified", "artifact", "int8", 1,
    )  # fmt: skip
    other = claim("speedup", 3.0, "3x", note="batch 16")
    assert evidence_of(other, conclude(other, GROUND, SPEEDUPS), GROUND, SPEEDUPS, 1).scope == other.conditions


@pytest.mark.parametrize(
    "fields",
    [
        {"metric": "made_up_seconds", "value": 1.0}, {"metric": "accuracy", "value": 1.0, "successes": 3},
        {"metric": "accuracy", "value": 1.0, "successes": 3, "n": 2}, {"metric": "exports", "value": "onnx"},
        {"metric": "latency_s", "value": float("nan")}, {"metric": "runs", "value": 0.9, "successes": 9, "n": 10},
    ],
)  # fmt: skip
def test_a_measurement_that_cannot_be_judged_is_an_error_at_once(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Measurement(**fields)


# Labels -------------------------------------------------------------------------------------------------
def test_answers_are_scored_in_all_their_measurements() -> None:
    raw = RawAnswers(answers=["a"] * 30 + ["b"] * 10, load_s=1.0, run_s=4.0)
    measured = score_answers(raw, ["A "] * 20 + ["b"] * 20, 0.5, 2)
    by_metric = {each.metric: each for each in measured.measurements}
    assert (by_metric["runs"].successes, by_metric["runs"].n, by_metric["runs"].chance) == (30, 40, 0.5)
    assert (by_metric["accuracy"].value, by_metric["balanced_accuracy"].value) == (75.0, 75.0)
    assert by_metric["f1"].value == pytest.approx(100 * (40 / 50 + 20 / 30) / 2)  # 2tp / (2tp + fp + fn), by hand
    assert by_metric["seconds_per_item"].value == 0.1
    few = score_answers(RawAnswers(answers=["a", "b"], load_s=1, run_s=1), ["a", "b"], 0.5, 2)
    assert not few.all_of("f1")  # too few items of each label for an interval
    drawn = score_answers(raw, ["a"] * 20 + ["b"] * 20, 0.5, 2, by_label=False)
    assert {each.metric for each in drawn.measurements} == {"runs", "accuracy", "load_s", "seconds_per_item"}
