"""Labelled sets: what is read, what is refused with file and line, and a digest of content alone."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from graph.errors import SourceError
from inference.data.sets import LabelledSet, built_in, known_sets, open_data, same_name
from inference.models.known import compute_known_data
from inference.probes.base import RawAnswers, RunTask, Subject, score_answers, shuffled_control
from inference.probes.classification import ClassificationProbe, staged_items
from inference.probes.embedding import SimilarityProbe, shown_triples
from inference.stage import stage_items

ROWS = [("def f(x):", "code"), ("The cat sat, as cats do.", "prose"), ('say "hi"\nagain', "prose"), ("x = 1", "code")]
TRIPLES = [("a cat", "a small feline", "a train"), ("it rains", "wet weather", "a spoon")] * 20


def write_csv(path: Path, header: list[str], rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def write_pictures(folder: Path, labels: tuple[str, ...] = ("dark", "light")) -> Path:
    for shade, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (4, 4), (shade * 200 + number,) * 3).save(folder / label / f"{number}.png")
    return folder


# Reading ------------------------------------------------------------------------------------------------
def test_a_csv_file_is_read_as_written(tmp_path: Path) -> None:
    data = open_data("mine", write_csv(tmp_path / "a.csv", ["label", "extra", "text"], [(b, "", a) for a, b in ROWS]))
    assert (data.name, data.kind, data.declared_by) == ("mine", "text", "operator")
    assert list(zip(data.items, data.labels, strict=True)) == ROWS
    assert (data.classes, data.majority) == (("code", "prose"), 0.5)
    assert data.used().items == 4


def test_parquet_and_csv_of_the_same_rows_have_the_same_digest(tmp_path: Path) -> None:
    table = pyarrow.table({"text": [row[0] for row in ROWS], "label": [row[1] for row in ROWS]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    one = open_data("one", write_csv(tmp_path / "a.csv", ["text", "label"], ROWS))
    other = open_data("other", tmp_path / "a.parquet")
    assert one.digest == other.digest
    assert list(one.items) == list(other.items)


def test_numbers_as_labels_are_words(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": [0, 1]}), tmp_path / "a.parquet")
    assert open_data("mine", tmp_path / "a.parquet").classes == ("0", "1")


@given(st.integers(0, 3), st.sampled_from(["text", "label"]), st.text(st.characters(codec="utf-8"), min_size=1))
def test_changing_any_cell_changes_the_digest(row: int, column: str, added: str) -> None:
    def digest(rows: list[tuple[str, str]]) -> str:
        from inference.data.sets import _content_digest

        return _content_digest("text", (text.encode() for text, _ in rows), [label for _, label in rows])

    changed = list(ROWS)
    text, label = changed[row]
    changed[row] = (text + added, label) if column == "text" else (text, label + added)
    assert digest(changed) != digest(ROWS)
    assert digest(ROWS[::-1]) != digest(ROWS)


def test_a_folder_of_pictures_has_one_label_a_subfolder(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "set")
    (folder / ".cache").mkdir()
    (folder / "dark" / ".DS_Store").write_bytes(b"x")
    data = open_data("shades", folder)
    assert (data.kind, data.labels) == ("image", ("dark",) * 3 + ("light",) * 3)
    (folder / "light" / "2.png").write_bytes((folder / "light" / "1.png").read_bytes())
    assert open_data("shades", folder).digest != data.digest


def test_the_built_in_digits_are_the_declared_split() -> None:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    scans = load_digits()
    _, images, _, digits = train_test_split(
        scans.images, scans.target, test_size=540, random_state=0, stratify=scans.target
    )
    data = built_in("sklearn-digits")
    assert [int(label) for label in data.labels] == [int(digit) for digit in digits]
    for item, scan in zip(data.items, images, strict=True):
        assert np.array_equal(np.asarray(item), np.repeat((scan / 16 * 255).astype("uint8")[:, :, None], 3, axis=2))
    assert data.declared_by == "known"


# Refusing -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("", "empty", None),
        ("text,label\n", "empty", None),
        ("text,tag\na,b\n", "missing_columns", 1),
        ("anchor,paraphrase\na,b\n", "missing_columns", 1),
        ("text,label\na,x\nb,x\n", "one_class", None),
        ("text,label\na,x\nb\n", "malformed", 3),
        ("text,label\na,x\nb,  \n", "blank", 3),
        ('text,label\na,x\n"b,y\n', "malformed", 3),
        ("text,label\n" + "a" * 100_001 + ",x\n", "malformed", 2),
    ],
)
def test_a_bad_file_is_one_line_with_file_and_line(tmp_path: Path, content: str, code: str, line: int | None) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content, encoding="utf-8")
    csv.field_size_limit(131_072)
    with pytest.raises(SourceError) as caught:
        open_data("bad", file)
    assert (caught.value.code, caught.value.line, caught.value.file) == (code, line, str(file))
    assert "\n" not in str(caught.value)
    assert csv.field_size_limit() == 131_072  # the whole process's limit is as it was


def test_the_first_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    file = tmp_path / "latin.csv"
    file.write_bytes("text,label\nfine,x\ncafé,y\n".encode("latin-1"))
    with pytest.raises(SourceError) as caught:
        open_data("latin", file)
    assert (caught.value.code, caught.value.line) == ("encoding", 3)


def test_other_things_that_are_no_sets_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("text,label\ncaf\xe9,x\n".encode("latin-1"))
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    notes = write_pictures(tmp_path / "notes")
    (notes / "dark" / "readme.txt").write_text("x", encoding="utf-8")
    one = write_pictures(tmp_path / "one", ("dark",))
    linked = write_pictures(tmp_path / "linked")
    (linked / "dark" / "9.png").symlink_to(one / "dark" / "0.png")
    expected = {
        "latin.csv": "encoding", "a.parquet": "unreadable", "a.txt": "unknown_format", "missing.csv": "unreadable",
        "empty": "empty", "notes": "unknown_format", "one": "one_class", "linked": "outside",
    }  # fmt: skip
    for name, code in expected.items():
        with pytest.raises(SourceError) as caught:
            open_data("bad", tmp_path / name)
        assert caught.value.code == code, name


# Known sets ---------------------------------------------------------------------------------------------
def test_the_committed_table_is_that_of_the_examples(repository: Path) -> None:
    assert compute_known_data(repository / "examples") == known_sets()


def test_a_known_digest_counts_only_under_its_own_name(repository: Path) -> None:
    file = repository / "examples" / "data" / "code-or-prose.csv"
    assert open_data("code-or-prose", file).declared_by == "known"
    assert open_data("imagenet-1k", file).declared_by == "operator"


def test_names_of_sets_are_compared_without_case() -> None:
    assert same_name("ImageNet_1k", " imagenet-1K")
    assert not same_name("imagenet-1k", "imagenet-21k")


# Staging and scoring ------------------------------------------------------------------------------------
def test_staged_items_hold_no_label(tmp_path: Path) -> None:
    data = open_data("shades", write_pictures(tmp_path / "set"))
    stage_items(data, tmp_path / "staged")
    assert sorted(path.name for path in (tmp_path / "staged").iterdir()) == [f"{n:06d}.png" for n in range(6)]
    pictures = list(staged_items(RunTask(tmp_path, tmp_path / "staged")))
    assert [np.asarray(picture)[0, 0, 0] for picture in pictures] == [0, 1, 2, 200, 201, 202]


def test_triples_are_shown_in_an_order_that_only_the_executor_knows(tmp_path: Path) -> None:
    data = open_data("t", write_csv(tmp_path / "t.csv", ["anchor", "paraphrase", "unrelated"], TRIPLES))
    shown, labels = shown_triples(data)
    assert shown_triples(data) == (shown, labels)  # the same at every run
    assert set(labels) == {"first", "second"}
    for item, label, triple in zip(shown, labels, TRIPLES, strict=True):
        assert (item[0], item[1 if label == "first" else 2]) == triple[:2]


def test_answers_are_matched_by_label_name_not_by_place() -> None:
    scored = score_answers(
        RawAnswers(answers=["Code ", "code", "PROSE"], load_s=0, run_s=3), ["code", "prose", "prose"], 2 / 3, 2
    )
    assert (scored.successes, scored.n) == (2, 3)
    with pytest.raises(ValueError, match="2 answers to 3 items"):
        score_answers(RawAnswers(answers=["a", "b"], load_s=0, run_s=1), ["a", "b", "c"], 0.5, 2)


def test_a_set_with_other_labels_fits_no_probe(tmp_path: Path) -> None:
    data = open_data("mine", write_csv(tmp_path / "a.csv", ["text", "label"], ROWS))
    probe = ClassificationProbe("text", "text.text-classification")
    fits = Subject(1000, 1000, "text.text-classification", ("Code", "PROSE", "other"))
    assert probe.cost_s(fits, data) is not None
    assert probe.cost_s(Subject(1000, 1000, fits.task, ("LABEL_0", "LABEL_1")), data) is None
    assert probe.cost_s(Subject(1000, 1000, "vision.image-classification", fits.labels), data) is None
    assert SimilarityProbe().cost_s(Subject(1000, 1000, "text.sentence-similarity"), data) is None


def test_the_shuffled_control_passes_for_honest_answers_and_fails_for_answers_that_follow_the_shuffle() -> None:
    import random

    right = [str(number % 10) for number in range(540)]
    control = shuffled_control(right, right)
    assert control["passed"]
    assert control["expected"] == pytest.approx(54)  # 540 items, ten balanced labels
    leaked = list(right)
    random.Random(0).shuffle(leaked)  # answers that know the very shuffle
    assert not shuffled_control(leaked, right)["passed"]
    assert shuffled_control(["0"] * 540, right)["passed"]


def test_an_empty_majority_is_that_of_triples() -> None:
    assert LabelledSet("t", "triples", TRIPLES, (), "d", "operator").majority == 0.5
