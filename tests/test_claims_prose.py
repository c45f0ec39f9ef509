"""Claims from sentences: a number is what its words say, and whose."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.claims import Claim
from indexer.claims import read_claims, with_claims
from indexer.claims.sentences import is_hedged, sentences_in
from indexer.passages import Passage
from tests.factories import make_artifact

OWN = make_artifact("acme/swiftnet-small", claims=())


def read(text: str, **fields: Any) -> list[Claim]:
    return list(read_claims(OWN, [Passage(text, "page.md", **fields)]))


def said(text: str) -> list[tuple[str, str, float | str | None]]:
    return [
        (claim.metric, claim.comparator, claim.value) for claim in read(text) if "other_artifact" not in claim.flags
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It has 5.6M parameters.", [("parameters", "=", 5.6e6)]),
        ("a 12B-parameter model", [("parameters", "=", 12e9)]),
        ("with 22,713,216 parameters", [("parameters", "=", 22_713_216.0)]),
        ("It reaches 78.3% ImageNet-1k accuracy.", [("accuracy", "=", 78.3)]),
        ("accuracy of 0.92 on the test set", [("accuracy", "=", 92.0)]),
        ("a word error rate of 3.4%", [("error_rate", "=", 3.4)]),
        ("mAP of 37.4 on COCO val2017", [("average_precision", "=", 37.4)]),
        ("93.21% F1, 87.2% EM on the dev set", [("f1", "=", 93.21), ("accuracy", "=", 87.2)]),
        ("top-1/top-5 accuracy of 76.1/92.9", [("accuracy", "=", 76.1), ("accuracy", "=", 92.9)]),
        ("a perplexity of 16.4", [("perplexity", "=", 16.4)]),
        ("28.4 BLEU", [("score", "=", 28.4)]),
        ("models are 4-8x smaller", [("size_ratio", ">=", 4.0), ("size_ratio", "up_to", 8.0)]),
        ("up to 3x faster", [("speedup", "up_to", 3.0)]),
        ("It runs 60% faster.", [("speedup", "=", 1.6)]),
        ("It has 40% fewer parameters.", [("size_ratio", "=", 1.666667)]),
        ("reducing memory overhead by 25-50%", [("memory_ratio", ">=", 1.333333), ("memory_ratio", "up_to", 2.0)]),
        ("with <1% accuracy loss", [("loss_relative", "<", 1.0)]),
        ("preserving over 95% of its performance", [("loss_relative", "<", 5.0)]),
        ("draws in 1-4 inference steps", [("steps", ">=", 1.0), ("steps", "up_to", 4.0)]),
        ("generates 4MP pictures", [("max_pixels", "=", 4e6)]),
        ("at a resolution of 224x224", [("resolution", "=", "224x224")]),
        ("maps text to a 384 dimensional vector space", [("dimensions", "=", 384.0)]),
        ("a context window of 32,768 tokens", [("context", "=", 32_768.0)]),
        ("sequences of up to 4096 tokens", [("max_tokens", "up_to", 4096.0)]),
        ("into one of 1000 classes", [("labels", "=", 1000.0)]),
        ("inference takes 25 ms per image", [("latency_s", "=", 0.025)]),
        ("The checkpoint is 420 MB.", [("size_bytes", "=", 420e6)]),
        ("needs 3.5 GB of VRAM", [("memory_bytes", "=", 3.5e9)]),
        ("$0.04 per image", [("price", "=", 0.04)]),
        (
            "between 70.8 and 71.7 top-1 accuracy on ImageNet-1k",
            [("accuracy", ">=", 70.8), ("accuracy", "up_to", 71.7)],
        ),
        ("reduces the size of a BERT model by 40%", [("size_ratio", "=", 1.666667)]),
        ("retaining 97% of its language understanding", [("loss_relative", "=", 3.0)]),
        ("It has an R2 score of 0.540.", [("score", "=", 0.54)]),
        ("Our WrenNet model achieves 81.9% top-1 accuracy.", [("accuracy", "=", 81.9)]),
        ("handles sequences up to a length of 4096", [("max_tokens", "up_to", 4096.0)]),
        ("trained on 768x768px images", [("resolution", "=", "768x768")]),
        ("recognizes three types of entities", [("labels", "=", 3.0)]),
        ("captions (150 CIDEr) and answers questions (60.4% on OK-VQA)", [("score", "=", 150.0)]),
        ("occupied 4x times less memory", [("memory_ratio", "=", 4.0)]),
        ("It supports 12 common single-hand gestures.", [("labels", "=", 12.0)]),
        ("75.2% on five-shot MMLU", [("accuracy", "=", 75.2)]),
        ("and 2B refers to the number of trainable parameters", [("parameters", "=", 2e9)]),
        ("can be exported to ONNX", [("exports", "=", "onnx")]),
        ("for non-commercial use only", [("license_allows", "=", "non-commercial")]),
        ("through the transformers.onnx module", [("api_exists", "=", "transformers.onnx")]),
    ],
)
def test_what_is_said_is_read(text: str, expected: list[tuple[str, str, float | str]]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "trained on 14 million images", "supports 200 languages", "in version 1.0 of 2019",
        "a blob of `1, 3, 224, 224`",
        "mean values [123.675, 116.28, 103.53]", "trained for 100k steps with batch size 32", "the resnet50 backbone",
        "you can convert them yourself to the OpenVINO format", "a 16x16 patch",
        "3D pose in 2 seconds of audio",
        "pre-trained on a set with 80 classes and then fine-tuned for vehicles", "8 frames at a rate (15 FPS) sampled",
        "this model was trained using the 160GB data", "on something as small as a 2GB RAM Raspberry Pi",
        "a loss compares each of the N = 100 object queries",
        "slightly more accurate (~0.5% top1) than v1", "devices with <50MB storage and <100ms latency budgets",
    ],
)  # fmt: skip
def test_numbers_that_claim_nothing_are_left_alone(text: str) -> None:
    assert said(text) == []


def test_a_claim_stands_where_its_number_is_printed() -> None:
    text = "First line.\n\nIt reaches 78.3% accuracy\nwith 5.6M parameters."
    claims = read(text, start=100)
    assert [text[c.span.start - 100 : c.span.end - 100] for c in claims if c.span] == ["78.3%", "5.6M"]
    assert [claim.span.file for claim in claims if claim.span] == ["page.md", "page.md"]
    assert claims[0].text == "It reaches 78.3% accuracy with 5.6M parameters."


def test_a_rival_in_brackets_is_another_artifact_and_the_comparison_our_own() -> None:
    claims = read("lighter than EfficientNet-B0 (77.1%, 5.3M params)")
    rival = [(c.metric, c.value, c.subject) for c in claims if "other_artifact" in c.flags]
    own = [(c.metric, c.comparator, c.value, c.conditions.reference) for c in claims if "other_artifact" not in c.flags]
    assert rival == [("accuracy", 77.1, "EfficientNet-B0"), ("parameters", 5.3e6, "EfficientNet-B0")]
    assert own == [("parameters", "<", 5.3e6, "EfficientNet-B0")]


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("0.8% loss vs 2-3% for ResNet50", ["", "ResNet50", "ResNet50"]),
        ("smaller (5.6M vs 86M parameters) than ViT-Base", ["", "ViT-Base"]),
        ("than the original 9.4B parameter model", ["the original"]),
        ("a family of models from 125M to 175B parameters", ["its family", "its family"]),
        ("SwiftNet-small (70.2% accuracy)", [""]),
        ("a base-sized SwiftNet achieves 42 AP on COCO", ["the base-sized one"]),
        (
            "has 86M backbone parameters and 98M parameters in the Embedding layer",
            ["its backbone", "its Embedding layer"],
        ),
        ("4 model size variants (350M, 2B, 6B)", ["its family", "its family", "its family"]),
    ],
)
def test_whose_a_number_is(text: str, subjects: list[str]) -> None:
    assert [claim.subject for claim in read(text) if claim.conditions.reference is None] == subjects


def test_conditions_come_from_the_sentence() -> None:
    (low, high) = read("typical speedups of 2-4x for batch_size=8 compared to single-image inference on an A100")
    assert (low.conditions.batch_size, low.conditions.reference, high.conditions.device) == (8, "batch 1", "a100")
    accuracy = read("It reaches 91.3% accuracy on SST-2.")[0]
    assert accuracy.conditions.dataset == "SST-2"
    mixed = read("INT8 quantization keeping attention in FP16 gives 6x compression")[0]
    assert (mixed.conditions.precision, mixed.conditions.note) == ("int8", "attention in float16")
    plain = read("Rounded to INT8. The compressed files are 3.5x smaller than those in FP32.")[0]
    assert (plain.conditions.precision, plain.conditions.note) == ("int8", None)


def test_a_hedge_weakens_its_own_clause_only() -> None:
    assert [c.hedged for c in read("It may reach 3x faster inference; it has 5.6M parameters.")] == [True, False]
    assert read("It likely has 5.6M parameters.")[0].flags == ("hedged",)
    assert is_hedged("possibly 4x", 9, 11)
    assert not is_hedged("possibly fast: 4x smaller", 15, 17)


def test_the_same_said_twice_has_one_id_and_two_places() -> None:
    claims = read("It has 5.6M parameters. Yes, 5.6M parameters.")
    assert len({claim.id for claim in claims}) == 1
    assert len({claim.span.start for claim in claims if claim.span}) == 2
    assert len(with_claims(OWN, [Passage("It has 5.6M parameters. Yes, 5.6M parameters.", "f")]).claims) == 1


@given(st.text(max_size=400))
def test_any_text_is_read_and_every_place_lies_inside(text: str) -> None:
    for markup in ("plain", "markdown"):
        for claim in read(text, markup=markup):
            assert claim.span is not None
            assert 0 <= claim.span.start < claim.span.end <= len(text)


@given(st.text(alphabet="ab. \n!?A1e.g", max_size=200))
def test_sentences_cover_all_but_blanks(text: str) -> None:
    spans = sentences_in(text)
    covered = "".join(text[start:end] for start, end in spans)
    assert "".join(covered.split()) == "".join(text.split())
    assert spans == sorted(spans)
