"""FAISS and BM25 as the index uses them: exact, ordered, empty, saved and mapped, beside a second implementation."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bm25s
import numpy as np
import pytest
import Stemmer

from graph.errors import SnapshotError
from indexer.lexical import Lexical, tokenize
from indexer.vectors import DIVIDED, Vectors

TEXTS = [
    "Reads handwritten digits from grey pictures",
    "Digits and letters are read from scanned pictures, digits first",
    "Translates English sentences into German",
    "",
    "The and of",
]


def unit(rows: int, dimension: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


# Vectors ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("saved", [False, True])
def test_nearest_is_what_sorting_all_products_gives(tmp_path: Path, saved: bool) -> None:
    matrix, query = unit(300, 16), unit(1, 16, seed=1)[0]
    index = Vectors.of(matrix)
    if saved:
        index.save(tmp_path / "v.faiss")
        index = Vectors.open(tmp_path / "v.faiss")
    rows, cosines = index.nearest(query, 25)
    products = matrix.astype(np.float64) @ query
    assert rows.tolist() == np.argsort(-products, kind="stable")[:25].tolist()
    np.testing.assert_allclose(cosines, products[rows], atol=1e-6)
    np.testing.assert_allclose(index.all_cosines(query), products, atol=1e-6)
    np.testing.assert_array_equal(index.at(rows), matrix[rows])


def test_half_of_the_rows_worked_off_aside_has_the_same_bits() -> None:
    matrix, query = unit(2 * DIVIDED + 1, 24), unit(1, 24, seed=1)[0]
    index = Vectors.of(matrix)
    with ThreadPoolExecutor(1) as aside:
        found = index.all_cosines(query, aside)
        few = Vectors.of(matrix[:9]).all_cosines(query, aside)
    assert found.tobytes() == index.all_cosines(query).tobytes()
    assert few.tobytes() == found[:9].tobytes()


@pytest.mark.parametrize("top", [1, 2, 3, 99, 150])
def test_equal_vectors_come_in_row_order_whichever_side_of_the_cut_they_are(top: int) -> None:
    matrix = np.repeat(unit(1, 8), 200, axis=0)
    rows, _ = Vectors.of(matrix).nearest(matrix[0], top)
    assert rows.tolist() == list(range(top))


def test_an_empty_index_and_odd_limits() -> None:
    empty = Vectors.of(np.zeros((0, 8), np.float32))
    assert empty.shape == (0, 8)
    assert empty.nearest(unit(1, 8)[0], 5)[0].shape == (0,)
    assert empty.all_cosines(unit(1, 8)[0]).shape == (0,)
    assert empty.at(np.zeros(0, np.int64)).shape == (0, 8)
    three = Vectors.of(unit(3, 8))
    assert len(three.nearest(unit(1, 8)[0], 10)[0]) == 3
    assert len(three.nearest(unit(1, 8)[0], 0)[0]) == 0
    with pytest.raises(IndexError, match="has 3"):
        three.at(np.array([3]))
    with pytest.raises(ValueError, match="dimension 8"):
        three.nearest(unit(1, 9)[0], 1)


@pytest.mark.parametrize("content", [None, b"", b"no index at all"])
def test_a_damaged_vector_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "v.faiss"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SnapshotError, match=r"v\.faiss"):
        Vectors.open(file)


# Lexical ------------------------------------------------------------------------------------------------
def direct_scores(texts: list[str], query: str) -> np.ndarray:
    """The same by bm25s alone, with its own vocabulary."""
    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False)
    [tokens] = bm25s.tokenize([query], stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)
    return index.get_scores(tokens)


@pytest.mark.parametrize("query", ["digits", "read digit pictures", "digits digits", "German translation of digits"])
def test_scores_are_those_of_bm25s(tmp_path: Path, query: str) -> None:
    Lexical.of(TEXTS).save(tmp_path / "lexical")
    scores = Lexical.open(tmp_path / "lexical").scores(query)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, direct_scores(TEXTS, query), rtol=1e-6)
    assert scores.max() > 0


def test_a_score_by_hand() -> None:
    """Lucene's BM25 of one word: ln(1 + (N − df + ½)/(df + ½)) · tf/(tf + k1·(1 − b + b·length/mean length))."""
    scores = Lexical.of(["cats dogs", "cats", "birds"]).scores("cat")
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = [idf / (1 + 1.5 * (0.25 + 0.75 * length / (4 / 3))) for length in (2, 1)]
    np.testing.assert_allclose(scores, [*expected, 0.0], rtol=1e-6)


@pytest.mark.parametrize("query", ["zebra", "", "the of", "x", "\x00"])
def test_a_query_without_a_known_word_scores_nothing(query: str) -> None:
    np.testing.assert_array_equal(Lexical.of(TEXTS).scores(query), np.zeros(len(TEXTS)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("texts", [[], ["", "the of"]])
def test_a_corpus_without_a_word_is_an_index_too(tmp_path: Path, texts: list[str]) -> None:
    Lexical.of(texts).save(tmp_path / "lexical")
    index = Lexical.open(tmp_path / "lexical")
    np.testing.assert_array_equal(index.scores("digits"), np.zeros(len(texts), np.float32))
    assert index.words() == frozenset()


def test_the_same_texts_give_the_same_bytes_in_every_process(tmp_path: Path, repository: Path) -> None:
    code = f"from pathlib import Path; from indexer.lexical import Lexical; Lexical.of({TEXTS!r}).save(Path({{!r}}))"
    for name, seed in (("one", "1"), ("two", "2")):
        command = [sys.executable, "-c", code.format(str(tmp_path / name))]
        subprocess.run(command, check=True, cwd=repository, env={**os.environ, "PYTHONHASHSEED": seed})
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_words_of_corpus_and_query_are_cut_alike() -> None:
    assert tokenize(["Running the RUNS, naïve café-models"]) == [["run", "run", "naïv", "café", "model"]]
    assert Lexical.of(["running models"]).scores("run MODEL").tolist()[0] > 0


def test_a_damaged_lexical_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="absent"):
        Lexical.open(tmp_path / "absent")
    Lexical.of(TEXTS).save(tmp_path / "lexical")
    (tmp_path / "lexical" / "params.index.json").write_text("[")
    with pytest.raises(SnapshotError, match="lexical"):
        Lexical.open(tmp_path / "lexical")
