"""The sentence encoder: a second implementation beside it, a digest that moves with what matters, clear refusals."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graph.errors import ModelError
from inference.embedder import BATCH, Encoder, open_encoder
from inference.encoder_recipe import EncoderInfo, read_recipe
from inference.models.digests import FileDigests
from inference.models.locate import MINILM, find_hub_model

TEXTS = [
    "A cat sits on the mat.",
    "",
    "image classification on a phone " * 40,
    "Feline on a rug.",
    "Stock prices fell.",
]


@pytest.fixture(scope="module")
def encoder(minilm: Path) -> Encoder:
    return open_encoder(threads=1)


@pytest.fixture
def copied(minilm: Path, tmp_path: Path) -> Path:
    """All of MiniLM's files, the weights by link."""
    shutil.copytree(minilm, tmp_path / "encoder", ignore=shutil.ignore_patterns("model.safetensors"))
    (tmp_path / "encoder" / "model.safetensors").symlink_to(minilm / "model.safetensors")
    return tmp_path / "encoder"


def info_of(folder: Path) -> EncoderInfo:
    return read_recipe(folder, "test", FileDigests())[0]


def edit_json(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


# What an encoder is -------------------------------------------------------------------------------------
def test_minilm_is_what_its_card_says(encoder: Encoder) -> None:
    assert (encoder.info.name, encoder.info.dimension, encoder.info.max_tokens) == (MINILM, 384, 256)


def test_the_same_files_elsewhere_are_the_same_encoder(encoder: Encoder, copied: Path) -> None:
    edit_json(copied / "config.json", transformers_version="9", _name_or_path="elsewhere")
    (copied / "README.md").write_text("another card", encoding="utf-8")
    assert open_encoder(str(copied)).info.digest == encoder.info.digest


@pytest.mark.parametrize("change", ["pooling", "length", "vocabulary", "activation", "normalisation", "weights"])
def test_whatever_changes_vectors_changes_the_digest(encoder: Encoder, copied: Path, change: str) -> None:
    if change == "pooling":
        edit_json(copied / "1_Pooling" / "config.json", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    elif change == "length":
        edit_json(copied / "sentence_bert_config.json", max_seq_length=128)
    elif change == "vocabulary":
        (copied / "vocab.txt").write_text((copied / "vocab.txt").read_text(encoding="utf-8") + "x\n", encoding="utf-8")
    elif change == "activation":
        edit_json(copied / "config.json", hidden_act="relu")
    elif change == "normalisation":
        modules = json.loads((copied / "modules.json").read_text(encoding="utf-8"))
        (copied / "modules.json").write_text(json.dumps(modules[:2]), encoding="utf-8")
    else:
        weights = bytearray((copied / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (copied / "model.safetensors").unlink()
        (copied / "model.safetensors").write_bytes(weights)
    assert info_of(copied).digest != encoder.info.digest


def test_a_plain_transformer_is_read_with_mean_pooling_and_its_own_length(copied: Path) -> None:
    for name in ("modules.json", "sentence_bert_config.json"):
        (copied / name).unlink()
    shutil.rmtree(copied / "1_Pooling")
    assert (info_of(copied).max_tokens, info_of(copied).dimension) == (512, 384)


def test_the_weights_digest_is_remembered_until_the_file_changes(tmp_path: Path, minilm: Path) -> None:
    first = open_encoder(home=tmp_path).info
    kept = json.loads((tmp_path / "encoder.json").read_text(encoding="utf-8"))
    assert list(kept) == [str(minilm / "model.safetensors")]
    entry = kept[str(minilm / "model.safetensors")]
    entry[3] = "0" * 64  # proof that it is used: another digest is believed …
    (tmp_path / "encoder.json").write_text(json.dumps(kept), encoding="utf-8")
    assert open_encoder(home=tmp_path).info.digest != first.digest
    entry[1] += 1  # … but not for a file that was modified since
    (tmp_path / "encoder.json").write_text(json.dumps(kept), encoding="utf-8")
    assert open_encoder(home=tmp_path).info == first
    (tmp_path / "encoder.json").write_text("{damaged", encoding="utf-8")
    assert open_encoder(home=tmp_path).info == first


def test_opening_imports_no_torch() -> None:
    code = "import sys; from inference.embedder import open_encoder; open_encoder(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_hub_ids_are_looked_up_in_the_local_cache_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--ann--encoder"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc", encoding="utf-8")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "snapshots" / "abc" / "config.json").write_text("{}", encoding="utf-8")
    assert find_hub_model("ann/encoder") == folder / "snapshots" / "abc"
    assert find_hub_model("ann/other") is None
    assert find_hub_model("not a hub id/at/all") is None


# Refusals -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "config.json").write_text("{", encoding="utf-8"), "not valid JSON"),
        (lambda folder: (folder / "config.json").write_text("[" * 100_000, encoding="utf-8"), "not valid JSON"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
        (lambda folder: (folder / "modules.json").write_text('[{"type": "evil.Module"}]'), "code of its own"),
        (
            lambda folder: (folder / "modules.json").write_text(
                '[{"type": "sentence_transformers.models.Transformer", "path": "../x"}]'
            ),
            "leads out of its folder",
        ),
        (lambda folder: edit_json(folder / "config.json", hidden_size="many"), "hidden_size"),
    ],
)
def test_files_that_are_no_encoder_are_refused_in_one_line(copied: Path, break_it: Any, message: str) -> None:
    break_it(copied)
    with pytest.raises(ModelError, match=message) as caught:
        open_encoder(str(copied))
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ModelError, match="neither a directory nor in the local Hugging Face cache"):
        open_encoder("ann/nowhere")


# Vectors ------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_vectors_agree_with_mean_pooling_by_hand(encoder: Encoder, minilm: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(minilm), AutoModel.from_pretrained(minilm).eval()
    by_hand = []
    with torch.inference_mode():
        for text in TEXTS:
            tokens = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            states = model(**tokens).last_hidden_state[0].numpy()
            mean = states.mean(axis=0)
            by_hand.append(mean / np.linalg.norm(mean))
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(np.stack(by_hand), abs=2e-6)
    assert vectors[0] @ vectors[3] > vectors[0] @ vectors[4] + 0.3  # a paraphrase is nearer than another topic


@pytest.mark.slow
def test_order_batches_and_progress_change_nothing(encoder: Encoder) -> None:
    texts = [f"{'word ' * (number % 17)}{number}" for number in range(BATCH * 2 + 5)]
    heard: list[int] = []
    vectors = encoder.encode(texts, heard.append)
    assert heard == [BATCH, 2 * BATCH, 2 * BATCH + 5]
    shuffled = np.random.default_rng(0).permutation(len(texts))
    again = encoder.encode([texts[row] for row in shuffled])
    assert again == pytest.approx(vectors[shuffled], abs=1e-6)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
def test_text_beyond_the_length_limit_is_not_read(encoder: Encoder) -> None:
    same = encoder.encode(["cat " * 254 + "dog", "cat " * 254 + "stock market news", "cat " * 200 + "dog"])
    assert same[0] == pytest.approx(same[1], abs=1e-6)
    assert same[0] @ same[2] < 0.99999


@pytest.mark.slow
def test_odd_texts_have_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)
    odd = encoder.encode(["", "\ud800", "\x00", "😀" * 500, "a" * 100_000])
    assert np.isfinite(odd).all()


@pytest.mark.slow
def test_any_sentence_transformers_directory_will_do(tiny_encoder: Path) -> None:
    encoder = open_encoder(str(tiny_encoder))
    assert (encoder.info.name, encoder.info.dimension, encoder.info.max_tokens) == ("tiny", 32, 12)
    vectors = encoder.encode(["a cat", "a dog", "cat"])
    assert vectors.shape == (3, 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["missing tensor", "not finite", "truncated"])
def test_damaged_weights_are_an_error_and_never_vectors(tiny_encoder: Path, tmp_path: Path, damage: str) -> None:
    from safetensors.numpy import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(tiny_encoder, broken)
    weights = load_file(broken / "model.safetensors")
    if damage == "missing tensor":
        del weights["encoder.layer.0.output.dense.weight"]
    elif damage == "not finite":
        weights["embeddings.word_embeddings.weight"][:] = np.nan
    save_file(weights, broken / "model.safetensors")
    if damage == "truncated":
        (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"no weights for encoder|weights are damaged|cannot be loaded") as caught:
        open_encoder(str(broken)).encode(["a cat"])
    assert "\n" not in str(caught.value)
