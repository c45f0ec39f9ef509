"""The labelled claims in benchmarks/claims keep their rules, and their check catches each way to break them."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY

CLAIMS = REPOSITORY / "benchmarks" / "claims"
Pages = list[dict[str, Any]]


def check(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CLAIMS / "validate_labels.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def read(name: str) -> Pages:
    return [json.loads(line) for line in (CLAIMS / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def pages() -> Pages:
    return read("labels.jsonl")


@pytest.fixture(scope="module")
def second() -> Pages:
    return read("labels_second.jsonl")


@pytest.mark.parametrize("which", [[], ["--set", "second"], ["--set", "third"]], ids=["first", "second", "third"])
def test_labels_keep_the_rules_and_readme_says_how_many_there_are(which: list[str]) -> None:
    done = check(*which)
    assert done.returncode == 0, done.stderr
    table, _, last = done.stdout.rstrip().rpartition("\n")
    assert last == "digests and offsets not checked: no data folder given"
    assert table in (CLAIMS / "README.md").read_text(encoding="utf-8")


def test_there_are_as_many_as_were_asked_for(pages: Pages) -> None:
    claims = [len(page["claims"]) for page in pages]
    apart = [page["held_back"] for page in pages]
    assert len(pages) >= 60
    assert sum(claims) >= 300
    assert 1 / 3 <= sum(apart) / len(pages) < 0.37
    assert sum(n for n, held_back in zip(claims, apart, strict=True) if held_back) >= 100


def places(pages: Pages) -> set[tuple[str, int | None]]:
    return {(page["path"], page["line"]) for page in pages}


def test_later_sets_are_held_back_and_nobody_looked_at_them(pages: Pages, second: Pages) -> None:
    looked = json.loads((CLAIMS / "looked_at.json").read_text(encoding="utf-8"))
    seen = {(path, line) for path, lines in looked["rows"].items() for line in lines}
    seen |= {(path, None) for path in looked["files"]} | places(pages)
    later = {(p, line) for p, lines in looked["rows_after_the_third_draw"].items() for line in lines}
    third = read("labels_third.jsonl")
    assert not seen & places(second)
    assert not (seen | later | places(second)) & places(third)
    for fresh in (second, third):
        assert len(fresh) == len(places(fresh)) >= 75
        assert all(page["held_back"] for page in fresh)
        assert sum(len(page["claims"]) for page in fresh) >= 200


def test_labels_hold_no_text_of_a_page(pages: Pages, second: Pages) -> None:
    names = [
        claim[field] for page in pages + second for claim in page["claims"] for field in ("subject", "dataset", "value")
    ]
    assert max(len(name) for name in names if isinstance(name, str)) <= 60


@pytest.mark.parametrize("which", [[], ["--set", "second"], ["--set", "third"]], ids=["first", "second", "third"])
def test_labels_agree_with_the_pages(shared: Path, which: list[str]) -> None:
    done = check(shared / "data", *which)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^\| \*\*all claims\*\* ", done.stdout, re.MULTILINE)


def spoil(field: str, value: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    """A change of one field of a page's first claim, or of the page where the claim has no such field."""

    def change(page: dict[str, Any]) -> None:
        target = page["claims"][0] if field in page["claims"][0] else page
        target[field] = value(target[field])

    return change


WITHOUT_PAGES = {
    "unknown metric": (spoil("metric", lambda _: "beauty"), "is not in the table"),
    "unit of another metric": (spoil("unit", lambda _: "dimensions"), "is not in the table"),
    "unknown comparator": (spoil("comparator", lambda _: "~"), "comparator '~'"),
    "word for a number": (spoil("value", lambda _: "many"), "has the value 'many'"),
    "other without a name": (spoil("about", lambda _: "other"), "about 'other'"),
    "empty span": (spoil("end", lambda _: 0), "hold nothing"),
    "the same claim twice": (lambda page: page["claims"].insert(0, page["claims"][0]), "one is there twice"),
    "field missing": (lambda page: page["claims"][0].pop("hedged"), "fields differ: ['hedged']"),
}
BESIDE_PAGES = {
    "another file": (spoil("sha256", lambda _: "0" * 64), "another SHA-256"),
    "no such file": (spoil("path", lambda path: path + ".md"), "not in the data folder"),
    "beyond the page": (spoil("end", lambda end: end + 10**6), "outside the page"),
    "value not printed": (spoil("value", lambda value: value + 1), "does not print"),
    "wrong split": (spoil("held_back", lambda flag: not flag), "drawn and labelled as held back"),
}


def first_with_number(pages: Pages) -> int:
    return next(i for i, page in enumerate(pages) if page["claims"] and not isinstance(page["claims"][0]["value"], str))


def spoiled(pages: Pages, change: Callable[[dict[str, Any]], Any], folder: Path) -> Path:
    pages = copy.deepcopy(pages)
    change(pages[first_with_number(pages)])
    return written(pages, folder)


def written(pages: Pages, folder: Path) -> Path:
    labels = folder / "labels.jsonl"
    labels.write_text("".join(json.dumps(page) + "\n" for page in pages), encoding="utf-8")
    return labels


@pytest.mark.parametrize(("change", "fault"), WITHOUT_PAGES.values(), ids=WITHOUT_PAGES)
def test_broken_labels_are_found(pages: Pages, change: Any, fault: str, tmp_path: Path) -> None:
    done = check("--labels", spoiled(pages, change, tmp_path))
    assert done.returncode == 1
    assert fault in done.stderr


@pytest.mark.parametrize(("change", "fault"), BESIDE_PAGES.values(), ids=BESIDE_PAGES)
def test_labels_that_differ_from_the_pages_are_found(
    shared: Path, pages: Pages, change: Any, fault: str, tmp_path: Path
) -> None:
    done = check(shared / "data", "--labels", spoiled(pages, change, tmp_path))
    assert done.returncode == 1
    assert fault in done.stderr
    assert pages[first_with_number(pages)]["path"] in done.stderr


@pytest.mark.parametrize("which", [[], ["--set", "second"]], ids=["first", "second"])
def test_a_page_that_is_missing_is_found(
    shared: Path, pages: Pages, second: Pages, tmp_path: Path, which: list[str]
) -> None:
    labelled = second if which else pages
    done = check(shared / "data", *which, "--labels", written(labelled[1:], tmp_path))
    assert done.returncode == 1
    assert labelled[0]["path"] in done.stderr


def test_a_page_of_the_other_draw_or_a_page_twice_is_found(
    shared: Path, pages: Pages, second: Pages, tmp_path: Path
) -> None:
    done = check(shared / "data", "--set", "second", "--labels", written([*second, pages[0], second[0]], tmp_path))
    assert done.returncode == 1
    assert f"{pages[0]['path']}:: drawn and labelled as held back: None" in done.stderr
    assert f"{second[0]['path']}:: labelled 2 times" in done.stderr
