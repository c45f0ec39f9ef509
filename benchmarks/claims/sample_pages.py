"""Draw the pages that the claims were labelled on, and their split; the same pages every time.

python benchmarks/claims/sample_pages.py ../shared/data

Pages are drawn before anything is labelled: Open Model Zoo pages in proportion to `intel` and `public`, and APIBench
rows whose description or performance holds a digit. A third of each stratum is held back, by a hash of `path:line`.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import sys
from pathlib import Path

Page = tuple[str, int | None]
"""Path relative to the data folder, and the line counted from 1 for a row of a JSON Lines file."""

SEED = 20261128
ZOO_PAGES = {"intel": 34, "public": 34}
"""Of 61 and 55."""
APIBENCH_ROWS = {"huggingface_api.jsonl": 19, "tensorflowhub_api.jsonl": 10, "torchhub_api.jsonl": 12}
APIBENCH_PROSE_ROWS = {"huggingface_api.jsonl": 30, "tensorflowhub_api.jsonl": 8, "torchhub_api.jsonl": 10}
"""A second draw, among the rows that the first left and whose description itself holds a digit."""


def held_back(pages: list[Page]) -> set[Page]:
    """The pages that are never looked at while an extractor is tuned: a third of one stratum, rounded up.

    They are the first by SHA-256 of `path:line` (a whole file: `path:`), so nothing on a page can decide it.
    """
    return set(sorted(pages, key=_digest)[: math.ceil(len(pages) / 3)])


def _digest(page: Page) -> str:
    path, line = page
    return hashlib.sha256(f"{path}:{'' if line is None else line}".encode()).hexdigest()


def strata(data: Path) -> list[list[Page]]:
    """The drawn pages in order of path and line: a list for each folder of the zoo, then two for each APIBench file."""
    drawn = [_draw(_zoo_pages(data, group), count, group) for group, count in ZOO_PAGES.items()]
    for name, count in APIBENCH_ROWS.items():
        rows = _rows(data, name)
        any_digit = _draw([page for page, row in rows if _holds_digit(row, "performance")], count, name)
        left = [page for page, row in rows if _holds_digit(row) and page not in any_digit]
        drawn += [any_digit, _draw(left, APIBENCH_PROSE_ROWS[name], f"{name}:prose")]
    return drawn


def _draw(pages: list[Page], count: int, stratum: str) -> list[Page]:
    return sorted(random.Random(f"{SEED}:{stratum}").sample(pages, count))


def _zoo_pages(data: Path, group: str) -> list[Page]:
    return [
        (page.relative_to(data).as_posix(), None) for page in sorted(data.glob(f"open_model_zoo/{group}/*/README.md"))
    ]


def _rows(data: Path, name: str) -> list[tuple[Page, dict[str, object]]]:
    path = f"apibench/data/api/{name}"
    with (data / path).open(encoding="utf-8", newline="") as lines:
        return [((path, number), json.loads(line)) for number, line in enumerate(lines, 1)]


def _holds_digit(row: dict[str, object], *more: str) -> bool:
    texts = [str(row.get("description")), *(json.dumps(row.get(field)) for field in more)]
    return re.search(r"\d", " ".join(texts)) is not None


def main() -> None:
    """Print one page a line: path, line, and whether it is held back."""
    for pages in strata(Path(sys.argv[1])):
        kept_apart = held_back(pages)
        for path, line in pages:
            split = "held back" if (path, line) in kept_apart else "open"
            print(path, "-" if line is None else line, split, sep="\t")


if __name__ == "__main__":
    main()
