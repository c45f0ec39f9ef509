"""Draw the pages that the claims were labelled on, and their split; the same pages every time.

python benchmarks/claims/sample_pages.py ../shared/data

Strata are drawn before their pages are labelled: Open Model Zoo pages, APIBench rows whose description or performance
holds a digit, rows whose description does, and pages that speak of speed, size or comparison, which chance leaves
rare. A third of each stratum is held back, by a hash of `path:line`.

With `--set second` or `--set third`, the pages of labels_second.jsonl and labels_third.jsonl: drawn in the same way
from what no earlier sample and not looked_at.json holds, and held back as a whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
from pathlib import Path

Page = tuple[str, int | None]
"""Path relative to the data folder, and the line counted from 1 for a row of a JSON Lines file."""

SEED = 20261128
ZOO_PAGES = {"intel": 34, "public": 34}
"""Of 61 and 55."""
DIGIT_ROWS = {"huggingface": 19, "tensorflowhub": 10, "torchhub": 12}
PROSE_ROWS = {"huggingface": 30, "tensorflowhub": 8, "torchhub": 10}
SOUGHT_PAGES = {"zoo": 8, "apibench": 46}
SECOND_DIGIT_ROWS = {"huggingface": 14, "tensorflowhub": 8, "torchhub": 8}
SECOND_PROSE_ROWS = {"huggingface": 10, "tensorflowhub": 5, "torchhub": 5}
SECOND_SOUGHT_ROWS = 10
THIRD_DIGIT_ROWS = {"huggingface": 34, "tensorflowhub": 16, "torchhub": 10}
THIRD_PROSE_ROWS = {"huggingface": 14, "tensorflowhub": 8, "torchhub": 0}
THIRD_SOUGHT_ROWS = 18
SETS = ("first", "second", "third")
LOOKED_AT = Path(__file__).with_name("looked_at.json")
"""Files and rows that were read while an extractor was tuned after the first measurement: paths and lines only."""
SOUGHT = re.compile(
    r"faster|slower|smaller|lighter|fewer|outperform|compared to|\d(\.\d+)?x\b|\d ?fps|\d ?ms\b|\d ?[MG]B\b|\d ?[MB]\b|"
    r"(up to|over|more than|at least|less than) \d|(million|billion) param|parameters|\d tokens|commercial|"
    r"max(imum)? (sequence )?length"
)


def held_back(pages: list[Page]) -> set[Page]:
    """The pages that are never looked at while an extractor is tuned: a third of one stratum, rounded up.

    They are the first by SHA-256 of `path:line` (a whole file: `path:`), so nothing on a page can decide it.
    """
    return set(sorted(pages, key=_digest)[: math.ceil(len(pages) / 3)])


def _digest(page: Page) -> str:
    path, line = page
    return hashlib.sha256(f"{path}:{'' if line is None else line}".encode()).hexdigest()


def strata(data: Path) -> dict[str, list[Page]]:
    """The drawn pages in order of path and line, by the name of their stratum; no page is in two."""
    zoo = {group: _zoo_pages(data, group) for group in ZOO_PAGES}
    rows = {name: _rows(data, name) for name in DIGIT_ROWS}
    drawn: dict[str, list[Page]] = {}
    for group, count in ZOO_PAGES.items():
        drawn[group] = _draw(list(zoo[group]), count, group)
    drawn |= _digit_strata(rows, DIGIT_ROWS, PROSE_ROWS)
    taken = {page for pages in drawn.values() for page in pages}
    texts = {page: text for group in zoo.values() for page, text in group.items()}
    drawn["zoo:sought"] = _draw(_sought(texts, taken), SOUGHT_PAGES["zoo"], "zoo:sought")
    drawn["apibench:sought"] = _draw(_sought(_prose(rows), taken), SOUGHT_PAGES["apibench"], "apibench:sought")
    return drawn


def second_strata(data: Path) -> dict[str, list[Page]]:
    """The pages of the second set, in the order and under the names of `strata`; all of them are held back.

    Of the zoo these are all the pages that are left, of the rows a draw with another seed.
    """
    seen = looked_at() | {page for pages in strata(data).values() for page in pages}
    drawn = {group: [page for page in _zoo_pages(data, group) if page not in seen] for group in ZOO_PAGES}
    rows = {
        name: {page: row for page, row in _rows(data, name).items() if page not in seen} for name in SECOND_DIGIT_ROWS
    }
    drawn |= _digit_strata(rows, SECOND_DIGIT_ROWS, SECOND_PROSE_ROWS, "second:")
    taken = {page for pages in drawn.values() for page in pages}
    sought = _sought(_prose(rows), taken)
    return drawn | {"apibench:sought": _draw(sought, SECOND_SOUGHT_ROWS, "second:apibench:sought")}


def third_strata(data: Path) -> dict[str, list[Page]]:
    """The pages of the third set: rows alone, because the zoo has no page left; all of them are held back."""
    earlier = [*strata(data).values(), *second_strata(data).values()]
    seen = looked_at() | {page for pages in earlier for page in pages}
    rows = {
        name: {page: row for page, row in _rows(data, name).items() if page not in seen} for name in THIRD_DIGIT_ROWS
    }
    drawn = _digit_strata(rows, THIRD_DIGIT_ROWS, THIRD_PROSE_ROWS, "third:")
    taken = {page for pages in drawn.values() for page in pages}
    sought = _sought(_prose(rows), taken)
    return drawn | {"apibench:sought": _draw(sought, THIRD_SOUGHT_ROWS, "third:apibench:sought")}


def drawn_strata(data: Path, which: str) -> dict[str, list[Page]]:
    """The pages of one of the `SETS`, by the name of their stratum."""
    return {"first": strata, "second": second_strata, "third": third_strata}[which](data)


def looked_at() -> set[Page]:
    """The pages of looked_at.json."""
    listed = json.loads(LOOKED_AT.read_text(encoding="utf-8"))
    rows = {(path, line) for path, lines in listed["rows"].items() for line in lines}
    return rows | {(path, None) for path in listed["files"]}


def _digit_strata(
    rows: dict[str, dict[Page, dict[str, object]]],
    digit_rows: dict[str, int],
    prose_rows: dict[str, int],
    seed: str = "",
) -> dict[str, list[Page]]:
    drawn: dict[str, list[Page]] = {}
    for name, count in digit_rows.items():
        digits = [page for page, row in rows[name].items() if _holds_digit(row, "performance")]
        drawn[name] = _draw(digits, count, f"{seed}{name}_api.jsonl")
        prose = [page for page, row in rows[name].items() if _holds_digit(row) and page not in drawn[name]]
        drawn[f"{name}:prose"] = _draw(prose, prose_rows[name], f"{seed}{name}_api.jsonl:prose")
    return drawn


def _prose(rows: dict[str, dict[Page, dict[str, object]]]) -> dict[Page, str]:
    return {
        page: f"{row.get('description')} {row.get('performance')}"
        for name in rows.values()
        for page, row in name.items()
    }


def _sought(texts: dict[Page, str], taken: set[Page]) -> list[Page]:
    return [
        page for page, text in texts.items() if page not in taken and re.search(r"\d", text) and SOUGHT.search(text)
    ]


def _draw(pages: list[Page], count: int, stratum: str) -> list[Page]:
    return sorted(random.Random(f"{SEED}:{stratum}").sample(pages, count))


def _zoo_pages(data: Path, group: str) -> dict[Page, str]:
    pages = sorted(data.glob(f"open_model_zoo/{group}/*/README.md"))
    return {(page.relative_to(data).as_posix(), None): page.read_text(encoding="utf-8") for page in pages}


def _rows(data: Path, name: str) -> dict[Page, dict[str, object]]:
    path = f"apibench/data/api/{name}_api.jsonl"
    with (data / path).open(encoding="utf-8", newline="") as lines:
        return {(path, number): json.loads(line) for number, line in enumerate(lines, 1)}


def _holds_digit(row: dict[str, object], *more: str) -> bool:
    texts = [str(row.get("description")), *(json.dumps(row.get(field)) for field in more)]
    return re.search(r"\d", " ".join(texts)) is not None


def main() -> None:
    """Print one page a line: path, line, stratum, and whether it is held back."""
    parser = argparse.ArgumentParser(description="Draw the pages that the claims were labelled on.")
    parser.add_argument("data", type=Path, help="the data folder that paths are relative to")
    parser.add_argument("--set", choices=SETS, default="first", help="which of the three draws")
    options = parser.parse_args()
    for stratum, pages in drawn_strata(options.data, options.set).items():
        kept_apart = held_back(pages) if options.set == "first" else set(pages)
        for path, line in pages:
            split = "held back" if (path, line) in kept_apart else "open"
            print(path, "-" if line is None else line, stratum, split, sep="\t")


if __name__ == "__main__":
    main()
