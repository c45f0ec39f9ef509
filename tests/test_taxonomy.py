"""The taxonomy of tasks and the metric table: one name per idea, and published labels find their task."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.constants import published_constants
from graph.metrics import METRICS
from graph.taxonomy import DOMAIN_OF, DOMAINS, OTHER, SYNONYMS, full_task, task_of_label, task_words

HUGGING_FACE_TASKS = """
any-to-any audio-classification audio-to-audio audio-text-to-text automatic-speech-recognition depth-estimation
document-question-answering feature-extraction fill-mask graph-machine-learning image-classification
image-feature-extraction image-segmentation image-text-to-text image-to-3d image-to-image image-to-text image-to-video
keypoint-detection mask-generation object-detection question-answering reinforcement-learning robotics
sentence-similarity summarization table-question-answering tabular-classification tabular-regression
text-classification text-generation text-ranking text-to-3d text-to-audio text-to-image text-to-speech text-to-video
time-series-forecasting token-classification translation unconditional-image-generation video-classification
video-text-to-text visual-document-retrieval visual-question-answering voice-activity-detection
zero-shot-classification zero-shot-image-classification zero-shot-object-detection
"""


def test_a_task_is_in_one_domain_only() -> None:
    tasks = [task for group in DOMAINS.values() for task in group]
    assert len(tasks) == len(set(tasks)) == len(DOMAIN_OF)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in [*tasks, *DOMAINS])


@pytest.mark.parametrize("task", HUGGING_FACE_TASKS.split())
def test_every_hugging_face_task_is_known(task: str) -> None:
    assert full_task(task) == f"{DOMAIN_OF[task]}.{task}"


def test_tasks_are_known_by_any_spelling_and_synonyms_lead_to_tasks() -> None:
    for task, domain in DOMAIN_OF.items():
        for spelling in (task, f"{domain}.{task}", task.replace("-", " ").title(), task.replace("-", "_").upper()):
            assert full_task(spelling) == f"{domain}.{task}"
    for synonym, task in SYNONYMS.items():
        assert synonym not in DOMAIN_OF
        assert full_task(synonym) == full_task(task) is not None
    for unknown in ("", "cookery", "vision.summarization", "nowhere.other", "a.b.c"):
        assert full_task(unknown) is None


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (("Computer Vision Image Classification",), "vision.image-classification"),
        (("Natural Language Processing Zero-Shot Classification",), "text.zero-shot-classification"),
        (("Computer Vision Zero-Shot Image Classification",), "vision.zero-shot-image-classification"),  # the longest
        (("Cookery", "Image Segmentation"), "vision.image-segmentation"),  # the first that fits
        (("Text-To-Video", "Image Segmentation"), "vision.text-to-video"),
        ((None, ""), OTHER),
        ((), OTHER),
    ],
)
def test_published_labels_find_their_task(labels: tuple[str | None, ...], task: str) -> None:
    assert task_of_label(*labels) == task


def test_most_published_labels_are_known(shared: Path) -> None:
    file = shared / "data" / "apibench" / "data" / "api" / "huggingface_api.jsonl"
    labels = [json.loads(line)["domain"] for line in file.read_text(encoding="utf-8").splitlines()]
    unknown = sorted({label for label in labels if task_of_label(label) == OTHER})
    assert sum(task_of_label(label) != OTHER for label in labels) / len(labels) > 0.95, unknown


@given(st.text(max_size=40))
def test_any_label_gives_a_task_of_the_table(label: str) -> None:
    domain, _, task = task_of_label(label).partition(".")
    assert task in DOMAINS[domain]
    assert task_words(f"{domain}.{task}") == task.replace("-", " ")


def test_the_metric_table_is_whole() -> None:
    named = (
        "runs loads parameters size_bytes size_ratio accuracy f1 perplexity loss_points loss_relative latency_s "
        "throughput speedup memory_bytes memory_ratio steps guidance_calls max_pixels adherence dimensions max_tokens "
        "context labels exports fine_tunes license_allows price api_exists tool_listed "
        "flops precision recall average_precision mean_iou error_rate score resolution page_score times_matched leads "
        "search_evidence"
    )
    assert list(METRICS) == named.split()
    assert all(metric.direction == "exact" for metric in METRICS.values() if metric.judged == "fact")


def test_published_constants_are_plain_and_named_once() -> None:
    rows = published_constants()
    assert [row.name for row in rows] == sorted({row.name for row in rows})
    assert {"TURN_WEIGHT", "RANK_WEIGHTS", "HALF_LIFE_DAYS"} <= {row.name for row in rows}
    for row in rows:
        assert json.loads(json.dumps(row.value)) == row.value
