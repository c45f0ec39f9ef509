"""What is known of every artifact apart from searches, in arrays, one row each, as far as ranks depend on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import DAY_US, FRESHNESS_EVIDENCE_DAYS, FRESHNESS_REVISION_DAYS
from graph.packed_names import pack_names
from graph.ranks.score_inputs import Known, ScoreInput, join_inputs
from graph.ranks.scores import fixed_components
from graph.walks import Walks

Floats = NDArray[np.float64]
COUNTS: Final = ("downloads", "likes", "stars")
COLUMNS: Final = (*COUNTS, "quality", "ecosystem", "released_us", "evidence_us", "derivatives", "shared_capabilities")


@dataclass(frozen=True)
class KnownColumns:
    """The artifacts that are not retired, sorted by id.

    Attributes
    ----------
    ids : bytes, bytes
        The id of each row, as `graph.packed_names.pack_names` gives them.
    type_names : sequence of str
        The types, sorted.
    types : ndarray
        Int32 of shape (rows,): the number of each row's type in `type_names`.
    columns : mapping
        Float64 of shape (rows,) by the names in `COLUMNS`; NaN where unknown. Moments are in microseconds, which
        float64 holds exactly until the year 2255.
    """

    ids: tuple[bytes, bytes]
    type_names: Sequence[str]
    types: NDArray[np.int32]
    columns: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.types)

    def freshness(self, rows: NDArray[np.int64], as_of_us: int) -> Floats:
        """The component freshness of some rows at a moment, float64 (rows,); NaN where neither date is known."""
        halves = []
        lives = (("released_us", FRESHNESS_REVISION_DAYS), ("evidence_us", FRESHNESS_EVIDENCE_DAYS))
        for name, half_life_days in lives:
            age_days = (as_of_us - self.columns[name][rows]) / DAY_US
            halves.append(np.where(age_days >= 0, 2.0 ** (-np.maximum(age_days, 0) / half_life_days), np.nan))
        known = ~np.isnan(halves)
        with np.errstate(invalid="ignore"):  # neither known is not a number
            mean: Floats = np.nansum(halves, axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
        return mean


def known_columns(known: Known) -> KnownColumns:
    """The columns of what is known."""
    inputs = join_inputs(known, Walks({}, {}), {})
    fixed = [fixed_components(each) for each in inputs]
    columns = {name: _column(inputs, lambda each, name=name: getattr(each, name))  # type: ignore[misc]
               for name in COLUMNS if name not in ("quality", "ecosystem")}  # fmt: skip
    for place, name in enumerate(("quality", "ecosystem")):
        columns[name] = np.array([np.nan if each[place] is None else each[place] for each in fixed], np.float64)
    names = sorted({each.type for each in inputs})
    number = {name: i for i, name in enumerate(names)}
    types = np.array([number[each.type] for each in inputs], np.int32)
    return KnownColumns(pack_names(each.artifact for each in inputs), names, types, columns)


def _column(inputs: Sequence[ScoreInput], value: Callable[[ScoreInput], float | None]) -> Floats:
    found = (value(each) for each in inputs)
    return np.array([np.nan if each is None else each for each in found], np.float64)
