"""From the best cosine of a query to the probability that something in the index fits it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import ABSTAIN_CONFIDENCE, CALIBRATION_LEAST_OFF_DOMAIN, FITS_PRIOR
from graph.digest import digest_of
from graph.errors import SnapshotError
from indexer.calibration.questions import fitting_queries, made_queries

METHOD: Final = 2
"""Raised when a calibration is made in another way: snapshots of the way before are built anew."""
_ROWS: Final = 65_536
_STEPS: Final = 100


@dataclass(frozen=True)
class Calibration:
    """A logistic curve on the best cosine: P(fits) = 1 / (1 + exp(-(slope · cosine + intercept))).

    `fitting` and `off_domain` count the queries it was fitted on; `answered` off-domain ones were left out because this
    index answers them. `queries` is the digest of all off-domain ones.
    """

    method: int
    slope: float
    intercept: float
    fitting: int
    off_domain: int
    answered: int
    queries: str

    def confidence(self, cosine: float) -> float:
        """The probability, 0 to 1, that something fits a query whose best cosine is this."""
        return 1.0 / (1.0 + math.exp(-min(max(self.slope * cosine + self.intercept, -700.0), 700.0)))

    @property
    def abstains_below(self) -> float:
        """The best cosine under which the engine abstains."""
        return (math.log(ABSTAIN_CONFIDENCE / (1.0 - ABSTAIN_CONFIDENCE)) - self.intercept) / self.slope

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def open(cls, file: Path) -> Calibration | None:
        """What a file holds; None where it does not exist: a snapshot without calibration.

        Raises
        ------
        SnapshotError
            It holds something else.
        """
        try:
            found = cls(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise SnapshotError(f"{file}: cannot be read as a calibration: run `matchgraph build`") from error
        return found


def calibrate(
    sentences: Sequence[str],
    vectors: NDArray[np.float32],
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
) -> Calibration | None:
    """The calibration of an index; None where nothing is in it, or nothing sets it apart from what no model does.

    Queries made from its own sentences against off-domain ones, both kinds weighing the same, then the prior of
    docs/formulas.md. What is off-domain depends on the index: a query that is as near to it as the median made one is
    left out. No user's query and no test set takes part.

    Parameters
    ----------
    sentences
        What the index may say, as `admitted_sentences` gives it.
    vectors
        float32 (rows, dimension), normalised: the vectors of the index.
    embed
        Texts to vectors, float32 (n, dimension), normalised.
    """
    asked, foreign = made_queries(sentences), fitting_queries()
    if not asked or not len(vectors):
        return None
    cosines = best_cosines(embed([*asked, *foreign]), vectors)
    own, other = cosines[: len(asked)], cosines[len(asked) :]
    other = other[other < np.median(own)]
    if len(other) < CALIBRATION_LEAST_OFF_DOMAIN:
        return None
    slope, intercept = fit_logistic(np.concatenate([own, other]), np.arange(len(own) + len(other)) < len(own))
    if slope <= 0:
        return None
    odds = math.log(FITS_PRIOR / (1.0 - FITS_PRIOR))
    answered = len(foreign) - len(other)
    return Calibration(METHOD, slope, intercept + odds, len(own), len(other), answered, digest_of(foreign))


def best_cosines(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The largest cosine of each query over all rows, float64 (queries,); both float32 (n, dimension), normalised."""
    best = np.full(len(queries), -1.0)
    for start in range(0, len(vectors), _ROWS):
        best = np.maximum(best, (queries @ vectors[start : start + _ROWS].T).max(axis=1))
    return best


def fit_logistic(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of the logistic curve for the probability of truth given a value.

    Both kinds weigh the same in sum. The slope on standardised values has a standard normal prior (an L2 penalty of
    ½, scikit-learn's C = 1), so that few or perfectly parted values give a finite curve. Newton's method, from 0.

    Parameters
    ----------
    values, truth
        Shape (n,) both; some true, some false.
    """
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    design = np.column_stack([(values - centre) / spread, np.ones(len(values))])
    weights = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum()) * len(values)
    penalty = np.array([1.0, 0.0])
    found = np.zeros(2)
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(-design @ found))
        gradient = design.T @ (weights * (chance - truth)) + penalty * found
        curvature = (design * (weights * chance * (1.0 - chance))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        found = found - step
        if float(np.abs(step).max()) < 1e-10:
            break
    slope = float(found[0]) / spread
    return slope, float(found[1]) - slope * centre
