"""`lint` as its users see it: what is found on a page, how it is told, set aside and answered with an exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lint_cli import PAGES, REPOSITORY, flags, lint_alone, lint_here, lint_json, refuted

from graph.contracts import schemas
from indexer.lint.suppress import read_ignores

LIE = "# Foo\n\nFoo has 9M parameters.\n\nIt is lighter than EfficientNet-B0 (5.3M params).\n"
TRUE = "# Foo\n\nFoo has 4M parameters.\n\nIt is lighter than EfficientNet-B0 (5.3M params).\n"


def page(folder: Path, text: str, name: str = "card.md") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


# What is found ---------------------------------------------------------------------------------------------
def test_nothing_is_found_on_a_page_of_true_and_consistent_statements() -> None:
    document = lint_json(PAGES / "comparison.txt")
    assert [artifact["artifact"] for artifact in document["artifacts"]] == ["Wren-S", "Inkwell 1"]
    assert refuted(document) == [] and flags(document) == [] and document["rejected"] == []
    assert sum(document["counts"].values()) > 40, "nothing is found because nothing is read"
    shown = lint_here(PAGES / "comparison.txt")
    assert shown.exit_code == 0 and shown.stdout.endswith("nothing found\n")


def test_each_planted_lie_is_found_and_nothing_else() -> None:
    document = lint_json(PAGES / "comparison-lies.txt")
    assert sorted(refuted(document), key=str) == sorted(
        [
            ("Wren-S", "search_evidence", None),
            ("Wren-S", "leads", "Inkwell 1"),
            ("Wren-S", "parameters", 1_200_000.0),
            ("Wren-S", "accuracy", 77.4),
            ("Wren-S", "size_ratio", 8.0),
            ("Wren-S", "size_ratio", 6.0),
            ("Wren-S", "loss_points", 0.3),
            ("Inkwell 1", "search_evidence", None),
            ("Inkwell 1", "leads", "Wren-S"),
        ],
        key=str,
    )
    assert sorted(flags(document)) == [
        ("Inkwell 1", "hedged", 29), ("Inkwell 1", "other_artifact", 28), ("Inkwell 1", "price_conflict", 31),
        ("Wren-S", "contradiction", 20), ("Wren-S", "contradiction", 20), ("Wren-S", "hedged", 18),
        ("Wren-S", "rival_conflict", 23),
    ]  # fmt: skip


def test_the_page_of_a_public_directory(shared: Path) -> None:
    document = lint_json(shared / "seeds" / "compare-page.txt")
    found = refuted(document)
    for each in (
        ("mobilevit-small", "parameters", 5_300_000.0), ("mobilevit-small", "size_ratio", 6.0),
        ("mobilevit-small", "size_ratio", 8.0), ("mobilevit-small", "loss_relative", 0.8),
        ("mobilevit-small", "leads", "FLUX.1 Pro"), ("mobilevit-small", "search_evidence", None),
    ):  # fmt: skip
        assert each in found
    reasons = " ".join(claim["reason"] for a in document["artifacts"] for claim in a["claims"])
    assert "at most 3.17 times smaller, claimed 6" in reasons
    hedges = [flag["reason"] for a in document["artifacts"] for flag in a["flags"] if flag["flag"] == "hedged"]
    assert sum("unknown" in hedge for hedge in hedges) == 8 and sum("likely" in hedge for hedge in hedges) == 3
    codes = {code for _, code, _ in flags(document)}
    assert codes >= {"rival_conflict", "other_artifact", "price_conflict"}
    shown = lint_here(shared / "seeds" / "compare-page.txt").stdout
    assert "8 “unknown” (line 31, 37, 40, 43, 46, 52), 3 “likely” (line 37, 46, 52)" in " ".join(shown.split())


def test_hedges_in_code_are_none(tmp_path: Path) -> None:
    code = page(tmp_path, "# Foo\n\n```python\nx = 'unknown'\n```\n\nIts size is unknown.\n")
    assert flags(lint_json(code)) == [("Foo", "hedged", 7)]


def test_two_pages_about_one_artifact_are_held_against_each_other(tmp_path: Path) -> None:
    first = page(tmp_path, "# Foo\n\nFoo has 9M parameters.\n", "a.md")
    second = page(tmp_path, "# Foo\n\nIt is lighter than EfficientNet-B0 (5.3M params).\n", "b.md")
    assert refuted(lint_json(second)) == []
    assert refuted(lint_json(first, second)) == [("Foo", "parameters", 5_300_000.0)]


def test_a_models_own_files_decide(repository: Path) -> None:
    document = lint_json(repository / "examples" / "models" / "digits-mobilevit")
    decided = {
        c["metric"]: (c["verdict"], c["tier"]) for a in document["artifacts"] for c in a["claims"] if c["verdict"]
    }
    assert decided["resolution"] == ("verified", "artifact")


# How it is told --------------------------------------------------------------------------------------------
def test_the_text_names_claim_reason_and_place_within_80_columns(tmp_path: Path, monkeypatch: Any) -> None:
    page(tmp_path, LIE)
    monkeypatch.chdir(tmp_path)
    assert lint_here("card.md").stdout == (
        "Foo\n"
        "  card.md:5:37\n"
        "    refuted: parameters: its own 9M is not less than the 5.3M of EfficientNet-B0\n"
        "    “It is lighter than EfficientNet-B0 (5.3M params).”\n"
        "\n"
        "1 artifact, 3 claims: 1 refuted, 2 claimed\n"
    )
    monkeypatch.chdir(REPOSITORY)
    shown = lint_here("examples/pages/comparison-lies.txt").stdout
    assert max(map(len, shown.splitlines())) <= 80


def test_the_json_follows_its_schema() -> None:
    document = lint_json(PAGES / "comparison-lies.txt")
    jsonschema.validate(document, schemas()["lint"])
    for artifact in document["artifacts"]:
        for claim in artifact["claims"]:
            assert claim["span"]["start"] < claim["span"]["end"]


def test_spans_are_those_of_the_file(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        file = tmp_path / "card.md"
        file.write_bytes(LIE.replace("Foo has", "Foo 😀 has").replace("\n", "\r\n").encode(encoding))
        (claim,) = [c for a in lint_json(file)["artifacts"] for c in a["claims"] if c["verdict"] == "refuted"]
        text = file.read_bytes().decode(encoding)
        assert text[claim["span"]["start"] : claim["span"]["end"]] == "5.3M", encoding
        assert f"{file}:5:37" in lint_here(file).stdout, encoding


def test_a_page_from_standard_input() -> None:
    answer = lint_here("-", stdin=LIE.encode())
    assert answer.exit_code == 3 and "stdin:5:37" in answer.stdout
    assert lint_here("-", stdin=b"").exit_code == 1
    together = lint_json("-", PAGES / "comparison.txt", stdin=LIE.encode())
    assert [artifact["artifact"] for artifact in together["artifacts"]] == ["Foo", "Wren-S", "Inkwell 1"]


# Exit codes ------------------------------------------------------------------------------------------------
def test_exit_codes(tmp_path: Path) -> None:
    lie, true = page(tmp_path, LIE, "lie.md"), page(tmp_path, TRUE, "true.md")
    bad = tmp_path / "bad.md"
    bad.write_bytes(b"\x00\x01\x02")
    assert lint_here(true).exit_code == 0
    assert lint_here(lie).exit_code == 3
    assert lint_here(lie, bad).exit_code == 4, "what was rejected wins over what was refuted"
    assert lint_here(true, bad).exit_code == 4
    assert lint_here(bad).exit_code == 1
    assert lint_here(tmp_path / "nothing.md").exit_code == 1
    assert lint_here().exit_code == 2
    assert lint_here(true, "--format", "xml").exit_code == 2
    flagged = page(tmp_path, "# Foo\n\nIts size is unknown.\n", "flagged.md")
    assert lint_here(flagged).exit_code == 0, "a flag decides nothing"


def test_what_is_rejected_is_named_and_nothing_else_is_lost(tmp_path: Path) -> None:
    bad = tmp_path / "bad.md"
    bad.write_bytes(b"\x00\x01\x02")
    answer = lint_here(bad, page(tmp_path, LIE), "--json")
    assert answer.stderr.count("rejected:") == 1 and str(bad) in answer.stderr
    document = json.loads(answer.stdout)
    assert document["rejected"][0]["code"] == "binary" and len(refuted(document)) == 1


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_one_line(tmp_path: Path) -> None:
    for number in range(150):
        page(
            tmp_path,
            f"# Model {number}\n\n" + "It has 5.6M parameters and 78.3% accuracy on ImageNet. " * 2_000,
            f"{number}.md",
        )
    command = [sys.executable, "-m", "cli.main", "lint", str(tmp_path)]
    with subprocess.Popen(  # it tells its progress after some seconds
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None and running.stderr.readline().startswith("lint:")
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130 and said.count("\n") == 1 and "interrupted" in said, said


# Set aside -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "comment",
    [
        "<!-- matchgraph: ignore parameters -- the card of B0 counts its buffers -->",
        "[//]: # (matchgraph: ignore parameters -- the card of B0 counts its buffers)",
        "<!-- matchgraph: ignore hedged, parameters because the card of B0 counts its buffers -->",
        "<!-- matchgraph: ignore * -- the card of B0 counts its buffers -->",
        "{# matchgraph: ignore parameters -- the card of B0 counts its buffers #}",
    ],
)
def test_a_comment_with_a_reason_sets_aside(tmp_path: Path, comment: str) -> None:
    for text in (LIE.replace("It is", f"{comment}\nIt is"), LIE.replace("params).", f"params). {comment}")):
        file = page(tmp_path, text)
        document = lint_json(file)
        assert refuted(document) == [] and document["ignored"] == 1
        (aside,) = document["artifacts"][0]["ignored"]
        assert aside["reason"] == "the card of B0 counts its buffers" and aside["finding"] == "refuted parameters"
        answer = lint_here(file)
        assert answer.exit_code == 0 and "set aside: 1 by comments" in answer.stdout


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("<!-- matchgraph: ignore parameters -->", "without a reason"),
        ("<!-- matchgraph: ignore parameters -- -->", "without a reason"),
        ("<!-- matchgraph: ignore -- why -->", "write `matchgraph: ignore METRIC_OR_FLAG -- why`"),
        ("<!-- matchgraph: ignore parametres -- why -->", "parametres: no metric and no flag of that name"),
        ("<!-- matchgraph: ignore accuracy -- why -->", "nothing is found here"),
        ("Write matchgraph: ignore parameters -- why", ""),  # prose about comments is no comment
    ],
)
def test_a_comment_that_sets_nothing_aside_is_said(tmp_path: Path, comment: str, said: str) -> None:
    answer = lint_here(page(tmp_path, LIE.replace("It is", f"{comment}\nIt is")))
    assert answer.exit_code == 3 and said in answer.stderr
    assert answer.stderr.count("warning:") == bool(said)


def test_a_comment_reaches_the_next_line_and_no_further(tmp_path: Path) -> None:
    comment = "<!-- matchgraph: ignore parameters -- why -->\n\n"
    assert refuted(lint_json(page(tmp_path, LIE.replace("It is", comment + "It is")))) != []


def test_a_comment_in_yaml(tmp_path: Path) -> None:
    manifest = (
        "artifact: {name: foo, slug: foo, type: model, license: MIT}\n"
        "capabilities:\n  - name: draw\n    description: Draws.\n"
        "claims:\n"
        "  # matchgraph: ignore size_ratio -- weights are shared\n"
        "  - {metric: size_ratio, comparator: up_to, value: 8, conditions: INT8 against FP32}\n"
    )
    assert refuted(lint_json(page(tmp_path, manifest, "matchgraph.yml"))) == []
    without = manifest.replace("  # matchgraph: ignore size_ratio -- weights are shared\n", "")
    assert refuted(lint_json(page(tmp_path, without, "matchgraph.yml"))) == [("foo", "size_ratio", 8.0)]


def test_many_comments_take_no_longer_than_their_length(tmp_path: Path) -> None:
    text = "<!-- matchgraph: ignore parameters -- why -->\n" * 40_000 + "matchgraph: ignore " * 40_000
    start = time.process_time()
    found, _ = read_ignores(text, "f")
    assert len(found) == 40_000 and time.process_time() - start < 3


def test_a_baseline_sets_known_findings_aside_and_new_ones_are_told(tmp_path: Path) -> None:
    file, baseline = page(tmp_path, LIE), tmp_path / "baseline.json"
    written = lint_here(file, "--write-baseline", baseline)
    assert written.exit_code == 0 and "1 findings" in written.stderr
    known = lint_here(file, "--baseline", baseline)
    assert known.exit_code == 0 and "set aside: 0 by comments, 1 by the baseline" in known.stdout
    page(tmp_path, "# Foo\n\nA line more.\n" + LIE.partition("\n")[2])
    assert lint_here(file, "--baseline", baseline).exit_code == 0, "moved lines are the same findings"
    page(tmp_path, LIE + "\nIt is also smaller than SqueezeNet (1.2M params).\n")
    document = lint_json(file, "--baseline", baseline)
    assert refuted(document) == [("Foo", "parameters", 1_200_000.0)] and document["known"] == 1


def test_a_baseline_can_be_renewed_and_is_stable(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    lies = PAGES / "comparison-lies.txt"
    lint_here(lies, "--write-baseline", first)
    lint_here(lies, "--baseline", first, "--write-baseline", second)
    assert first.read_bytes() == second.read_bytes()
    assert len(json.loads(first.read_text())["findings"]) == 16


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"schema": 2, "findings": []}', b"[" * 100_000])
def test_what_is_no_baseline_is_one_line(tmp_path: Path, content: bytes) -> None:
    baseline = tmp_path / "baseline.json"
    baseline.write_bytes(content)
    answer = lint_alone(page(tmp_path, LIE), "--baseline", baseline)
    assert answer.returncode == 1 and answer.stdout == ""
    assert answer.stderr.count("\n") == 1 and "--write-baseline" in answer.stderr, answer.stderr


def test_a_baseline_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    answer = lint_alone(page(tmp_path, LIE), "--write-baseline", tmp_path / "no" / "baseline.json")
    assert answer.returncode == 1 and answer.stderr.count("\n") == 1 and "give another place" in answer.stderr
