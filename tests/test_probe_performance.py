"""Timing by turns, bytes by counting, eight bits and sixteen: real small models, made so that the answer is known."""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from graph.claims import Scope
from inference.data.sets import built_in, open_data
from inference.probes.base import Measured, Measurement, ProbeFailure, RunTask, Subject
from inference.probes.performance import BATCH_SIZE, PerformanceProbe
from inference.probes.quantization import QuantizationProbe
from inference.probes.quantization_loss import QuantizationLossProbe, paired_table
from inference.probes.smaller_forms import wanted_forms
from inference.probes.timing import PAIRS, alternate, rounds_within, same_against_same, speedup_of
from inference.stage import stage_items

DIGITS = "digits-mobilevit"
CODE = "code-or-prose"
LOSS = QuantizationLossProbe("image", "vision.image-classification")


def folder_of(repository: Path, name: str) -> Path:
    return repository / "examples" / "models" / name


def measure(probe: Any, task: RunTask, data: Any = None) -> Measured:
    return probe.score(json.dumps(probe.run(task)).encode(), data)  # type: ignore[no-any-return]


def one(measured: Measured, metric: str, **scope: Any) -> Measurement:
    """The only measurement of a metric with this scope."""
    fits = [
        found
        for found in measured.all_of(metric)
        if all(getattr(found.scope, name) == value for name, value in scope.items())
    ]
    assert len(fits) == 1, fits
    return fits[0]


# Timing -------------------------------------------------------------------------------------------------
@pytest.fixture
def spending(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Callable[[], None]]:
    """Makes work that takes so many seconds of a clock that only work moves; its noise is drawn."""
    now, draw = [0.0], random.Random(0)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def work(seconds: float) -> Callable[[], None]:
        def call() -> None:
            now[0] += seconds * draw.lognormvariate(0, 0.05)

        return call

    return work


def test_alternating_finds_a_way_that_takes_three_times_as_long(spending: Any) -> None:
    slow, again, fast = alternate(spending(0.006), spending(0.006), spending(0.002), rounds=PAIRS, repeats=2)
    found = speedup_of(slow, fast, Scope())
    assert found.interval is not None
    assert 2.8 < found.interval.low < float(found.value) < found.interval.high < 3.3
    assert same_against_same(slow, again)["passed"]


def test_the_control_notices_two_ways_that_differ(spending: Any) -> None:
    slow, fast = alternate(spending(0.0012), spending(0.001), rounds=PAIRS)
    control = same_against_same(slow, fast)
    assert not control["passed"]
    assert control["low"] > 1


def test_the_first_two_change_places() -> None:
    order: list[str] = []
    alternate(lambda: order.append("a"), lambda: order.append("b"), lambda: order.append("c"), rounds=4)
    assert "".join(order) == "abcbacabcbac"


def test_rounds_are_even_and_bounded() -> None:
    assert [rounds_within(1.0, once_s) for once_s in (1.0, 0.0476, 0.05, 1e-9)] == [PAIRS, 20, 20, 50]
    assert PAIRS % 2 == 0
    assert PAIRS >= 15


def timed_raw(**changes: Any) -> bytes:
    answer = {
        "batch_size": 8, "singles": 2, "single_s": [0.2] * PAIRS, "again_s": [0.2] * PAIRS, "batch_s": [0.4] * PAIRS,
        "runtime": "torch", "inputs": {"size": "32x32"}, "weights_bytes": 100, "peak_bytes": {"1": 10, "8": 80},
    }  # fmt: skip
    return json.dumps(answer | changes).encode()


def test_the_numbers_follow_from_the_seconds() -> None:
    measured = PerformanceProbe().score(timed_raw(), None)
    assert one(measured, "latency_s", batch_size=1).value == pytest.approx(0.1)
    assert one(measured, "throughput", batch_size=1).value == pytest.approx(10)
    assert one(measured, "throughput", batch_size=8).value == pytest.approx(20)
    speedup = one(measured, "speedup", batch_size=8, reference="batch 1", device="cpu", runtime="torch", threads=1)
    assert speedup.value == pytest.approx(2)
    assert "4 timed" in speedup.detail
    assert [found.value for found in measured.all_of("memory_bytes")] == [110, 180]


@pytest.mark.parametrize(
    "changes",
    [
        {"single_s": [0.2] * (PAIRS - 1)},
        {"batch_s": [0.4] * (PAIRS + 1)},  # they no longer pair up
        {"batch_s": [-1.0] * PAIRS},
        {"runtime": "tensorrt"},
        {"speedup": 99},
        {"single_s": [0.0] * PAIRS, "again_s": [0.0] * PAIRS},
    ],
)
def test_seconds_of_the_wrong_shape_are_not_scored(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"validation error|shorter|longer|positive"):
        PerformanceProbe().score(timed_raw(**changes), None)


# Speed and memory of real models ------------------------------------------------------------------------
@pytest.mark.slow
def test_the_digits_model_is_timed_and_its_bytes_are_counted(repository: Path) -> None:
    folder = folder_of(repository, DIGITS)
    measured = measure(PerformanceProbe(), RunTask(folder, None))
    speedup = one(measured, "speedup", batch_size=BATCH_SIZE, size="32x32")
    assert speedup.interval is not None
    assert speedup.n is not None
    assert speedup.n >= 15
    assert speedup.interval.low > 1  # a model of 3 ms: the fixed cost of a call is most of it
    assert speedup.control is not None
    assert speedup.control["kind"] == "same_against_same"
    single, many = (one(measured, "memory_bytes", batch_size=n) for n in (1, BATCH_SIZE))
    held = sum(value.nbytes for value in load_file(folder / "model.safetensors").values())
    assert held < float(single.value) < float(many.value) < held + 8 * (float(single.value) - held) * 1.01
    assert "live tensors" in single.detail


@pytest.mark.slow
def test_a_claims_settings_are_taken_over(repository: Path) -> None:
    settings = {"batch_size": 3, "size": "64x48", "runtime": "ONNX Runtime"}
    measured = measure(PerformanceProbe(), RunTask(folder_of(repository, DIGITS), None, 0, settings))
    assert one(measured, "speedup").scope.model_dump(exclude_none=True) == {
        "device": "cpu", "runtime": "onnxruntime", "threads": 1, "batch_size": 3, "size": "64x48",
        "reference": "batch 1",
    }  # fmt: skip
    with pytest.raises(ProbeFailure, match="no WIDTHxHEIGHT"):
        PerformanceProbe().run(RunTask(folder_of(repository, DIGITS), None, 0, {"size": "large"}))


@pytest.mark.slow
def test_peak_bytes_of_a_network_that_can_be_counted_by_hand(tmp_path: Path) -> None:
    import torch

    from inference.probes.performance import _peak_bytes

    class Adds(torch.nn.Module):
        main_input_name = "pixel_values"
        config = type("Config", (), {"image_size": 4, "num_channels": 3})()

        def forward(self, pixel_values: Any) -> Any:
            doubled = pixel_values * 2
            more = doubled + 1
            del doubled
            return {"logits": more * 3}

    one_tensor = 2 * 3 * 4 * 4 * 4  # batch, channels, sides, bytes of float32
    assert _peak_bytes(Adds().eval(), RunTask(tmp_path, None), 2, None) == 3 * one_tensor


# Quantisation -------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_smaller_forms_are_measured_on_the_same_kind_of_file(repository: Path) -> None:
    measured = measure(QuantizationProbe(), RunTask(folder_of(repository, DIGITS), None))
    ratios = {(found.scope.precision, found.scope.note): float(found.value) for found in measured.all_of("size_ratio")}
    assert set(ratios) == {("int8", "dynamic quantization"), ("int8", "static quantization"), ("bfloat16", None),
                           ("float16", None)}  # fmt: skip
    assert all(1 < ratio <= 4 for ratio in ratios.values())  # 8 bits of 32
    assert 1.8 < ratios["bfloat16", None] <= 2
    dynamic = next(found for found in measured.all_of("speedup"))
    assert (dynamic.scope.precision, dynamic.scope.runtime) == ("int8", "onnxruntime")
    assert dynamic.scope.reference == "float32"
    assert dynamic.interval is not None
    assert {found.scope.precision for found in measured.all_of("speedup")} == {"int8", "bfloat16"}


@pytest.mark.slow
def test_a_text_model_gets_only_the_forms_made_for_it(repository: Path) -> None:
    measured = measure(QuantizationProbe(), RunTask(folder_of(repository, CODE), None, 0, {"precision": "int8"}))
    assert [found.scope.note for found in measured.all_of("size_ratio")] == ["dynamic quantization"]
    with pytest.raises(ProbeFailure, match="int4") as caught:
        QuantizationProbe().run(RunTask(folder_of(repository, CODE), None, 0, {"precision": "int4"}))
    assert caught.value.code == "missing_dependency"


def test_forms_that_were_not_asked_for_are_not_scored() -> None:
    answer = {"sizes": {"int2": {"before": 8, "after": 1}}, "seconds": {}, "inputs": {}}
    with pytest.raises(ValueError, match="not asked for"):
        QuantizationProbe().score(json.dumps(answer).encode(), None)
    pictures = type("Model", (), {"main_input_name": "pixel_values"})
    assert wanted_forms("INT8", pictures) == ("dynamic", "static")
    assert wanted_forms("bfloat16", pictures) == ("bfloat16",)


# What they cost -----------------------------------------------------------------------------------------
@pytest.mark.slow
def test_eight_bits_cost_the_digits_model_little_and_shuffled_answers_much(repository: Path, tmp_path: Path) -> None:
    whole = built_in("sklearn-digits")
    data = dataclasses.replace(whole, items=list(whole.items)[:210], labels=whole.labels[:210])
    stage_items(data, tmp_path / "items")
    task = RunTask(folder_of(repository, DIGITS), tmp_path / "items", 0, {"precision": "int8"})
    measured = measure(LOSS, task, data)
    dynamic = next(iter(measured.all_of("loss_points")))
    assert dynamic.interval is not None
    assert dynamic.interval.low < 1
    assert dynamic.interval.high < 6
    assert (dynamic.n, dynamic.scope.dataset, dynamic.scope.reference) == (188, "sklearn-digits", "float32")
    assert dynamic.control is not None
    assert dynamic.control["passed"]
    assert dynamic.control["low"] > 50


@pytest.mark.slow
def test_a_text_model_is_asked_the_same_texts_in_both_forms(repository: Path, tmp_path: Path) -> None:
    data = open_data(CODE, repository / "examples" / "data" / "code-or-prose.csv")
    stage_items(data, tmp_path / "items")
    task = RunTask(folder_of(repository, CODE), tmp_path / "items", 0, {"precision": "int8"})
    loss = measure(QuantizationLossProbe("text", "text.text-classification"), task, data)
    points = one(loss, "loss_points", precision="int8")
    assert abs(float(points.value)) < 2
    assert points.n == 568


def loss_of(after: list[str], **changes: Any) -> Measured:
    """The losses of a dynamic form that answers this, where float32 has all right."""
    data = built_in("sklearn-digits")
    answers = {"float32": list(data.labels[32:]), "dynamic": after, **changes}
    return LOSS.score(json.dumps({"calibrated": 32, "answers": answers}).encode(), data)


def test_a_planted_loss_is_found_in_points_and_relative() -> None:
    right = list(built_in("sklearn-digits").labels[32:])
    wrong = ["0" if label != "0" else "1" for label in right[:100]] + right[100:]
    measured = loss_of(wrong)
    points, relative = one(measured, "loss_points"), one(measured, "loss_relative")
    assert points.value == pytest.approx(100 * 100 / 508)
    assert relative.value == pytest.approx(100 * 100 / 508)  # float32 has all right
    assert points.interval is not None
    assert points.interval.low > 15
    assert one(loss_of(right), "loss_points").value == 0
    assert paired_table(right, wrong, right) == (408, 100, 0, 0)


def test_answers_that_do_not_pair_up_are_not_scored() -> None:
    right = list(built_in("sklearn-digits").labels[32:])
    for bad, more in (([*right, "0"], {}), (right[:-1], {}), (right, {"int2": right})):
        with pytest.raises(ValueError, match=r"not one answer|not the forms"):
            loss_of(bad, **more)


def test_probes_say_what_they_fit() -> None:
    digits = Subject(1 << 20, 250_000, "vision.image-classification", tuple("0123456789"))
    data = built_in("sklearn-digits")
    assert LOSS.cost_s(digits, data) is not None
    assert LOSS.cost_s(Subject(1 << 20, 250_000, digits.task, ("cat", "dog")), data) is None
    assert LOSS.cost_s(digits, None) is None
    for probe in (PerformanceProbe(), QuantizationProbe()):
        assert probe.info.alone
        assert probe.info.architecture
        assert probe.cost_s(digits, None) is not None
        assert probe.cost_s(Subject(1, 1, "text.translation"), None) is None
