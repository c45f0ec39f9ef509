"""Check the labelled claims against their own rules, and against the pages where those are at hand.

python benchmarks/claims/validate_labels.py [../shared/data] [--set second|third] [--labels FILE]

Checks labels.jsonl, or labels_second.jsonl or labels_third.jsonl against their own draw. Prints how many claims of each
metric there are in each split, or what is wrong and where; never a page's text.
Without the data folder, digests and offsets go unchecked and the last line says so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from sample_pages import SETS, Page, drawn_strata, held_back

UNITS = {
    "parameters": "parameters",
    "flops": "operations",
    "size_bytes": "bytes",
    "accuracy": "percent",
    "f1": "percent",
    "precision": "percent",
    "recall": "percent",
    "average_precision": "percent",
    "mean_iou": "percent",
    "error_rate": "percent",
    "perplexity": "none",
    "score": "none",
    "loss_points": "points",
    "loss_relative": "percent",
    "latency_s": "seconds",
    "throughput": "items_per_second",
    "speedup": "ratio",
    "size_ratio": "ratio",
    "memory_ratio": "ratio",
    "memory_bytes": "bytes",
    "steps": "steps",
    "max_pixels": "pixels",
    "resolution": "pixels",
    "dimensions": "dimensions",
    "max_tokens": "tokens",
    "context": "tokens",
    "labels": "labels",
    "price": "usd",
    "exports": "none",
    "license_allows": "none",
}
"""The unit that the value of each metric is in."""
WORD_VALUES = {"resolution", "exports", "license_allows"}
COMPARATORS = {"=", "<", "<=", ">", ">=", "up_to"}
NUMBER_WORDS = {
    **{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5},
    **{"six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10},
}
FACTORS = {
    "parameters": (1, 10**3, 10**6, 10**9),
    "flops": (1, 10**6, 10**9, 10**12),
    "size_bytes": (1, 10**3, 10**6, 10**9),
    "memory_bytes": (1, 10**3, 10**6, 10**9),
    "max_pixels": (1, 10**6),
    "latency_s": (1, Decimal("0.001"), Decimal("0.000001")),
}
"""What a printed number may be multiplied by to give the value, beside 100 where a share stands for a percentage."""
PAGE_FIELDS = {"path", "line", "sha256", "held_back", "claims"}
CLAIM_FIELDS = {
    *("start", "end", "metric", "comparator", "value", "unit"),
    *("about", "subject", "hedged", "dataset"),
}


def faults_of_claim(claim: dict[str, Any]) -> Iterator[str]:
    """What is wrong with one claim, whatever its page says; nothing where it keeps the rules."""
    if set(claim) != CLAIM_FIELDS:
        yield f"fields differ: {sorted(set(claim) ^ CLAIM_FIELDS)}"
        return
    if not 0 <= claim["start"] < claim["end"]:
        yield f"offsets {claim['start']} to {claim['end']} hold nothing"
    if UNITS.get(claim["metric"]) != claim["unit"]:
        yield f"metric {claim['metric']!r} in {claim['unit']!r} is not in the table"
    if claim["comparator"] not in COMPARATORS:
        yield f"comparator {claim['comparator']!r} is not one of {sorted(COMPARATORS)}"
    if isinstance(claim["value"], str) != (claim["metric"] in WORD_VALUES):
        yield f"a {claim['metric']} has the value {claim['value']!r}"
    if (claim["about"] == "other") != bool(claim["subject"]) or claim["about"] not in {"self", "other"}:
        yield f"about {claim['about']!r} with the subject {claim['subject']!r}"
    if not isinstance(claim["hedged"], bool):
        yield f"hedged is {claim['hedged']!r}"


def faults_of_span(claim: dict[str, Any], printed: str) -> Iterator[str]:
    """What is wrong with the value of a claim beside the text at its offsets, without saying that text."""
    metric, value = claim["metric"], claim["value"]
    if metric == "resolution":
        if re.sub(r"\s", "", printed).lower() != value:
            yield f"the text at the offsets is not {value}"
    elif isinstance(value, str):
        if printed.lower() != value.lower():
            yield f"the text at the offsets is not {value!r}"
    elif float(value) not in {float(possible) for possible in _possible_values(metric, printed)}:
        yield f"the text at the offsets does not print {value}"


def _possible_values(metric: str, printed: str) -> set[Decimal]:
    if printed.lower() in NUMBER_WORDS:
        return {Decimal(NUMBER_WORDS[printed.lower()])}
    found = re.search(r"(?:^-)?\d[\d,]*(\.\d+)?", printed)
    if found is None:
        return set()
    number = Decimal(found.group().replace(",", ""))
    factors = {Decimal(factor) for factor in FACTORS.get(metric, (1,))}
    if UNITS[metric] == "percent" and abs(number) <= 1 and "%" not in printed:
        factors = {Decimal(100)}
    values = {number * factor for factor in factors}
    if UNITS[metric] == "ratio" and "%" in printed and number < 100:
        values |= {round(100 / (100 - number), 6), round(100 / number, 6), 1 + number / 100}
    if metric.startswith("loss_"):
        values.add(100 - number)
    return values


def faults_of_page(page: dict[str, Any], data: Path | None) -> Iterator[str]:
    """What is wrong with one page's labels; `data` is the folder that paths are relative to, if present."""
    if set(page) != PAGE_FIELDS:
        yield f"fields differ: {sorted(set(page) ^ PAGE_FIELDS)}"
        return
    spans = [(claim.get("start"), claim.get("end"), claim.get("comparator")) for claim in page["claims"]]
    if spans != sorted(set(spans)):
        yield "claims are not in order of their offsets, or one is there twice"
    faults = [
        f"claim {number}: {fault}" for number, claim in enumerate(page["claims"], 1) for fault in faults_of_claim(claim)
    ]
    yield from faults
    if data is not None and not faults:
        yield from _faults_beside_text(page, data)


def _faults_beside_text(page: dict[str, Any], data: Path) -> Iterator[str]:
    try:
        text, digest = _read(data / page["path"])
    except FileNotFoundError:
        yield "the page is not in the data folder"
        return
    if digest != page["sha256"]:
        yield "the file has another SHA-256 than when it was labelled"
        return
    first, last = _extent(text, page["line"])
    for number, claim in enumerate(page["claims"], 1):
        if not first <= claim["start"] < claim["end"] <= last:
            yield f"claim {number}: offsets lie outside the page"
            continue
        for fault in faults_of_span(claim, text[claim["start"] : claim["end"]]):
            yield f"claim {number}: {fault}"


@cache
def _read(path: Path) -> tuple[str, str]:
    content = path.read_bytes()
    return content.decode("utf-8"), hashlib.sha256(content).hexdigest()


def _extent(text: str, line: int | None) -> tuple[int, int]:
    """The first offset of a line (counted from 1) and the one after its last; of the whole text where line is None."""
    if line is None:
        return 0, len(text)
    before = text.split("\n", line)
    if len(before) < line:
        return 0, 0
    first = sum(len(part) + 1 for part in before[: line - 1])
    return first, first + len(before[line - 1])


def drawn_pages(data: Path, which: str) -> dict[Page, bool]:
    """The pages that `sample_pages` draws for a set, and whether each is held back."""
    return {
        page: which != "first" or page in held_back(stratum)
        for stratum in drawn_strata(data, which).values()
        for page in stratum
    }


def faults_of_sample(pages: list[dict[str, Any]], drawn: dict[Page, bool]) -> Iterator[str]:
    """Where the labelled pages and their split are not the drawn ones, or a page is labelled twice."""
    times = Counter((page["path"], page["line"]) for page in pages)
    yield from (f"{path}:{line or ''}: labelled {count} times" for (path, line), count in times.items() if count > 1)
    labelled = {(page["path"], page["line"]): page["held_back"] for page in pages}
    for page in sorted(drawn.keys() | labelled.keys(), key=str):
        if drawn.get(page) != labelled.get(page):
            yield f"{page[0]}:{page[1] or ''}: drawn and labelled as held back: {drawn.get(page)}, {labelled.get(page)}"


def table(pages: list[dict[str, Any]]) -> str:
    """A Markdown table: claims of each metric and pages, one column for each split that there is."""
    counts = Counter((claim["metric"], page["held_back"]) for page in pages for claim in page["claims"])
    pages_of = Counter(page["held_back"] for page in pages)
    columns = sorted(pages_of)
    rows = [(metric, [counts[metric, apart] for apart in columns]) for metric in UNITS]
    rows = [(metric, numbers) for metric, numbers in rows if any(numbers)]
    rows += [("**all claims**", [sum(column) for column in zip(*(numbers for _, numbers in rows), strict=True)])]
    rows += [("pages", [pages_of[apart] for apart in columns])]
    lines = [_row("metric", ["held back" if apart else "open" for apart in columns]), "|---" * (len(columns) + 1) + "|"]
    return "\n".join(lines + [_row(name, numbers) for name, numbers in rows])


def _row(name: str, cells: Sequence[object]) -> str:
    return "| " + " | ".join([name, *map(str, cells)]) + " |"


def main() -> None:
    """Check, then print the table; exit 1 with one line a fault."""
    parser = argparse.ArgumentParser(description="Check the labelled claims.")
    parser.add_argument("data", nargs="?", type=Path, help="the data folder that paths are relative to")
    parser.add_argument("--set", choices=SETS, default="first", help="which draw, and whose labels")
    parser.add_argument("--labels", type=Path, help="another file with the labels of that draw")
    options = parser.parse_args()
    name = "labels.jsonl" if options.set == "first" else f"labels_{options.set}.jsonl"
    labels = options.labels or Path(__file__).with_name(name)
    pages = [json.loads(line) for line in labels.read_text(encoding="utf-8").splitlines()]
    faults = [
        f"{page.get('path')}:{page.get('line') or ''}: {fault}"
        for page in pages
        for fault in faults_of_page(page, options.data)
    ]
    if options.data is not None:
        faults += faults_of_sample(pages, drawn_pages(options.data, options.set))
    if faults:
        sys.exit("\n".join(faults))
    print(table(pages))
    if options.data is None:
        print("digests and offsets not checked: no data folder given")


if __name__ == "__main__":
    main()
