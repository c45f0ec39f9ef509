"""Precision and recall of the claims read from real pages, against labels made before any tuning.

Run from the repository: python benchmarks/claims/extraction.py ../shared/data [--errors] [--write]

A claim is found where metric, comparator and value are the label's, the places overlap, and both are about the page's
own artifact or both about another. Comparisons that it derives ("lighter than X (5.3M)" as fewer parameters than X)
and metrics that the labels do not have are left out of both sides. Intervals: percentile bootstrap over pages, 10,000
draws, seed 0, because the claims of one page go wrong together.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from graph.artifacts import Artifact
from graph.claims import Claim
from indexer.claims import read_claims
from indexer.passages import Passage
from indexer.sources import read_source

HERE = Path(__file__).parent
LABELS = {"first": "labels.jsonl", "second": "labels_second.jsonl", "third": "labels_third.jsonl"}
RATIOS = frozenset({"size_ratio", "speedup", "memory_ratio"})
LABELLED = RATIOS | frozenset(
    [
        "parameters",
        "flops",
        "size_bytes",
        "accuracy",
        "f1",
        "precision",
        "recall",
        "average_precision",
        "mean_iou",
        "error_rate",
        "perplexity",
        "score",
        "loss_points",
        "loss_relative",
        "latency_s",
        "throughput",
        "memory_bytes",
        "steps",
        "max_pixels",
        "resolution",
        "dimensions",
        "max_tokens",
        "context",
        "labels",
        "price",
        "exports",
        "license_allows",
    ]
)
DRAWS = 10_000
SIDES = {
    "open": ("first", False),
    "held back": ("first", True),
    "second set": ("second", True),
    "third set": ("third", True),
}
"""The sides that are measured: which set, and which side of its split."""


@dataclass
class Page:
    """What came out on one page: labels found, labels missed, claims that are no label's; by metric."""

    found: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    missed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    errors: list[str] = field(default_factory=list)


def measure(data: Path, *, held_back: bool, which: str = "first") -> list[Page]:
    """What comes out on every page of one side of the split of a set; the second and third are held back as a whole."""
    rows = [json.loads(line) for line in (HERE / LABELS[which]).read_text(encoding="utf-8").splitlines()]
    wanted = [row for row in rows if row["held_back"] == held_back]
    read = _Reader(data)
    return [_compare(row, read.claims(row), read.text(row["path"])) for row in wanted]


class _Reader:
    """Reads pages by the product's own sources; each file once."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._texts: dict[str, str] = {}
        self._claims: dict[str, list[Claim]] = {}

    def text(self, path: str) -> str:
        """A file's text, line ends as they are."""
        if path not in self._texts:
            with (self._data / path).open(encoding="utf-8", newline="") as stream:
                self._texts[path] = stream.read()
        return self._texts[path]

    def claims(self, row: dict[str, Any]) -> list[Claim]:
        """The claims that were read on a page: a README, or one line of a file of rows."""
        path = row["path"]
        if path not in self._claims:
            source = self._data / path
            folder = source.parent if source.name == "README.md" else source
            self._claims[path] = [
                claim for artifact, passages in _entries(folder) for claim in read_claims(artifact, passages)
            ]
        start, end = 0, len(self.text(path))
        if row["line"] is not None:
            lines = self.text(path).split("\n")
            start = sum(len(line) + 1 for line in lines[: row["line"] - 1])
            end = start + len(lines[row["line"] - 1])
        return [
            claim
            for claim in self._claims[path]
            if claim.span is not None
            and Path(claim.span.file).name == Path(path).name
            and start <= claim.span.start < end
        ]


def _entries(source: Path) -> Iterator[tuple[Artifact, tuple[Passage, ...]]]:
    for entry in read_source(source):
        if entry.artifact is not None:
            yield entry.artifact, entry.passages


def _compare(row: dict[str, Any], read: list[Claim], text: str) -> Page:
    page = Page()
    counted = [c for c in read if c.metric in LABELLED and (c.conditions.reference is None or c.metric in RATIOS)]
    free = list(dict.fromkeys(range(len(counted))))
    for label in row["claims"]:
        hit = next((place for place in free if _is(counted[place], label)), None)
        if hit is None:
            page.missed[label["metric"]] += 1
            page.errors.append(f"missed {label['metric']} {label['comparator']} {label['value']} ({label['about']}): "
                               + _around(text, label["start"], label["end"]))  # fmt: skip
        else:
            free.remove(hit)
            page.found[label["metric"]] += 1
    for place in free:
        claim = counted[place]
        page.wrong[claim.metric] += 1
        span = claim.span
        shown = _around(text, span.start, span.end) if span is not None else claim.text
        page.errors.append(f"wrong {claim.metric} {claim.comparator} {claim.value} ({claim.subject}): {shown}")
    return page


def _is(claim: Claim, label: dict[str, Any]) -> bool:
    if claim.metric != label["metric"] or claim.comparator != label["comparator"] or claim.span is None:
        return False
    if not (claim.span.start < label["end"] and label["start"] < claim.span.end):
        return False
    if ("other_artifact" in claim.flags) != (label["about"] == "other"):
        return False
    wanted = label["value"]
    if isinstance(wanted, str) or isinstance(claim.value, str):
        return str(wanted).casefold() == str(claim.value).casefold()
    return claim.value is not None and abs(claim.value - wanted) <= 1e-6 * max(1.0, abs(wanted))


def _around(text: str, start: int, end: int) -> str:
    return " ".join(text[max(0, start - 80) : end + 50].split())


def summary(pages: list[Page]) -> dict[str, Any]:
    """Precision and recall with their intervals, and counts by metric."""
    found, missed, wrong = (
        np.array([sum(getattr(page, name).values()) for page in pages]) for name in ("found", "missed", "wrong")
    )
    draws = np.random.default_rng(0).integers(0, len(pages), (DRAWS, len(pages)))
    sums = [counts[draws].sum(axis=1) for counts in (found, missed, wrong)]
    metrics = sorted({name for page in pages for counts in (page.found, page.missed, page.wrong) for name in counts})
    return {
        "pages": len(pages), "labels": int((found + missed).sum()), "found": int(found.sum()),
        "missed": int(missed.sum()), "wrong": int(wrong.sum()),
        "precision": _share(found.sum(), wrong.sum(), sums[0], sums[2]),
        "recall": _share(found.sum(), missed.sum(), sums[0], sums[1]),
        "by_metric": {
            name: {kind: sum(getattr(page, kind)[name] for page in pages) for kind in ("found", "missed", "wrong")}
            for name in metrics
        },
    }  # fmt: skip


def _share(right: int, rest: int, drawn_right: Any, drawn_rest: Any) -> dict[str, float]:
    low, high = np.quantile(drawn_right / np.maximum(1, drawn_right + drawn_rest), (0.025, 0.975))
    return {
        "value": round(float(right / (right + rest)), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def write(summaries: dict[str, dict[str, Any]]) -> None:
    """Write the results as JSON and as a page."""
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / "extraction.json").write_text(json.dumps(summaries, indent=2) + "\n", encoding="utf-8")
    (folder / "extraction.md").write_text("\n".join(_page(summaries)) + "\n", encoding="utf-8")


def _page(summaries: dict[str, dict[str, Any]]) -> Iterable[str]:
    yield "# Claims read from real pages"
    yield ""
    yield "Made by `python benchmarks/claims/extraction.py ../shared/data --write`. Intervals: bootstrap over pages,"
    yield "95 %. The held-back pages of the first set were never read by anyone who tuned; of their counts by metric a"
    yield "look was taken twice. The second and third set were blind when they were first measured; then their errors"
    yield "were read and mended, so that what stands here for them proves nothing. What each measurement found on blind"
    yield "pages: [the guide](../README.md#measurements)."
    yield ""
    yield "| | pages | labels | found | missed | wrong | precision | recall |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, side in summaries.items():
        shares = [f"{s['value']:.3f} [{s['low']:.3f}, {s['high']:.3f}]" for s in (side["precision"], side["recall"])]
        counts = [str(side[key]) for key in ("pages", "labels", "found", "missed", "wrong")]
        yield "| " + " | ".join([name, *counts, *shares]) + " |"
    for name, side in summaries.items():
        yield from ("", f"## {name}, by metric", "", "| metric | found | missed | wrong |", "|---|---|---|---|")
        for metric, counts in side["by_metric"].items():
            yield f"| {metric} | {counts['found']} | {counts['missed']} | {counts['wrong']} |"


def main() -> None:
    """Print, and write on demand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--errors", action="store_true", help="print every error but those on held-back pages")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    summaries = {}
    for name, (which, held_back) in SIDES.items():
        pages = measure(options.data, held_back=held_back, which=which)
        summaries[name] = summary(pages)
        if options.errors and name != "held back":
            for page in pages:
                sys.stdout.write("".join(f"{error}\n" for error in page.errors))
    for name, side in summaries.items():
        print(
            f"{name}: {side['pages']} pages, {side['labels']} labels, "
            f"precision {side['precision']}, recall {side['recall']}"
        )
    if options.write:
        write(summaries)


if __name__ == "__main__":
    main()
