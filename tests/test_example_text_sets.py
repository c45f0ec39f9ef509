"""The text models' held-out sets: how they were made, that training leaves them out, that claims follow from cards."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy.stats import binomtest

from inference.data.sets import open_data

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SOURCE = """import os.path as p, sys
from xml.etree import ElementTree as ET
from . import x
def f(a: int, b=3, *args):
    x = os.path.join(a, sep=b)  # why
    raise foo.BarError("a")
class A(B, c.D, metaclass=M):
    pass
try: pass
except (OSError, x.Y) as e: pass
"""
TAGGED = (
    "os.path:MODULE sys:MODULE xml.etree:MODULE .:MODULE f:FUNCTION a:PARAMETER b:PARAMETER args:PARAMETER "
    "os.path.join:FUNCTION sep:PARAMETER foo.BarError:CLASS A:CLASS B:CLASS c.D:CLASS metaclass:PARAMETER "
    "OSError:CLASS x.Y:CLASS"
)


@pytest.fixture(autouse=True)
def _training_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES / "train"))


def held_out(name: str) -> list[tuple[str, ...]]:
    with (EXAMPLES / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def manifest(name: str) -> dict[str, Any]:
    return yaml.safe_load((EXAMPLES / "artifacts" / f"local-{name}.yml").read_text(encoding="utf-8"))


def test_names_are_tagged_as_the_parser_sees_them() -> None:
    from python_names_data import tagged_lines

    from inference.probes.entities import spans_of

    found = []
    for line in tagged_lines(SOURCE):
        words, tags = [word for word, _ in line], [tag for _, tag in line]
        found += [f"{''.join(words[start:end])}:{kind}" for start, end, kind in sorted(spans_of(tags))]
    assert found == TAGGED.split()


def test_lines_of_the_tagger_are_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import python_names_data as made

    rows = [(tokens, tags) for tokens, tags in held_out("python-names")]
    assert len(rows) == len({made.same_text(tokens) for tokens, _ in rows}) == 400
    assert all(len(tokens.split(" ")) == len(tags.split(" ")) for tokens, tags in rows)
    seen = {tag for _, tags in rows for tag in tags.split(" ")}
    assert seen == set(made.LABELS) - {"I-PARAMETER"}  # the name of a parameter has no dots
    library = [path for path in made.library_files() if path.stem in ("calendar", "textwrap")]
    monkeypatch.setattr(made, "library_files", lambda: library)
    trained = made.training_rows(rows)
    from_calendar = {tokens for path in library if path.stem == "calendar" for tokens, _ in made.rows_of(path)}
    assert trained
    assert from_calendar
    assert not from_calendar & {tokens for tokens, _ in trained}
    assert trained[0] not in made.training_rows([trained[0]])


def test_docstrings_of_the_topics_are_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import topic_nli_data as made

    rows = [(text, label) for text, label in held_out("library-topics")]
    assert Counter(label for _, label in rows) == dict.fromkeys(made.TOPICS, 50)
    library = [path for path in made.library_files() if path.stem in ("ftplib", "statistics", "queue")]
    monkeypatch.setattr(made, "library_files", lambda: library)
    together = "\n".join(made.same_text(text) for text, _ in rows)
    own = [(text, topic) for text, topic in made.all_rows() if made.same_text(text) in together]
    assert own, "nothing of these modules was held out: take others"
    trained = made.training_rows(rows)
    assert len(trained) > 50
    assert not [text for text, _ in trained if made.same_text(text) in together]
    assert [text for text, _ in made.training_rows([]) if made.same_text(text) in together]


def test_passages_are_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import pydoc_llama_data as made

    passages = [text for (text,) in held_out("pydoc-passages")]
    monkeypatch.setattr(made, "docstring_lines", lambda: [f"Before it. {passages[0]}"])
    lines = made.training_lines(passages)
    parts = {part for passage in passages for part in made.sentences(passage) if len(part) >= made.SHORTEST}
    assert len(lines) > 500
    assert not parts & {part for line in lines for part in made.sentences(line)}
    assert passages[0] in made.training_lines(passages[1:])
    assert any(passages[0] in line and line != passages[0] for line in made.training_lines(passages[1:]))


@pytest.mark.parametrize(
    ("name", "kind", "items"),
    [("library-topics", "text", 300), ("pydoc-passages", "passages", 160), ("python-names", "tokens", 400)],
)
def test_sets_are_read_as_what_they_are(name: str, kind: str, items: int) -> None:
    data = open_data(name, EXAMPLES / "data" / f"{name}.csv")
    assert (data.kind, len(data.items), data.warnings) == (kind, items, ())


def test_claims_follow_from_what_the_cards_measured() -> None:
    card = (EXAMPLES / "models" / "topic-nli" / "README.md").read_text(encoding="utf-8")
    counts = re.search(r"\((\d+) of (\d+); exact", card)
    assert counts is not None
    (claim,) = [claim["value"] for claim in manifest("topic-nli")["claims"] if claim["metric"] == "accuracy"]
    assert 100 * binomtest(int(counts[1]), int(counts[2])).proportion_ci(method="exact").low >= claim - 1
    for name, metric, pattern in (
        ("pydoc-llama", "perplexity", r"perplexity ([0-9.]+) a token"),
        ("python-names", "f1", r"whole entities ([0-9.]+) %"),
        ("python-names", "accuracy", r"right tags ([0-9.]+) %"),
    ):
        card = (EXAMPLES / "models" / name / "README.md").read_text(encoding="utf-8")
        stated = re.search(pattern, card)
        assert stated is not None
        (claim,) = [claim["value"] for claim in manifest(name)["claims"] if claim["metric"] == metric]
        better = float(stated[1]) <= claim if metric == "perplexity" else float(stated[1]) >= claim
        assert better, f"{name} claims {metric} {claim}, its card says {stated[1]}"
        (result,) = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"]
        rounded = {entry["type"]: entry["value"] for entry in result["metrics"]}[metric]
        assert float(stated[1]) == pytest.approx(rounded * (1 if metric == "perplexity" else 100), abs=0.06)
