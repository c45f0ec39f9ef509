"""Redaction: what must not be stored is gone, what people search for stays."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.redact import redact

PERSONAL = [
    ("ann.lee+x@mail.example.org", "email"),
    ("jürgen@bücher.example", "email"),
    ("https://ann:hunter22@example.org/x", "credentials"),
    ("sk-proj-abcdefghij0123456789", "secret"),
    ("hf_abcdefghijABCDEFGHIJ0123456789abcd", "secret"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "secret"),
    ("AKIAIOSFODNN7EXAMPLE", "secret"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N", "secret"),
    ("password: correcthorse", "secret"),
    ("API_KEY=abcd1234", "secret"),
    ("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", "secret"),
    ("rT9xK2mQ8vW4zB7nL1pD6sF3gH5jY0cA", "secret"),
    ("key-rT9xK2mQ8vW4zB7nL1pD_6sF3gH5jY0cA", "secret"),
    ("4111 1111 1111 1111", "card"),
    ("4111-1111-1111-1111", "card"),
    ("+49 (30) 1234-5678", "phone"),
    ("192.168.17.4", "address"),
]
HARMLESS = [
    "summarise e-mails from a mailbox",
    "gis, not logistics",
    "resnet-50 with 25.6M params below 100 MB",
    "llama 3.1 8b instruct, 128k context",
    "top-1 accuracy 78.3 % on imagenet-1k at 256x256",
    "detect passwords in source code",
    "sentence-transformers/all-MiniLM-L6-v2",
    "übersetze Deutsch → 日本語, schnell!",
    "https://example.org/models?task=ner",
    "torch==2.13.0 cuda 12.4",
    "10,000 rows a second, 2024-05-01",
    "JorisCos/ConvTasNet_Libri2Mix_sepclean_16k",
    "L-oenai/LayoutLMX_pt_question_answer_ocrazure_correct_V15_30_03_2023",
    "flax-sentence-embeddings/all_datasets_v4_MiniLM-L6",
    "facebook/Wav2Vec2ConformerForSequenceClassification",
    "pyannote/speaker-diarization@2.1",
]


@pytest.mark.parametrize(("personal", "kind"), PERSONAL)
@pytest.mark.parametrize("around", ["{}", "find a model for {} please", "({}), or 'other'", "a {} b {} c"])
def test_personal_data_is_replaced_and_its_kind_named(personal: str, kind: str, around: str) -> None:
    found = redact(around.replace("{}", personal))
    assert personal not in found.text
    assert f"[{kind}]" in found.text
    assert kind in found.kinds
    assert len(found.kinds) == len(set(found.kinds))
    for secret in ("hunter22", "correcthorse", "abcd1234", "ann.lee", "jürgen", "1111", "1234-5678"):
        assert secret not in found.text


@pytest.mark.parametrize("query", HARMLESS)
def test_what_people_search_for_stays(query: str) -> None:
    assert redact(query) == redact(redact(query).text)
    assert redact(query).text == query
    assert redact(query).kinds == ()


def test_no_published_model_name_is_taken_for_a_secret(shared: Path) -> None:
    names = set()
    for file in sorted((shared / "data" / "apibench" / "data" / "api").glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            names.update(re.findall(r"""["']([^"']{3,120})["']""", json.loads(line)["api_call"]))
    assert len(names) > 1_000
    assert sorted(name for name in names if redact(name).kinds) == []


def test_blanks_and_control_characters_become_one_blank() -> None:
    assert redact("  a\t\n b\x00\x1b[31mc\u2028d ").text == "a b [31mc d"
    assert redact("").text == ""


@given(st.text(max_size=60))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text).text
    assert redact(once).text == once
    assert once.isprintable()


@given(st.text(max_size=30), st.sampled_from(PERSONAL[:2] + PERSONAL[3:6]), st.text(max_size=30))
def test_nothing_around_hides_personal_data(before: str, personal: tuple[str, str], after: str) -> None:
    assert personal[0] not in redact(f"{before} {personal[0]} {after}").text


@pytest.mark.parametrize("piece", ["a", "1 ", "a@", "a.", "A1+/", "password:", "://a:", "eyJaaaaaaaaaaaa.", "1.1.1."])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    began = time.perf_counter()
    redact(text)
    assert time.perf_counter() - began < 2.0
