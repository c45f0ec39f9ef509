"""What a query says: limits, facts, negations and names are read; everything else stays a word to search for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.sources import apibench_queries
from search.query import read_where
from search.query.language import has_only_stop_words, language_note
from search.query.limits import operator_of
from search.query.names import NameIndex
from search.query.understand import conflict, understand

OWNERS = frozenset({"google", "facebook"})


@pytest.mark.parametrize(
    ("query", "words", "conditions"),
    [
        ("image classifier under 10M parameters", "image classifier", ["params<10M"]),
        ("image classifier with at most 10M params", "image classifier", ["params<=10M"]),
        ("chat model between 1B and 7B parameters", "chat model", ["params>=1B", "params<=7B"]),
        ("depth estimation, 100M parameters or less", "depth estimation", ["params<=100M"]),
        ("≤ 5 million parameters speech", "speech", ["params<=5M"]),
        ("a model under 10M", "a model", ["params<10M"]),
        ("at least 80 % on ImageNet", "", ["accuracy@imagenet>=80"]),
        ("classify images with more than 80% accuracy", "classify images", ["accuracy>80"]),
        ("ner with f1 above 0.9", "ner", ["f1>90"]),
        ("summarizer under 500 MB", "summarizer", ["size<500MB"]),
        ("chat in at most 8 GiB of memory", "chat", ["memory<=8GiB"]),
        ("detector with latency below 50 ms", "detector", ["latency<50ms"]),
        ("embeddings with at most 384 dimensions", "embeddings", ["dimensions<=384"]),
        ("chat with a context of at least 32k tokens", "chat", ["context>=32k"]),
        ("translation with more than 1,000,000 downloads", "translation", ["downloads>1M"]),
        ("MIT-licensed text to speech", "text to speech", ["license=mit"]),
        ("summarizer under the Apache 2.0 licence", "summarizer", ["license=apache-2.0"]),
        ("permissively licensed ocr", "ocr", ["permissive=true"]),
        ("speech to text that runs offline", "speech to text", ["offline=true"]),
        ("an offline translator", "translator", ["offline=true"]),
        ("open-weights chat model", "chat model", ["offline=true"]),
        ("image generator, free of charge", "image generator", ["free=true"]),
        ("free image generator", "image generator", ["free=true"]),
        ("sentence embeddings in ONNX format", "sentence embeddings", ["format=onnx"]),
        ("detect objects using PyTorch", "detect objects", ["library=pytorch"]),
        ("a captioner with image input", "a captioner", ["input=image"]),
        ("MCP server for github", "github", ["type=mcp"]),
        ("dataset of street signs", "street signs", ["type=dataset"]),
        ("only verified image classifiers", "image classifiers", ["verified=true"]),
        ("text generation not by google", "text generation", ["organization!=google"]),
        ("classify text without tensorflow", "classify text", ["library!=tensorflow"]),
        ("object detection, not yolo", "object detection", ["word!=yolo"]),
        ("params<10M license:mit image classifier", "image classifier", ["params<10M", "license=mit"]),
        ("-family:bert text classification", "text classification", ["family!=bert"]),
        ('task:"image classification"', "", ["task=image classification"]),
    ],
)  # fmt: skip
def test_what_is_read(query: str, words: str, conditions: list[str]) -> None:
    found = understand(query, OWNERS)
    assert (found.words, found.where) == (words, read_where(conditions))
    assert all(part.words and part.words in " ".join(query.split()) for part in found.read)


@pytest.mark.parametrize(
    "query",
    [
        "offline reinforcement learning", "noise-free audio", "free text annotation", "a person not wearing a mask",
        "images under 10 MB", "videos under 10 seconds", "reduce noise by at least 80 %", "price: low cost",
        "classify images in the CIFAR dataset", "a tool that reads mail", "I need an API to classify images",
        "logistics", "gis", "translate 10 languages", "not even wrong", "convert a model to ONNX",
        "summarize articles over 1000 words", "predict sales above 10M", "detect licence plates", "without mistakes",
        "text not in english",
    ],
)  # fmt: skip
def test_what_is_no_limit_stays_words(query: str) -> None:
    found = understand(query, OWNERS)
    assert (found.words, found.read, found.policy) == (query, (), None)


def test_a_policy_is_read() -> None:
    found = understand("image classifier under the production policy")
    assert (found.words, found.policy) == ("image classifier", "production")
    assert understand("refund policy for shops").policy is None


def test_an_operator_that_makes_no_sense_is_said() -> None:
    found = understand("image classifier params<many")
    assert found.where == ()
    assert "params" in found.notes[0]
    assert "searched as words" in found.notes[0]


def test_real_questions_are_left_alone(shared: Path) -> None:
    files = sorted((shared / "data" / "apibench" / "data" / "apibench").glob("*.json"))
    texts = [query["text"] for file in files for query in apibench_queries(file)]
    read = [text for text in texts if understand(text, OWNERS).read]
    assert len(texts) == 2_622
    assert 0 < len(read) <= 26  # each of them was looked at: they name a library, or an accuracy on ImageNet
    assert not [text for text in texts if understand(text, OWNERS).policy]


@given(st.text(max_size=200) | st.text(alphabet="under over 10M% params<>=@:-not by google mit", max_size=120))
def test_any_text_is_understood_or_left_alone(text: str) -> None:
    found = understand(text, OWNERS)
    assert found.read or found.policy or found.words == text
    assert len(found.words) <= len(text)
    for part in found.read:
        assert read_where([str(part.where)]) == (part.where,)  # what is shown can be given as --where


@pytest.mark.parametrize(
    ("words", "operator"),
    [("at  most", "<="), ("Under", "<"), ("no more than", "<="), ("at least", ">="), ("exceeding", ">"), ("≥", ">="),
     ("or more", ">="), ("tops", "<="), ("not under", ">="), ("<", "<")],
)  # fmt: skip
def test_operators_in_words(words: str, operator: str) -> None:
    assert operator_of(words) == operator


# Contradictions -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("conditions", "contradict"),
    [
        (["params<10M", "params>20M"], True), (["params<10M", "params>=10M"], True), (["params<=10M",
        "params>=10M"], False),
        (["params=3", "params>4"], True), (["params>1M", "params<2M"], False), (["license=mit",
        "license=gpl-3.0"], True),
        (["license=mit", "license!=mit"], True), (["license!=mit", "license!=isc"], False), (["free=true",
        "free=false"], True),
        (["task=translation", "task=summarization"], False), (["accuracy>90", "accuracy<80"], False),
        (["type=model", "type=mcp"], True),
    ],
)  # fmt: skip
def test_contradictions(conditions: list[str], contradict: bool) -> None:
    said = conflict(read_where(conditions))
    assert ("contradict each other" in said) is contradict


# Languages ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ein Modell, das Bilder von Katzen und Hunden erkennt", "German"), ("распознавание речи", "Russian"),
        ("識別圖像中的物體", "Chinese"), ("reconnaître la parole dans des enregistrements", "French"),
        ("receita de bolo de cenoura", "another language"), ("camper van rental in Tasmania", ""),
        ("estimate depth from one image", ""), ("vit-base-patch16-224", ""), ("déjà vu detection", ""),
        ('Translate to English: "Le système éducatif est composé de la maternelle et des écoles"', ""), ("OCR", ""),
    ],
)  # fmt: skip
def test_languages(text: str, language: str) -> None:
    note = language_note(text)
    assert language in note
    assert bool(note) is bool(language)


def test_stop_words_alone() -> None:
    assert has_only_stop_words("what is it for?")
    assert not has_only_stop_words("what is OCR")


# Names --------------------------------------------------------------------------------------------------
NAMES = NameIndex(
    [
        ("acme/github", "acme--github", "GitHub"), ("acme/logistics", "acme--logistics", "logistics"),
        ("tim/mobilenet_v2", "tim--mobilenet-v2", "mobilenet_v2"), ("x/all-MiniLM-L6-v2", "x--all-minilm-l6-v2",
        "all-MiniLM-L6-v2"),
        ("bob/gis-tools", "bob--gis-tools", "gis tools"), ("cat/depthy", "cat--depthy", "depthy"),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("query", "found", "exact"),
    [
        ("github", {"acme/github"}, True), ("github ", {"acme/github"}, True), (" GitHub\t", {"acme/github"}, True),
        ("Git Hub", {"acme/github"}, True), ("the github mcp server", {"acme/github"}, True),
        ("acme/github", {"acme/github"}, True),
        ("githb", {"acme/github"}, False), ("gihtub", {"acme/github"}, False),
        ("MobileNet v2", {"tim/mobilenet_v2"}, True),
        ("all minilm l6 v2", {"x/all-MiniLM-L6-v2"}, True), ("gis", set(), True), ("log", set(), True),
        ("hub", set(), True),
        ("depth", set(), True), ("write issues on github", set(), True), ("", set(), True), ("?!", set(), True),
    ],
)  # fmt: skip
def test_names(query: str, found: set[str], exact: bool) -> None:
    named = NAMES.find(query, lambda word: word in {"depth", "issues", "write"})
    assert (named.artifacts, named.is_exact) == (found, exact)


@given(st.text(max_size=60))
def test_any_text_names_something_or_nothing(text: str) -> None:
    NAMES.find(text)


def test_a_spelling_between_two_names_is_neither() -> None:
    twins = NameIndex([("a/karlo1", "a--karlo1", "karlo1"), ("a/karlo2", "a--karlo2", "karlo2")])
    assert twins.find("karlo").artifacts == frozenset()
    assert twins.find("karlo1").artifacts == {"a/karlo1"}
