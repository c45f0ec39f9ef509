"""Routing: what is settled without a run, which probe a claim waits for, and what is observed without a claim."""

from __future__ import annotations

from typing import Any

import pytest
from factories import make_artifact

from graph.artifacts import Capability
from graph.claims import Claim, Scope
from inference.data.labelled import LabelledSet
from inference.ground import Ground, Shelf
from inference.judging import routing
from inference.judging.routing import Finding, Need, observation_needs, route
from inference.models.architecture import Architecture
from inference.models.facts import ModelFacts
from inference.probes import LOADING, PROBES
from inference.probes.base import Measured, Probe, ProbeInfo, RunTask, Subject

IMAGE, SIMILAR = "vision.image-classification", "text.sentence-similarity"
DIGITS = tuple("0123456789")


class Made:
    """A probe that fits what it declares, and is never run."""

    def __init__(self, name: str, *metrics: str, **fields: Any) -> None:
        self.info = ProbeInfo(name=name, version="1", metrics=metrics, **fields)

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        fits = not self.info.tasks or subject.task in self.info.tasks
        return 1.0 if fits and (data is None or data.kind == self.info.needs) else None

    def run(self, task: RunTask) -> dict[str, Any]:
        raise NotImplementedError

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        raise NotImplementedError


SPEED = Made("speed", "latency_s", "speedup", settings=("batch_size", "runtime"), covered=(("batch_size", 8),),
             architecture=True)  # fmt: skip
SHRINK = Made("shrink", "size_ratio", "speedup", "size_bytes", settings=("precision",), architecture=True)
LOSS = Made("loss", "loss_points", "loss_relative", needs="image", settings=("precision",), tasks=(IMAGE,))
DRAWS = Made("draws", "adherence", "runs", needs="prompt", settings=("steps",), tasks=("vision.text-to-image",))
SHAPE = Made("shape", "parameters", "labels", architecture=True)
EXPORT = Made("export", "exports", architecture=True)


@pytest.fixture(autouse=True)
def probes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Probe]:
    """The probes of this package that ask for labels, loading, and those above."""
    own = [
        probe
        for name, probe in PROBES.items()
        if name in ("loading", "embedding", "image-classification", "similarity")
    ]
    table = {probe.info.name: probe for probe in (*own, SPEED, SHRINK, LOSS, DRAWS, SHAPE, EXPORT)}
    table["shape"].cost_s = lambda subject, data: 1.0 if subject.tier == "architecture" else None  # type: ignore[method-assign]
    monkeypatch.setattr(routing, "PROBES", table)
    return table


def labelled(name: str, kind: Any = "image", labels: tuple[str, ...] = DIGITS) -> LabelledSet:
    return LabelledSet(name, kind, [f"item {label}" for label in labels], labels, f"digest of {name}", "operator")


def ground(task: str = IMAGE, library: str = "transformers", **fields: Any) -> Ground:
    labels = fields.pop("labels", DIGITS)
    facts = ModelFacts("safetensors", ("safetensors",), 1_000, dtype="float32", library=library, task=task,
                       parameters=500, loadable=True)  # fmt: skip
    capability = Capability(id="main", name="main", task=task)
    artifact = make_artifact("a", capabilities=(capability,))
    return Ground(artifact, facts, **({"trust": "name", "labels": labels} | fields))


CONFIG = {"model_type": "mobilevit", "architectures": ["MobileViTForImageClassification"]}
BARE = Ground(
    make_artifact("a"), absent="no weights here", trust="known",
    architecture=Architecture("a", "transformers", "MobileViTForImageClassification", CONFIG, "library default", 500),
)  # fmt: skip
SHELF = Shelf({"digits": labelled("digits"), "letters": labelled("letters", labels=("a", "b")),
               "shapes": labelled("shapes", "prompt", ("red square", "blue disc"))})  # fmt: skip


def claim(metric: str, value: float | str | None = 1.0, text: str = "", **fields: Any) -> Claim:
    scope = Scope(**{name: fields.pop(name) for name in list(fields) if name in Scope.model_fields})
    return Claim(id="cl_1", artifact="a", metric=metric, value=value, text=text, conditions=scope, **fields)


def settled(stated: Claim, on: Ground, device: str = "cpu") -> tuple[str, str | None]:
    routed = route(stated, on, SHELF, device)
    assert isinstance(routed, Finding), routed
    return routed.judgement.verdict, routed.judgement.reason_code


def needed(stated: Claim, on: Ground, device: str = "cpu") -> tuple[str, str | None, dict[str, Any]]:
    routed = route(stated, on, SHELF, device)
    assert isinstance(routed, Need), routed
    return routed.probe, routed.data.name if routed.data else None, dict(routed.settings)


# Which probe --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (claim("labels", 10.0), ("loading", None, {})),
        (claim("loads", None), ("loading", None, {})),
        (claim("accuracy", 97.0, dataset="Digits"), ("image-classification", "digits", {})),
        (claim("f1", 97.0, dataset="digits"), ("image-classification", "digits", {})),
        (claim("runs", None, capability="main"), ("image-classification", "sklearn-digits", {})),  # known first
        (claim("speedup", 2.0, device="cpu", note="batch 16"), ("speed", None, {"batch_size": 16})),
        (claim("speedup", 2.0, device="cpu", note="batch 8"), ("speed", None, {})),  # measured anyway
        (claim("speedup", 2.0, device="cpu", note="INT8"), ("shrink", None, {"precision": "int8"})),
        (claim("speedup", 2.0, device="cpu", note="batch 4, ONNX Runtime"),
         ("speed", None, {"batch_size": 4, "runtime": "onnxruntime"})),
        (claim("speedup", 2.0, device="cpu", note="batch 4, PyTorch"), ("speed", None, {"batch_size": 4})),
        (claim("size_ratio", 3.5, "3.5x", note="INT8"), ("shrink", None, {"precision": "int8"})),
        (claim("size_bytes", 300.0, precision="int8"), ("shrink", None, {"precision": "int8"})),
        (claim("loss_points", 1.0, dataset="digits", precision="int8"), ("loss", "digits", {"precision": "int8"})),
        (claim("exports", "ONNX"), ("export", None, {})),
    ],
)  # fmt: skip
def test_a_claim_waits_for_the_probe_of_its_metric_set_as_it_says(
    stated: Claim, expected: tuple[str, str | None, dict[str, Any]]
) -> None:
    assert needed(stated, ground()) == expected


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        (claim("accuracy", 97.0), "underspecified"),
        (claim("loss_relative", 1.0, note="INT8"), "underspecified"),
        (claim("latency_s", 0.1), "underspecified"),
        (claim("latency_s", 0.1, device="cpu"), "underspecified"),  # which one?
        (claim("speedup", 2.0, note="batch 8"), "underspecified"),  # on which device?
        (claim("speedup", 2.0, device="cpu"), "underspecified"),  # of what?
        (claim("size_ratio", 2.0), "underspecified"),
        (claim("latency_s", 0.1, note="batch 1, phone"), "no_hardware"),
        (claim("speedup", 2.0, note="batch 8 on a GPU"), "no_hardware"),
        (claim("latency_s", 0.1, device="Xeon"), "no_hardware"),
        (claim("speedup", 2.0, device="cpu", note="batch 8, Core ML"), "missing_dependency"),
        (claim("exports", "coreml"), "missing_dependency"),
        (claim("accuracy", 97.0, dataset="imagenet-1k"), "no_data"),
        (claim("accuracy", 97.0, dataset="letters"), "no_data"),  # other labels
        (claim("accuracy", 97.0, dataset="shapes"), "no_data"),  # another kind
        (claim("accuracy", 97.0, dataset="digits", note="INT8"), "no_weights"),  # nothing here quantises for accuracy
        (claim("accuracy", 99.0, dataset="digits", note="top-5"), "not_runnable"),
        (claim("perplexity", 9.0, dataset="digits"), "not_runnable"),
        (claim("max_tokens", 9.0), "not_runnable"),
        (claim("adherence", 75.0), "not_runnable"),  # no model that draws
        (claim("adherence", 75.0, note="in 1-4 steps"), "underspecified"),  # at which one?
        (claim("runs", None, capability="main", note="vision.object-detection"), "not_runnable"),  # not what it does
        (claim("price", 1.0), "not_runnable"),
        (claim("beauty", 1.0), "not_falsifiable"),
        (claim("labels", 10.0, subject="another/model"), "other_artifact"),
    ],
)
def test_what_cannot_be_judged_here_says_why(stated: Claim, code: str) -> None:
    assert settled(stated, ground()) == ("unverifiable", code)


def test_a_device_at_hand_is_told_by_its_name() -> None:
    xeon, gpu = "cpu (Intel(R) Xeon(R))", "cuda (NVIDIA H200)"
    assert needed(claim("latency_s", 0.1, device="Xeon"), ground(), xeon)[0] == "speed"
    assert needed(claim("latency_s", 0.1, device="H200"), ground(), gpu)[0] == "speed"
    assert needed(claim("speedup", 2.0, note="batch 8 on a GPU"), ground(), gpu)[0] == "speed"
    assert settled(claim("latency_s", 0.1, device="gpu"), ground(), gpu) == ("unverifiable", "underspecified")
    assert settled(claim("latency_s", 0.1, device="A100"), ground(), gpu) == ("unverifiable", "no_hardware")
    assert settled(claim("speedup", 2.0, device="cpu", note="batch 8"), ground(), gpu) == (
        "unverifiable",
        "no_hardware",
    )


def test_shapes_of_an_embedder_come_through_its_own_loader() -> None:
    plain, sentences = (ground(SIMILAR, library, labels=()) for library in ("transformers", "sentence-transformers"))
    for metric, by_plain, by_sentences in [
        ("dimensions", "loading", "embedding"), ("parameters", "loading", "embedding"),
        ("max_tokens", "embedding", "embedding"), ("context", "loading", "loading"),
    ]:  # fmt: skip
        assert needed(claim(metric, 9.0), plain)[0] == by_plain
        assert needed(claim(metric, 9.0), sentences)[0] == by_sentences


def test_a_drawing_is_judged_on_any_set_of_prompts_where_none_is_named() -> None:
    draws = ground("vision.text-to-image", "diffusers", labels=())
    assert needed(claim("adherence", 75.0, note="at 4 steps"), draws) == ("draws", "drawings", {"steps": 4})
    assert needed(claim("adherence", 75.0, dataset="Shapes"), draws) == ("draws", "shapes", {})
    assert settled(claim("adherence", 75.0, dataset="others"), draws) == ("unverifiable", "no_data")


def test_runs_without_a_set_that_fits_falls_back_to_loading() -> None:
    assert needed(claim("runs", None, capability="main"), ground(labels=("cat", "dog"))) == ("loading", None, {})
    elsewhere = claim("runs", None, note="audio.text-to-speech")
    assert settled(elsewhere, ground()) == ("unverifiable", "not_runnable")


# Arithmetic ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "text", "comparator", "note", "refuted"),
    [
        (8.0, "up to 8x", "up_to", "INT8", True),
        (6.0, "6x compression", "=", "INT8", True),
        (4.0, "at least 4x", ">=", "INT8", False),
        (4.0, "more than 4x", ">", "INT8", True),
        (4.4, "4x", "=", "INT8", True),
        (4.4, "4.4x", "up_to", "INT8 from FP32", True),
        (3.0, "3x", "=", "INT8 from FP16", True),
        (2.0, "2x", "up_to", "fp16", False),
        (3.0, "3x", "up_to", "fp16", True),
        (9.0, "less than 9x", "<", "INT8", False),
        (8.0, "8x", "up_to", "4-bit", False),
        (8.0, "8x", "up_to", "INT8, phone", True),  # wherever it runs
    ],
)
def test_a_ratio_beyond_arithmetic_is_refuted_at_tier_text(
    value: float, text: str, comparator: Any, note: str, refuted: bool
) -> None:
    for on in (ground(), BARE, Ground(make_artifact("a"), absent="no files")):
        routed = route(claim("size_ratio", value, text, comparator=comparator, note=note), on, SHELF)
        by_text = isinstance(routed, Finding) and routed.tier == "text"
        assert by_text is refuted
        if isinstance(routed, Finding) and by_text:
            assert routed.judgement.verdict == "refuted"


# Architectures ------------------------------------------------------------------------------------------
def test_a_bare_architecture_answers_for_its_shape_and_speed_and_never_for_its_weights() -> None:
    assert needed(claim("parameters", 5.6e6), BARE)[0] == "shape"
    assert needed(claim("exports", "onnx"), BARE)[0] == "export"
    assert needed(claim("size_ratio", 4.0, "4x", note="INT8"), BARE) == ("shrink", None, {"precision": "int8"})
    assert settled(claim("latency_s", 0.1, note="phone"), BARE) == ("unverifiable", "no_hardware")
    for metric in ("runs", "loads", "accuracy", "f1", "fine_tunes", "loss_points"):
        assert settled(claim(metric, 90.0, dataset="digits"), BARE) == ("unverifiable", "no_weights")
    assert settled(claim("max_tokens", 9.0), BARE) == ("unverifiable", "no_weights")
    stranger = Ground(make_artifact("a"), absent="none", architecture=BARE.architecture)  # nobody trusts it
    assert settled(claim("parameters", 5.6e6), stranger) == ("unverifiable", "no_weights")


# Observations without claims ----------------------------------------------------------------------------
def observed(on: Ground, *claims: Claim) -> list[tuple[str, str | None, dict[str, Any]]]:
    needs = observation_needs(on, claims, SHELF)
    return [(need.probe, need.data.name if need.data else None, dict(need.settings)) for need in needs]


def test_every_probe_and_set_that_fits_is_observed_and_loading_first() -> None:
    found = observed(ground())
    assert found[0] == (LOADING.info.name, None, {})
    assert sorted((probe, name or "") for probe, name, _ in found) == [
        ("export", ""), ("image-classification", "digits"), ("image-classification", "sklearn-digits"), ("loading", ""),
        ("shrink", ""), ("speed", ""),
    ]  # fmt: skip


def test_what_claims_about_other_devices_speak_of_is_observed_as_far_as_it_can_be() -> None:
    without = observed(ground())
    for stated, more in [
        (claim("speedup", 2.0, note="INT8, phone"), ("shrink", None, {"precision": "int8"})),
        (claim("latency_s", 0.1, note="batch 32, Core ML, phone"), ("speed", None, {"batch_size": 32})),
        (claim("loss_points", 1.0, note="INT8"), ("loss", "sklearn-digits", {"precision": "int8"})),
        (claim("latency_s", 0.1, note="batch 1000, phone"), None),  # more than is tried
        (claim("latency_s", 0.1, note="batch 8, phone"), None),  # observed anyway
        (claim("speedup", 2.0, device="cpu", note="batch 32"), None),  # its own run brings it
        (claim("latency_s", 0.1, note="batch 32", subject="another/model"), None),
    ]:
        found = observed(ground(), stated)
        assert [need for need in found if need not in without] == ([more] if more else []), stated


def test_nothing_is_observed_where_nothing_may_run_and_shapes_alone_on_an_architecture() -> None:
    assert observed(ground(trust=None, problem=("unsafe_refused", "not run"))) == []
    assert observed(Ground(make_artifact("a"), absent="no files")) == []
    assert {probe for probe, _, _ in observed(BARE)} == {"speed", "shrink", "shape", "export"}
