"""Export to ONNX: equal answers on real models, and what is broken does not pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference.probes.base import Measurement, ProbeFailure, RunTask, Subject
from inference.probes.export import BATCHES, LARGEST_ERROR, TASKS, ExportProbe, answering, export_onnx, open_session

PROBE = ExportProbe()
WHOLE = {"batch_size": 2, "relative_error": 1e-6, "same_top_1": True}
BROKEN = {"batch_size": 2, "relative_error": 0.3, "same_top_1": False}


def raw(**changes: Any) -> bytes:
    parity = [WHOLE | {"batch_size": size} for size in BATCHES]
    return json.dumps({"parity": parity, "perturbed": BROKEN, "size_bytes": 10, "export_s": 1.0} | changes).encode()


def exports(raw_answer: bytes) -> Measurement:
    return PROBE.score(raw_answer, None).all_of("exports")[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-mobilevit", "code-or-prose"])
def test_a_real_model_exports_with_equal_answers(name: str, repository: Path) -> None:
    found = exports(json.dumps(PROBE.run(RunTask(repository / "examples/models" / name, None))).encode())
    assert (found.value, found.holds) == ("onnx", True)
    assert found.control is not None
    assert found.control["passed"]
    assert found.control["relative_error"] > LARGEST_ERROR


@pytest.mark.slow
def test_the_wrapper_leaves_the_model_in_evaluation_mode(repository: Path) -> None:
    from inference.probes.models import made_up, open_model

    folder = repository / "examples/models/digits-mobilevit"
    model = open_model(RunTask(folder, None))
    assert not answering(model).training
    export_onnx(model, made_up(model, 2, folder))
    assert not any(module.training for module in model.modules())


@pytest.mark.slow
def test_what_the_exporter_cannot_write_shows_nothing_about_the_model(repository: Path) -> None:
    from inference.probes.models import made_up, open_model

    folder = repository / "examples/models/digits-mobilevit"
    model = open_model(RunTask(folder, None))
    inputs = made_up(model, 2, folder)
    model.mobilevit.forward = None
    with pytest.raises(ProbeFailure, match="did not write it") as caught:
        export_onnx(model, inputs)
    assert caught.value.code == "missing_dependency"
    with pytest.raises(ProbeFailure, match="does not open it"):
        open_session(b"no onnx at all")


@pytest.mark.parametrize(
    ("parity", "holds"),
    [
        ([WHOLE | {"batch_size": size} for size in (1, 2, 7)], True),
        ([WHOLE | {"batch_size": 1}, WHOLE, WHOLE | {"batch_size": 7, "relative_error": 2e-3}], False),
        ([WHOLE | {"batch_size": 1}, WHOLE, WHOLE | {"batch_size": 7, "same_top_1": False}], False),
    ],
)
def test_one_batch_that_differs_is_enough(parity: list[dict[str, Any]], holds: bool) -> None:
    assert exports(raw(parity=parity)).holds is holds


def test_a_control_that_does_not_fail_is_recorded_as_not_passed() -> None:
    control = exports(raw(perturbed=WHOLE)).control
    assert control is not None
    assert not control["passed"]


@pytest.mark.parametrize(
    "changes",
    [
        {"parity": [WHOLE | {"batch_size": 1}]},  # fewer batches than were asked for
        {"parity": []},
        {"parity": [WHOLE | {"relative_error": float("nan"), "batch_size": size} for size in (1, 2, 7)]},
        {"holds": True},
        {"size_bytes": -1},
    ],
)
def test_answers_of_the_wrong_shape_are_not_scored(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"validation error|batch sizes"):
        PROBE.score(raw(**changes), None)


def test_the_probe_fits_models_that_take_one_picture_or_text() -> None:
    for task in TASKS:
        assert PROBE.cost_s(Subject(1 << 20, 250_000, task), None) is not None
    assert PROBE.cost_s(Subject(1 << 20, 250_000, "text.translation"), None) is None
    assert PROBE.cost_s(Subject(1 << 20, 250_000, "vision.image-classification", library="diffusers"), None) is None
    assert PROBE.cost_s(Subject(1 << 30, 300_000_000, "vision.image-classification"), None) is None
