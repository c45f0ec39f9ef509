"""The metric table: what can be claimed, in which unit, and which direction is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["up", "down", "exact"]
Judged = Literal["proportion", "number", "fact"]


@dataclass(frozen=True)
class Metric:
    """One claimable quantity.

    `direction` says which side is better when a claim has no comparator of its own; `judged` how a verdict
    is reached: a proportion of n trials, a number with or without an interval, or a yes/no fact.
    """

    name: str
    unit: str
    direction: Direction
    judged: Judged
    meaning: str


_ROWS: Final = (
    Metric("runs", "none", "up", "proportion", "does its task above a declared threshold over chance"),
    Metric("loads", "none", "exact", "fact", "the declared loader loads every tensor it needs"),
    Metric("parameters", "parameters", "exact", "number", "trainable tensors' elements, buffers not counted"),
    Metric("size_bytes", "bytes", "down", "number", "bytes of the weight files"),
    Metric("size_ratio", "ratio", "up", "number", "bytes before divided by bytes after"),
    Metric("accuracy", "percent", "up", "proportion", "share of right answers on a labelled set"),
    Metric("f1", "percent", "up", "number", "harmonic mean of precision and recall"),
    Metric("perplexity", "none", "down", "number", "exp of the mean negative log likelihood"),
    Metric("loss_points", "points", "down", "number", "percentage points lost against the reference"),
    Metric("loss_relative", "percent", "down", "number", "share lost relative to the reference"),
    Metric("latency_s", "seconds", "down", "number", "seconds for one item"),
    Metric("throughput", "items_per_second", "up", "number", "items a second"),
    Metric("speedup", "ratio", "up", "number", "seconds before divided by seconds after"),
    Metric("memory_bytes", "bytes", "down", "number", "peak bytes while running"),
    Metric("memory_ratio", "ratio", "up", "number", "peak bytes before divided by after"),
    Metric("steps", "steps", "exact", "number", "denoising steps"),
    Metric("guidance_calls", "calls", "exact", "number", "transformer calls spent on guidance"),
    Metric("max_pixels", "pixels", "up", "number", "largest picture, width times height"),
    Metric("adherence", "percent", "up", "proportion", "share of pictures that show what the prompt asks"),
    Metric("dimensions", "dimensions", "exact", "number", "length of an embedding"),
    Metric("max_tokens", "tokens", "exact", "number", "tokens read before truncation, by this loader"),
    Metric("context", "tokens", "exact", "number", "positions of the architecture"),
    Metric("labels", "labels", "exact", "number", "classes of the output layer"),
    Metric("exports", "none", "exact", "fact", "converts to the named format with equal answers"),
    Metric("fine_tunes", "none", "exact", "fact", "learns with a new head"),
    Metric("license_allows", "none", "exact", "fact", "the licence permits the named use"),
    Metric("price", "usd", "down", "number", "price of the named unit of use"),
    Metric("api_exists", "none", "exact", "fact", "the named API exists in the named version"),
    Metric("tool_listed", "none", "exact", "fact", "the server lists the named tool"),
    # Beyond the first table: what pages state beside these (docs/decisions/0023-metrics-of-pages.md).
    Metric("flops", "operations", "down", "number", "operations of one forward pass"),
    Metric("precision", "percent", "up", "proportion", "share of what was found that is right"),
    Metric("recall", "percent", "up", "proportion", "share of what is right that was found"),
    Metric(
        "average_precision", "percent", "up", "number", "area under precision over recall, or its mean over classes"
    ),
    Metric("mean_iou", "percent", "up", "number", "intersection over union, mean over classes"),
    Metric("error_rate", "percent", "down", "number", "share of wrong answers, words or characters"),
    Metric("score", "none", "up", "number", "another measured quality, named in the conditions"),
    Metric("resolution", "pixels", "exact", "fact", "width x height of the pictures that it reads or writes"),
    Metric("page_score", "none", "exact", "number", "a score that a page prints beside its entry"),
    Metric("times_matched", "searches", "exact", "number", "searches that a page says delivered its entry"),
    Metric("leads", "none", "exact", "fact", "the page gives it the higher of two scores"),
    Metric("search_evidence", "none", "exact", "fact", "the page rests on recorded searches"),
)
METRICS: Final = {row.name: row for row in _ROWS}
