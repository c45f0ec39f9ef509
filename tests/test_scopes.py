"""What the words of a claim's conditions name: device, runtime, number format, loader, batch, steps, size."""

from __future__ import annotations

from typing import Any

import pytest

from graph.claims import Claim, Scope
from inference.judging.scopes import (
    foreign_runtime,
    is_top_1,
    named_device,
    named_loader,
    named_precision,
    named_reference,
    stated_scope,
)


@pytest.mark.parametrize(
    ("note", "device", "precision", "loader"),
    [
        ("INT8, phone", "phone", "int8", None),
        ("iPhone 14 Pro (A16), Core ML, batch 1", "iphone", None, None),
        ("NVIDIA V100, network only", "nvidia", None, None),
        ("batch 8 against 8 single images", None, None, None),
        ("top-1, 256x256", None, None, None),
        ("sentence-transformers", None, None, "sentence-transformers"),
        ("one CPU core, fp16", "cpu", "float16", None),
        ("summary of army reports", None, None, None),
    ],
)
def test_conditions_are_read_word_by_word(
    note: str, device: str | None, precision: str | None, loader: str | None
) -> None:
    scope = Scope(note=note)
    assert (named_device(scope), named_precision(scope), named_loader(scope)) == (device, precision, loader)


@pytest.mark.parametrize(
    ("note", "stated"),
    [
        ("batch 8 against 8 single images", {"batch_size": 8}),
        ("batch_size=16", {"batch_size": 16}),
        ("a batch of 4", {"batch_size": 4}),
        ("at 4 steps", {"steps": 4}),
        ("1-step drawing", {"steps": 1}),
        ("1-4 steps", {}),  # a range names no one number
        ("1–4 steps", {}),
        ("2 to 4 steps", {}),
        ("top-1, 256x256", {"size": "256x256"}),
        ("512 × 768 pixels", {"size": "512x768"}),
        ("ONNX Runtime, INT8 from FP32", {"runtime": "onnxruntime", "precision": "int8", "reference": "float32"}),
        ("Core ML", {"runtime": "coreml"}),
        ("TF-Lite or so", {"runtime": "tflite"}),
        ("a sort of batch", {}),
        ("8-bit", {"precision": "int8"}),
    ],
)
def test_a_note_states_fields_of_a_scope(note: str, stated: dict[str, Any]) -> None:
    claim = Claim(id="c", artifact="a", metric="speedup", conditions=Scope(note=note))
    assert stated_scope(claim).model_dump(exclude_none=True) == stated


def test_fields_that_are_given_come_before_the_words_of_the_note() -> None:
    given = Scope(dataset="d", device="CPU", runtime="PyTorch", precision="fp16", batch_size=2, steps=9, size="64 x 64",
                  reference="FP32", note="batch 8, INT8, 4 steps, 32x32, phone")  # fmt: skip
    claim = Claim(id="c", artifact="a", metric="latency_s", conditions=given)
    assert stated_scope(claim) == Scope(
        dataset="d", device="cpu", runtime="torch", precision="float16", batch_size=2, steps=9, size="64x64",
        reference="float32",
    )  # fmt: skip
    of_steps = Claim(id="c", artifact="a", metric="steps", value=4, conditions=Scope(note="4 steps"))
    assert stated_scope(of_steps) == Scope(steps=4)
    for value, comparator in [(3.5, "="), (4, "<"), (4, ">"), (0, "="), (1e9, "=")]:  # no number of steps to ask for
        odd = Claim(id="c", artifact="a", metric="steps", value=value, comparator=comparator)  # type: ignore[arg-type]
        assert stated_scope(odd) == Scope()


def test_runtimes_at_hand_are_not_foreign() -> None:
    assert [foreign_runtime(Scope(runtime=name)) for name in ("torch", "PyTorch", "transformers", "onnx")] == [None] * 4
    assert foreign_runtime(Scope(runtime="TensorRT")) == "tensorrt"
    assert foreign_runtime(Scope(runtime="my own engine")) == "my own engine"
    assert foreign_runtime(Scope(note="nothing said")) is None


def test_what_a_ratio_is_taken_against_may_stand_in_the_claims_words() -> None:
    assert named_reference(Scope(note="INT8"), "4x smaller than the FP16 one") == "float16"
    assert named_reference(Scope(note="INT8"), "4x smaller") is None
    assert named_reference(Scope(reference="batch 1")) == "batch 1"


def test_top_5_is_not_top_1() -> None:
    claim = Claim(id="c", artifact="a", metric="accuracy", text="94 % top-5")
    assert not is_top_1(claim)
    assert is_top_1(claim.model_copy(update={"text": "94 % top-1"}))
