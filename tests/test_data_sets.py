"""Labelled sets: what is read, what is refused with file and line, and a digest of content alone."""

from __future__ import annotations

import csv
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from graph.errors import InputError, SourceError
from inference.data.sets import LabelledSet, built_in, known_sets, open_data, open_picture, same_name, sample
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
        from inference.data.labelled import _content_digest, digests_of

        return _content_digest("text", digests_of(text.encode() for text, _ in rows), [label for _, label in rows])

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


def refused(path: Path) -> SourceError:
    """The one line that a set is refused with."""
    with pytest.raises(SourceError) as caught:
        open_data("bad", path)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        ("text,text,label\na,b,x\n", "malformed", 1, "twice"),
        ("text,label,prompt\na,x,b\n", "malformed", 1, "remove those of one kind"),
        ("text,category\na,x\n", "missing_columns", 1, "text, category"),
        ("tokens,tags\na b,O O\na b,O\n", "malformed", 3, "2 tokens but 1 tags"),
        ("tokens,tags\na b,O O\nc,O\n", "one_class", None, "only one label"),
        ("text,label\na,x\nb\0,y\n", "malformed", 3, "NUL"),
    ],
)
def test_a_refusal_says_what_and_where(tmp_path: Path, content: str, code: str, line: int | None, words: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content, encoding="utf-8")
    error = refused(file)
    assert (error.code, error.line) == (code, line)
    assert words in str(error)


def test_another_encoding_is_named(tmp_path: Path) -> None:
    for name, encoding, line in (("a.csv", "utf-16", 1), ("b.csv", "utf-16-le", 1)):
        (tmp_path / name).write_bytes("text,label\na,x\nb,y\n".encode(encoding))
        error = refused(tmp_path / name)
        assert (error.code, error.line) == ("encoding", line)
        assert "save it as UTF-8" in str(error)


def test_a_pipe_is_no_set(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    assert "not a regular file" in str(refused(tmp_path / "a.csv"))


def test_nested_columns_of_parquet_are_refused_and_names_of_numbered_labels_read(tmp_path: Path) -> None:
    nested = pyarrow.table({"text": [[{"a": ["b"]}], [{"a": ["c"]}]], "label": ["x", "y"]})
    pyarrow.parquet.write_table(nested, tmp_path / "nested.parquet")
    assert "holds list<" in str(refused(tmp_path / "nested.parquet"))
    features = {"info": {"features": {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}}}
    table = pyarrow.table({"text": ["a", "b"], "label": [1, 0]})
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    pyarrow.parquet.write_table(table, tmp_path / "named.parquet")
    assert open_data("named", tmp_path / "named.parquet").labels == ("good", "bad")


def test_a_parquet_file_that_grows_when_unpacked_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    """20,000 references to one text of 2 MB would be 40 GB: the text is refused for its length before that."""
    long = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 20_000, "int32"), pyarrow.array(["a" * 2_000_000]))
    pyarrow.parquet.write_table(pyarrow.table({"text": long, "label": ["x", "y"] * 10_000}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 10_000_000
    assert "in some row" in str(refused(tmp_path / "a.parquet"))
    many = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 100_000, "int32"), pyarrow.array(["a" * 90_000]))
    pyarrow.parquet.write_table(pyarrow.table({"text": many, "label": ["x", "y"] * 50_000}), tmp_path / "b.parquet")
    assert "Mi characters" in str(refused(tmp_path / "b.parquet"))


def test_words_of_parquet_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    raw = pyarrow.array([b"caf\xe9", b"tea"], pyarrow.binary())
    words = pyarrow.StringArray.from_buffers(2, raw.buffers()[1], raw.buffers()[2])
    pyarrow.parquet.write_table(pyarrow.table({"text": words, "label": ["x", "y"]}), tmp_path / "a.parquet")
    assert refused(tmp_path / "a.parquet").code in ("unreadable", "encoding")


# Other kinds --------------------------------------------------------------------------------------------
def test_tokens_prompts_and_passages_are_kinds_of_their_own(tmp_path: Path) -> None:
    tokens = write_csv(tmp_path / "t.csv", ["tokens", "tags"], [("Ann  sings", "B-PER O"), ("it rains", "O O")])
    read = open_data("t", tokens)
    assert (read.kind, read.items[0], read.labels) == ("tokens", ["Ann", "sings"], ("B-PER O", "O O"))
    assert (read.classes, read.majority) == (("B-PER", "O"), 0.75)
    prompts = open_data("p", write_csv(tmp_path / "p.csv", ["prompt", "label"], [("a red dot", "red"), ("b", "c")]))
    assert (prompts.kind, prompts.items[0], prompts.labels) == ("prompt", "a red dot", ("red", "c"))
    passages = open_data("x", write_csv(tmp_path / "x.csv", ["text"], [("one",), ("two",)]))
    assert (passages.kind, list(passages.items), passages.labels) == ("passages", ["one", "two"], ())
    stage_items(read, tmp_path / "staged")
    assert json.loads((tmp_path / "staged" / "items.json").read_text()) == [["Ann", "sings"], ["it", "rains"]]


def test_the_built_in_prompts_are_labelled_with_what_they_ask() -> None:
    data = built_in("drawings")
    assert (data.kind, len(data.classes), data.warnings) == ("prompt", 12, ())
    assert all(word in prompt.split() for prompt, label in zip(data.items, data.labels, strict=True)
               for word in label.split())  # fmt: skip


def test_repeated_items_and_quarrels_are_said(tmp_path: Path) -> None:
    rows = [("a", "x"), ("a", "x"), ("b", "x"), ("b", "y"), ("c", "y")]
    warnings = open_data("w", write_csv(tmp_path / "w.csv", ["text", "label"], rows)).warnings
    assert [warning.split(":")[0] for warning in warnings] == [
        "2 of 5 items are repeated", "1 items have more than one label",
    ]  # fmt: skip
    assert open_data("w", write_csv(tmp_path / "w.csv", ["text", "label"], rows[1:3] + rows[4:])).warnings == ()
    prompts = write_csv(tmp_path / "p.csv", ["prompt", "label"], [*rows[:3], ("c", "y")])
    assert open_data("p", prompts).warnings == ()  # asked again, a prompt gives another picture


def test_a_part_is_drawn_by_seed_and_has_a_digest_of_its_own(tmp_path: Path) -> None:
    data = open_data(
        "mine", write_csv(tmp_path / "a.csv", ["text", "label"], [(str(n), str(n % 2)) for n in range(50)])
    )
    one, again, other = sample(data, 20), sample(data, 20), sample(data, 20, seed=1)
    assert (one.items, one.labels, one.digest) == (again.items, again.labels, again.digest)
    assert len({data.digest, one.digest, other.digest}) == 3
    assert list(one.items) == sorted(one.items, key=int)
    assert all(int(item) % 2 == int(label) for item, label in zip(one.items, one.labels, strict=True))
    assert sample(data, 50) is data
    with pytest.raises(InputError, match="--limit 1"):
        sample(data, 1)


# Pictures that are bombs --------------------------------------------------------------------------------
def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_huge_png(file: Path, side: int) -> None:
    """A PNG whose header alone says side x side pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)))


def test_bombs_and_things_that_are_no_pictures_are_refused_by_their_header(tmp_path: Path) -> None:
    for name in ("huge", "text", "beside"):
        write_pictures(tmp_path / name)
    write_huge_png(tmp_path / "huge" / "dark" / "9.png", 60_000)
    (tmp_path / "text" / "dark" / "9.png").write_text("no picture", encoding="utf-8")
    Image.new("RGB", (4, 4)).save(tmp_path / "beside" / "a.png")
    limit_before = Image.MAX_IMAGE_PIXELS
    assert "60000x60000 pixels" in str(refused(tmp_path / "huge"))
    assert "not a picture that can be read" in str(refused(tmp_path / "text"))
    assert "one folder a label" in str(refused(tmp_path / "beside"))
    assert limit_before == Image.MAX_IMAGE_PIXELS


def test_a_picture_of_too_many_bytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "set")
    with (folder / "dark" / "0.png").open("r+b") as stream:
        stream.truncate(1 << 30)  # a gigabyte, without writing it
    assert refused(folder).code == "too_large"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_what_a_picture_carries_besides_pixels_cannot_end_a_run(tmp_path: Path) -> None:
    turned, broken, moving = tmp_path / "turned.jpg", tmp_path / "broken.png", tmp_path / "moving.gif"
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (8, 4)).save(turned, exif=exif)
    Image.new("RGB", (8, 4)).save(broken, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 30)
    frames = [Image.new("RGB", (8, 4), (shade, 0, 0)) for shade in range(0, 250, 10)]
    frames[0].save(moving, save_all=True, append_images=frames[1:])
    assert (open_picture(turned).size, open_picture(turned).info) == ((4, 8), {})
    assert open_picture(moving).getpixel((0, 0)) == (0, 0, 0)
    assert open_picture(broken).info == {}


def test_a_truncated_picture_is_found_where_it_is_unpacked(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(rows).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    write_huge_png(tmp_path / "huge.png", 9_000)  # less than the library itself refuses
    text = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"b" * (80 << 20)))
    (tmp_path / "text.png").write_bytes(whole[:33] + text + whole[33:])
    for name in ("half.png", "huge.png", "text.png"):
        with pytest.raises(ValueError, match="9000x9000 pixels" if name == "huge.png" else r"."):
            open_picture(tmp_path / name)


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
    assert [(found.successes, found.n) for found in scored.all_of("accuracy")] == [(2, 3)]
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
