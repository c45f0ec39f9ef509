"""The JSON document of `evaluate models`: what each model got right, how each pair differs, who is ahead."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from graph.claims import Interval
from graph.responses import Document

Origin = Literal["home", "directory", "cache"]


class ComparedData(Document):
    """The items that every model was asked: `items` of the file's `of_items`, drawn by `seed` where they are fewer.

    `majority_label` is what a guesser would always say, right on a share `majority`, 0..1, of the items.
    """

    name: str
    kind: str
    digest: str
    declared_by: Literal["known", "operator"]
    items: int
    of_items: int
    seed: int
    labels: tuple[str, ...] = ()
    majority: float
    majority_label: str | None = None
    warnings: tuple[str, ...] = ()


class ComparedModel(Document):
    """One model: `reason_code` and `reason` say why there is no number, else `score` holds it.

    `score` is in percent with its interval where the items are right or wrong (`successes` of `n`), else in the unit
    of the comparison. `f1`, in percent, is the macro F1 over the labels, or that of whole entities. `evidence` names
    the records that were appended for it.
    """

    name: str
    origin: Origin
    artifact: str | None = None
    digest: str | None = None
    task: str | None = None
    probe: str | None = None
    reason_code: str | None = None
    reason: str = ""
    score: float | None = None
    interval: Interval | None = None
    successes: int | None = None
    n: int | None = None
    f1: float | None = None
    seconds_per_item: float | None = None
    load_s: float | None = None
    size_bytes: int | None = None
    parameters: int | None = None
    control_passed: bool | None = None
    resumed: bool = False
    layers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


class ComparedPair(Document):
    """Two models on the same items: the difference first − second with its simultaneous interval.

    `both`, `only_first`, `only_second`, `neither` count items by who was right; null where items have losses. The
    McNemar p-values (exact; `p_holm` adjusted over all pairs) are for information and decide nothing. `detectable` is
    the smallest difference that 80 % of such comparisons would have told apart from none.
    """

    first: str
    second: str
    difference: float
    interval: Interval
    both: int | None = None
    only_first: int | None = None
    only_second: int | None = None
    neither: int | None = None
    p_mcnemar: float | None = None
    p_holm: float | None = None
    detectable: float | None = None


class EvaluateModelsResponse(Document):
    """The answer of `evaluate models`.

    `unit` is that of scores and differences. `winner` is the one model that every simultaneous interval puts ahead,
    or null; `leading` are those that cannot be told apart from the best. `pair_level` is the level of each pair's
    interval, so that all of them hold together at `level`.
    """

    task: str | None
    metric: str
    unit: str
    data: ComparedData
    models: tuple[ComparedModel, ...]
    pairs: tuple[ComparedPair, ...]
    level: float
    pair_level: float
    leading: tuple[str, ...]
    winner: str | None
    verdict: str
    units_run: int = Field(ge=0)
    units_resumed: int = Field(ge=0)
    units_left: int = Field(ge=0)
    device: str
    duration_s: float
    repeat: str
