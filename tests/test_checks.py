"""Checks without weights: each catches its lie, lets its twin pass, and stays silent where it cannot know."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from graph.artifacts import Artifact, Capability, Pricing
from indexer.claims import with_claims
from indexer.passages import Passage
from inference.checks import Checked, check_artifact
from inference.checks.apis import has_api
from inference.checks.licenses import permits_commercial
from inference.checks.measured_tables import MeasuredTables, plain_set
from inference.checks.ratios import largest_ratio
from inference.models.architecture import known_architectures
from tests.factories import make_artifact


def checked(*texts: str, name: str = "acme/swiftnet", tables: MeasuredTables | None = None, **fields: Any) -> Checked:
    artifact = described(*texts, name=name, **fields)
    return check_artifact(artifact, tables)


def described(*texts: str, name: str = "acme/swiftnet", **fields: Any) -> Artifact:
    capability = Capability(id="main", name="sort pictures", task="vision.image-classification")
    artifact = make_artifact(name, capabilities=(capability,), **fields)
    return with_claims(artifact, [Passage(text, "page.txt", 1_000 * n, "main") for n, text in enumerate(texts)])


def refuted(found: Checked) -> list[str]:
    return [finding.judgement.reason for finding in found.findings.values() if finding.judgement.verdict == "refuted"]


def codes(found: Checked) -> list[str]:
    return [flag.code for flag in found.flags]


# Each lie beside its twin ---------------------------------------------------------------------------------
LIES = [
    ("It has 5.6M parameters, lighter than EfficientNet-B0 (5.3M params).", "is not less than the 5.3M"),
    ("It reaches 70.1% accuracy. Outperforms MobileNetV3 (77.2% accuracy).", "is not more than the 77.2 %"),
    ("INT8 quantization makes it 6x smaller.", "at most 4 times smaller"),
    ("Quantized models (INT8) are 4-8x smaller.", "at most 4 times smaller, claimed 8"),
    ("It has 20M parameters; INT4 quantization gives 8x compression to a 40MB INT4 model.", "2 times smaller"),
    ("It reaches 78.3% accuracy. The INT8 model keeps 77.2% accuracy, a 0.5% loss in INT8.", "claimed 0.5 %"),
    ("It reaches 78.3% accuracy. In INT8 it has 77.2% accuracy. INT8 costs <1% accuracy loss.", "claimed <1 %"),
]
TWINS = [
    "It has 5.0M parameters, lighter than EfficientNet-B0 (5.3M params).",
    "It reaches 78.3% accuracy. Outperforms MobileNetV3 (77.2% accuracy).",
    "INT8 quantization makes it 4x smaller.",
    "Quantized models (INT8) are 2-4x smaller.",
    "It has 20M parameters; INT4 quantization gives 8x compression to a 10MB INT4 model.",
    "It reaches 78.3% accuracy. The INT8 model keeps 77.2% accuracy, a 1.1% loss in INT8.",
    "It reaches 78.3% accuracy. In INT8 it has 77.2% accuracy. INT8 costs <2% accuracy loss.",
    "It has 5.3M parameters, lighter than EfficientNet-B0 (5.3M params).",  # as printed, they may be either way
    "Distillation makes it 6x smaller.",  # names no number format: nothing bounds it
    "It may be lighter than EfficientNet-B0 (5.3M params). It has 5.6M parameters.",  # hedged
    "It loses 1.4% accuracy in INT8: 78.3% accuracy, and 77.2% accuracy in INT8.",  # true as a share
]


@pytest.mark.parametrize(("text", "reason"), LIES)
def test_a_lie_is_refuted_with_its_reason(text: str, reason: str) -> None:
    reasons = refuted(checked(text))
    assert len(reasons) >= 1
    assert reason in " | ".join(reasons)


@pytest.mark.parametrize("text", TWINS)
def test_its_twin_passes(text: str) -> None:
    assert refuted(checked(text)) == []


def test_every_refutation_is_of_tier_text_and_names_its_method() -> None:
    (finding,) = checked(LIES[2][0]).findings.values()
    assert (finding.tier, finding.method, finding.measured) == ("text", "arithmetic", 4.0)


# Mixed formats --------------------------------------------------------------------------------------------
def test_attention_in_half_precision_bounds_mobilevit_at_3_17() -> None:
    artifact = described("INT8 quantization keeping attention in FP16 achieves 6x compression.", name="mobilevit-small")
    (claim,) = [claim for claim in artifact.claims if claim.metric == "size_ratio"]
    bound = largest_ratio(claim, artifact)
    assert bound is not None
    share = Decimal(1_454_016) / Decimal(5_578_632)
    assert bound[0] == Decimal(32) / (8 + 8 * share)
    assert f"{float(bound[0]):.2f}" == "3.17"
    unknown = largest_ratio(claim, described("x", name="other-net"))
    assert unknown is not None
    assert unknown[0] == 4  # nothing is known of its parts


def test_the_parts_of_the_table_are_no_larger_than_the_whole() -> None:
    with_parts = [found for found in known_architectures().values() if found.groups]
    assert len(with_parts) >= 5
    assert all(0 < found.groups["attention"] < (found.parameters or 0) for found in with_parts)


# Pages of directories -------------------------------------------------------------------------------------
def test_free_beside_a_price_is_a_flag() -> None:
    priced = "The API is offered to everyone. Pricing is per-image based on resolution."
    assert codes(checked(priced, pricing=Pricing(model="Free", free=True))) == ["price_conflict"]
    assert codes(checked(priced, pricing=Pricing(model="Paid", free=False))) == []
    rival = "Unlike DALL-E 3, where pricing is per-image, it costs nothing."
    assert codes(checked(rival, pricing=Pricing(model="Free", free=True))) == []


# Consistency ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["better than MobileNetV3 (77.2% accuracy)", "smaller than MobileNetV3 (75.2% accuracy)"], ["rival_conflict"]),
        (["better than MobileNetV3 (77.2% accuracy)", "smaller than MobileNetV3 (77.2% accuracy)"], []),
        (["It has 5.6M parameters.", "With 8.1M parameters it is small."], ["inconsistent"]),
        (["It has 5.6M parameters.", "With 5.58M parameters it is small."], []),
        (["top-1 accuracy of 93.0%, top-5 accuracy of 76.1%"], ["contradiction"]),
        (["top-1 accuracy of 76.1%, top-5 accuracy of 93.0%"], []),
    ],
)
def test_what_cannot_both_be_true_is_flagged_and_never_refuted(texts: list[str], expected: list[str]) -> None:
    found = checked(*texts)
    assert codes(found) == expected
    assert refuted(found) == []
    for flag in found.flags:
        assert flag.claims
        assert flag.span is not None


# Licences -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("license_name", "expected"),
    [
        ("mit", True), ("Apache-2.0", True), ("apache license 2.0", True), ("bsd-3-clause", True),
        ("gpl-3.0-only", True), ("cc-by-nc-4.0", False), ("flux-1-dev-non-commercial-license", False),
        ("FLUX.1-dev", False), ("cc-by-nc-sa-4.0", False), ("MIT OR cc-by-nc-4.0", True),
        ("MIT AND cc-by-nc-4.0", False), ("acme terms", None), ("llama3", None),
    ],
)  # fmt: skip
def test_what_licences_permit(license_name: str, expected: bool | None) -> None:
    assert permits_commercial(license_name) is expected


def test_commercial_use_against_the_licence_stated() -> None:
    text = "The license explicitly permits commercial use."
    assert "does not permit" in refuted(checked(text, license="cc-by-nc-4.0"))[0]
    verdicts = {f.judgement.verdict for f in checked(text, license="apache-2.0").findings.values()}
    assert verdicts == {"verified"}
    assert checked(text, license="acme terms").findings == {}
    assert checked(text).findings == {}


# Interfaces -----------------------------------------------------------------------------------------------
def test_interfaces_are_looked_for_without_importing_them() -> None:
    assert has_api("networkx.algorithms.link_analysis.pagerank_alg.pagerank") is True
    assert has_api("torch.onnx.no_such_module") is False
    assert has_api("transformers.onnx") is False
    assert has_api("transformers.pipelines") is True
    assert has_api("transformers.TFMobileViTModel") is None  # lazy packages do not list their classes
    assert has_api("no_such_library.at_all") is None


def test_an_interface_without_a_version_is_not_judged_but_said() -> None:
    (finding,) = checked("It uses the transformers.onnx module.").findings.values()
    assert (finding.judgement.verdict, finding.judgement.reason_code) == ("unverifiable", "underspecified")
    assert "does not have transformers.onnx" in finding.judgement.reason
    from importlib.metadata import version

    at_hand = version("transformers")
    (finding,) = checked(f"It uses transformers.onnx of transformers {at_hand} v{at_hand}.").findings.values()
    assert finding.judgement.verdict in ("refuted", "unverifiable")


# Measured tables ------------------------------------------------------------------------------------------
def table(*rows: tuple[str, str]) -> MeasuredTables:
    found = MeasuredTables()
    artifacts = []
    for name, text in rows:
        row = described(text, name=name)
        claims = tuple(c.model_copy(update={"flags": ("measured_table",)}) for c in row.claims)
        artifacts.append(row.model_copy(update={"claims": claims}))
    found.add(artifacts)
    return found


def test_numbers_against_a_measured_table() -> None:
    measured = table(("swiftnet", "78.31% accuracy on ImageNet"), ("bignet", "90.06% accuracy on ImageNet"))
    assert codes(checked("It reaches 78.3% ImageNet-1k accuracy.", tables=measured)) == ["corroborated"]
    assert codes(checked("It reaches 94.1% ImageNet-1k accuracy.", tables=measured)) == ["implausible"]
    assert codes(checked("It reaches 77.0% ImageNet-1k accuracy.", tables=measured)) == []
    assert codes(checked("It reaches 94.1% CIFAR-10 accuracy.", tables=measured)) == []
    assert checked("It reaches 94.1% ImageNet-1k accuracy.", tables=measured).findings == {}


def test_names_of_one_data_set_are_one() -> None:
    assert {plain_set(name) for name in ("ImageNet", "ImageNet-1k", "imagenet 2012 val")} == {"imagenet"}
    assert plain_set("ImageNet-21k") != plain_set("ImageNet")
