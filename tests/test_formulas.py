"""The page of formulas: its constants are those of the code, and what it says can be checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.constants import RANK_WEIGHTS, published_constants
from graph.errors import SourceError
from graph.formulas import constants_table, with_constants


def test_the_committed_constants_are_the_codes(repository: Path) -> None:
    page = (repository / "docs" / "formulas.md").read_text(encoding="utf-8")
    assert with_constants(page) == page, "run: python -m graph.formulas"
    assert with_constants(page.replace("| 180 |", "| 181 |")) == page  # another number would be seen


def test_every_constant_has_a_row_and_a_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", constants_table(), flags=re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == [row.name for row in published_constants()]


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(SourceError, match=r"docs/formulas\.md: no place for the constants"):
        with_constants("# Formulas")


def test_the_weights_of_a_rank_add_up_to_a_hundred() -> None:
    assert sum(RANK_WEIGHTS.values()) == 100


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_identity_of_the_proof(k: int, c: int) -> None:
    assert (k + c) * (k + c - 1) - (2 * k + c - 2) * (1 + c) == (k - 1) * (k - 2) >= 0
