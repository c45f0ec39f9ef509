"""Claims from tables and from data fields: which header is the metric, and what the other adds."""

from __future__ import annotations

from graph.claims import Claim
from indexer.claims import read_claims
from indexer.claims.blocks import blocks_of, unmarked
from indexer.passages import Passage
from tests.factories import make_artifact

OWN = make_artifact("acme/swiftnet-small", claims=())


def read(text: str, markup: str = "markdown") -> list[Claim]:
    return list(read_claims(OWN, [Passage(text, "README.md", markup=markup)]))  # type: ignore[arg-type]


def test_metrics_in_the_first_column() -> None:
    table = "## Accuracy\n\nMeasured on the CIFAR-10 dataset.\n\n| Metric | Original model | Converted model |\n"
    table += "|--|--|--|\n"
    claims = read(
        table + "| Top 1 | 71.9% | **71.8%** |\n| MParams | 3.489 | 3.489 |\n| Source framework | PyTorch\\* | |\n"
    )
    assert [(c.metric, c.value, c.conditions.note) for c in claims] == [
        ("accuracy", 71.9, "Original model"), ("accuracy", 71.8, "Converted model"),
        ("parameters", 3_489_000.0, "Original model"), ("parameters", 3_489_000.0, "Converted model"),
    ]  # fmt: skip
    assert claims[0].conditions.dataset == "CIFAR-10"
    assert claims[2].conditions.dataset is None


def test_metrics_in_the_header_and_rivals_in_the_rows() -> None:
    claims = read(
        "| Model | Params (M) | Top-1 (%) |\n|---|---|---|\n"
        "| SwiftNet-small | 5.6 | 78.3 |\n| ResNet-50 | 25.6 | 76.1 |\n"
    )
    assert [(c.metric, c.value, c.subject) for c in claims] == [
        ("parameters", 5.6e6, ""), ("accuracy", 78.3, ""),
        ("parameters", 25.6e6, "ResNet-50"), ("accuracy", 76.1, "ResNet-50"),
    ]  # fmt: skip


def test_places_in_tables_hold_with_escapes_and_emphasis() -> None:
    text = "| Metric | Value |\n|---|---|\n| GFLOPs \\| all | **0.615** |\n| Size | 224x224 |\n"
    for claim in read(text):
        assert claim.span is not None
        assert text[claim.span.start : claim.span.end] in ("0.615", "224x224")


def test_of_answers_against_truth_the_diagonal_is_accuracy() -> None:
    text = (
        "Color accuracy, %\n\n| a\\b | red | blue | green |\n|---|---|---|---|\n"
        "| red | 90.1 | 5 | 4.9 |\n| blue | 1 | 95 | 4 |\n| green | 3 | 4 | 93 |\n"
    )
    assert [(c.metric, c.value) for c in read(text)] == [("accuracy", 90.1), ("accuracy", 95.0), ("accuracy", 93.0)]


def test_parts_of_a_composite_model_are_not_the_whole() -> None:
    text = (
        "## Encoder model specification\n\n| Metric | Value |\n|---|---|\n| MParams | 3.387 |\n\n"
        "## Specification\n\n| Metric | Value |\n|---|---|\n| MParams | 7.5 |\n"
    )
    assert [(c.value, c.subject) for c in read(text)] == [(3_387_000.0, "Encoder"), (7_500_000.0, "")]


def test_a_field_is_what_its_innermost_name_and_its_unit_say() -> None:
    claims = read(
        '{"accuracy": {"Loss": 0.56, "Wer": 0.2156, "box": "28.7 AP", "MNLI-m/mm": "90.6/90.7",'
        ' "SI-SDR": "22.4 dB", "all": "70.8% to 71.7%", "reward": "83.49 +/- 13.74"}}',
        "data",
    )
    assert [(c.metric, c.comparator, c.value) for c in claims] == [
        ("score", "=", 0.56), ("error_rate", "=", 21.56), ("average_precision", "=", 28.7), ("accuracy", "=", 90.6),
        ("accuracy", "=", 90.7), ("score", "=", 22.4), ("accuracy", ">=", 70.8),
        ("accuracy", "up_to", 71.7), ("accuracy", "=", 83.49),
    ]  # fmt: skip


def test_a_field_below_zero_is_a_score() -> None:
    text = '{"dataset": "MountainCar-v0", "accuracy": "-103.40 +/- 7.49", "params": "-5M"}'
    (claim,) = read(text, "data")
    assert (claim.metric, claim.value, claim.conditions.dataset) == ("score", -103.4, "MountainCar-v0")
    assert claim.span is not None
    assert text[claim.span.start : claim.span.end] == "-103.40"


def test_names_of_fields_divide_what_a_value_holds() -> None:
    claims = read(
        '{"dataset": [{"name": "AMI", "accuracy": {"DER%": 18.9, "Miss%": 4.3, "Speed(fps)": 41}}],'
        ' "SQUAD F1/EM": "91.0/84.3", "accuracy": "86.9% on SNLI, 78.9% on MultiNLI"}',
        "data",
    )
    assert [(c.metric, c.value, c.conditions.dataset) for c in claims] == [
        ("error_rate", 18.9, "AMI"), ("score", 4.3, "AMI"), ("throughput", 41.0, "AMI"), ("f1", 91.0, None),
        ("accuracy", 84.3, None), ("accuracy", 86.9, "SNLI"), ("accuracy", 78.9, "MultiNLI"),
    ]  # fmt: skip


def test_fields_named_like_models_are_about_these() -> None:
    claims = read('{"accuracy": {"SwiftNet-small": {"mAPval": 43.3}, "SwiftNet-large": {"mAPval": 50.5}}}', "data")
    assert [(c.metric, c.value, c.subject) for c in claims] == [
        ("average_precision", 43.3, ""), ("average_precision", 50.5, "SwiftNet-large"),
    ]  # fmt: skip
    sets = read('{"accuracy": {"OK-VQA": {"accuracy": "60.4%"}, "A-OKVQA": {"accuracy": "59.6%"}}}', "data")
    assert [claim.subject for claim in sets] == ["", ""]
    lone = read('{"accuracy": {"resnet50_v1": {"top-1": 43.3}}}', "data")
    assert [(c.metric, c.value, c.subject) for c in lone] == [("accuracy", 43.3, "")]


def test_an_escaped_header_is_read_and_a_metric_of_its_own_name_is_a_score() -> None:
    claims = read("| Metric | Value |\n|--|--|\n| coco\\_precision | 94.97% |\n| handwriting-match metric | 81.5% |\n")
    assert [(c.metric, c.value) for c in claims] == [("average_precision", 94.97), ("score", 81.5)]


def test_fields_of_data_are_named_by_their_path() -> None:
    text = '{"dataset": "SST-2", "accuracy": {"f1": 0.91, "MNLI": "84.6", "Loss": 0.35}, '
    text += '"parameters": "25.6M", "resolution": "224"}'
    claims = read(text, "plain")
    assert [(c.metric, c.value, c.conditions.dataset) for c in claims] == [
        ("f1", 91.0, "SST-2"), ("accuracy", 84.6, "MNLI"), ("score", 0.35, "SST-2"), ("parameters", 25.6e6, None),
        ("resolution", "224", None),
    ]  # fmt: skip
    assert [text[c.span.start : c.span.end] for c in claims if c.span] == ["0.91", "84.6", "0.35", "25.6M", "224"]


def test_broken_tables_and_data_are_read_as_far_as_they_go() -> None:
    assert read("| Metric | Value |\n|---|---|\n| Top 1 |\n| Top 5 | 90% | 1 | 2 | 3 |\n||||\n")[0].value == 90.0
    assert [(c.metric, c.value) for c in read('{"accuracy": 0.9, ', "plain")] == [("accuracy", 90.0)]
    assert read('{"a": [' * 60, "plain") == []


def test_code_is_no_prose_and_markup_is_no_text() -> None:
    text = (
        "```python\naccuracy = 0.99  # 99% accuracy\nfrom transformers import AutoModel, TFBertModel\n"
        "```\n\n<!-- 98% accuracy -->\n\n[97% accuracy](http://x.y/96%accuracy) is real.\n"
    )
    claims = read(text)
    assert [(c.metric, c.value) for c in claims] == [
        ("api_exists", "transformers.AutoModel"), ("api_exists", "transformers.TFBertModel"), ("accuracy", 97.0),
    ]  # fmt: skip


def test_masking_keeps_every_offset() -> None:
    text = "a **b** `c` <i>d</i> [e](http://f.g) \\* <!-- h --> i"
    assert len(unmarked(text)) == len(text)
    assert unmarked(text).split() == ["a", "b", "c", "d", "[e", "i"]
    assert [block.kind for block in blocks_of(Passage("# A\n\nb\n\n    code\n", "f", markup="markdown"))] == [
        "heading",
        "prose",
        "code",
    ]
