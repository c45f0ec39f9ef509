"""Comparison pages: two artifacts, their capabilities in the page's words, the page's own statements as claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.errors import SourceError
from graph.home import Home
from indexer.ingest import ingest
from indexer.sources import Entry, detect_kind, read_source
from indexer.sources.compare_layout import is_compare_page, parse_compare_page
from indexer.sources.variants import other_subject, others_named

PAGE = """\
Wren-2 Small vs Lark
Wren-2 Small ranks higher at 61/100 vs Lark at 40/100. Backed by real search data.
| Feature | Wren-2 Small | Lark |
|---|---|---|
| Type | Model | Dataset |
| UnfragileRank | 61/100 | 40/100 |
| Adoption | 1 | 0.5 |
| Quality | 1 | – |
| Pricing | Free | Paid |
| Capabilities | 3 decomposed | 1 decomposed |
| Times Matched | 1,204 | 7 |
Wren-2 Small Capabilities
Performs image classification using a small network. It has 5.6M parameters.
Unique: Runs on a phone.
vs alternatives: Smaller than Lark.
Wren-2 Large variant segments images of streets. It is slower.
Unique: Sees lanes.
+1 more capabilities
Lark Capabilities
Names ten thousand birds by their song.
Verdict
Wren-2 Small leads on adoption and quality, while Lark is stronger on size.
Need something different?
Search the match graph
"""


def read(folder: Path, text: str | bytes, name: str = "page.txt") -> list[Entry]:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_source(file, "compare_page"))


def test_page_gives_one_artifact_per_column(tmp_path: Path) -> None:
    wren, lark = (entry.artifact for entry in read(tmp_path, PAGE))
    assert wren is not None and lark is not None
    assert (wren.id, wren.slug, wren.type, wren.declared_total) == ("Wren-2 Small", "wren-2-small", "model", 3)
    assert (lark.id, lark.type, lark.declared_total) == ("Lark", "dataset", 1)
    assert (wren.pricing.model, wren.pricing.free, lark.pricing.free) == ("Free", True, False)
    assert [(c.id, c.name, c.task) for c in wren.capabilities] == [
        ("performs-image-classification", "Performs image classification", "vision.image-classification"),
        ("wren-2-large-variant-segments-images-of-streets", "Wren-2 Large variant segments images of streets",
         "vision.image-segmentation"),
    ]  # fmt: skip
    first = wren.capabilities[0]
    assert first.description == "Performs image classification using a small network. It has 5.6M parameters."
    assert (first.unique, first.vs_alternatives) == ("Runs on a phone.", "Smaller than Lark.")
    assert lark.capabilities[0].task == "other.other"


def test_another_products_capability_says_so_and_so_do_its_passages(tmp_path: Path) -> None:
    wren, _ = read(tmp_path, PAGE)
    assert wren.artifact is not None
    assert [capability.tags for capability in wren.artifact.capabilities] == [(), ("other_artifact",)]
    assert [(passage.text[:12], passage.subject) for passage in wren.passages] == [
        ("Performs ima", ""), ("Runs on a ph", ""), ("Smaller than", ""),
        ("Wren-2 Large", "Wren-2 Large"), ("Sees lanes.", "Wren-2 Large"),
    ]  # fmt: skip


def test_passages_stand_where_they_say(tmp_path: Path) -> None:
    for entry in read(tmp_path, PAGE.replace("\n", "\r\n")):
        for passage in entry.passages:
            span = passage.span(0, len(passage.text))
            assert PAGE.replace("\n", "\r\n")[span.start : span.end] == passage.text
            assert passage.capability in [c.id for c in entry.artifact.capabilities]  # type: ignore[union-attr]


def test_cells_and_sentences_are_claims_of_each_artifact_with_their_places(tmp_path: Path) -> None:
    wren, lark = (entry.artifact for entry in read(tmp_path, PAGE))
    assert wren is not None and lark is not None
    stated = [(c.metric, c.subject, c.value, c.conditions.reference, c.flags) for c in wren.claims]
    assert stated == [
        ("page_score", "unfragilerank", 61.0, None, ()),
        ("page_score", "unfragilerank", 40.0, "Lark", ("other_artifact",)),
        ("page_score", "adoption", 1.0, None, ()),
        ("page_score", "adoption", 0.5, "Lark", ("other_artifact",)),
        ("page_score", "quality", 1.0, None, ()),
        ("times_matched", "times matched", 1204.0, None, ()),
        ("times_matched", "times matched", 7.0, "Lark", ("other_artifact",)),
        ("leads", "unfragilerank", "Lark", "Lark", ()),
        ("search_evidence", "", None, None, ()),
        ("leads", "adoption", "Lark", "Lark", ()),
        ("leads", "quality", "Lark", "Lark", ()),
    ]
    places = {c.subject: PAGE[c.span.start : c.span.end] for c in wren.claims if c.span and not c.flags}
    assert places["times matched"] == "1,204" and places["adoption"] == "Wren-2 Small leads on adoption and quality"
    assert places[""] == "Backed by real search data"
    assert [(c.subject, c.value) for c in lark.claims if c.metric == "leads"] == [("size", "Wren-2 Small")]


def test_sentence_that_contradicts_the_table_is_a_claim_of_its_own(tmp_path: Path) -> None:
    wren, _ = read(tmp_path, PAGE.replace("at 61/100 vs", "at 63/100 vs"))
    assert wren.artifact is not None
    own = [
        c.value
        for c in wren.artifact.claims
        if c.subject == "unfragilerank" and c.metric == "page_score" and not c.flags
    ]
    assert own == [61.0, 63.0]


def test_markdown_page_with_headings_and_wrapped_paragraphs(tmp_path: Path) -> None:
    page = (
        "# **A-1** vs B\n\n| Feature | [A-1](https://x.org) | B |\n|:--|---|---|\n| Adoption | 1 | 2 |\n\n"
        "## A-1 Capabilities\n\n### Reading\n\nReads text from\nscanned pages.\n\n**Unique:** fast\nand small\n\n"
        "- **vs alternatives:** cheaper\n\n## B Capabilities\n\nTranslates letters.\n\n"
        "## Verdict\n\nB leads on adoption.\n"
    )
    file = tmp_path / "a.md"
    file.write_text(page)
    assert detect_kind(file) == "page"
    first, second = (entry.artifact for entry in read_source(file))
    assert first is not None and second is not None
    (reading,) = first.capabilities
    assert (reading.name, reading.description, reading.unique, reading.vs_alternatives) == (
        "Reading", "Reads text from scanned pages.", "fast and small", "cheaper",
    )  # fmt: skip
    assert second.capabilities[0].task == "text.translation"
    assert [claim.subject for claim in second.claims if claim.metric == "leads"] == ["adoption"]


def test_broken_rows_and_stray_texts_are_left_out_with_their_lines(tmp_path: Path) -> None:
    broken = PAGE.replace("| Quality | 1 | – |", "| Quality | 1 |\n| Adoption | 0 | 0 |").replace(
        "Lark Capabilities\n", "Lark Capabilities\nUnique: of nothing.\n"
    )
    entries = read(tmp_path, broken)
    assert [(problem.line, problem.code) for entry in entries for problem in entry.left_out] == [
        (8, "ragged_row"), (9, "duplicate_row"), (21, "stray_text"),
    ]  # fmt: skip
    assert all(entry.artifact is not None for entry in entries)


def test_counts_that_do_not_add_up_and_unknown_types_are_warnings(tmp_path: Path) -> None:
    wren, _ = read(tmp_path, PAGE.replace("3 decomposed", "9 decomposed").replace("| Type | Model", "| Type | Modell"))
    assert any("9 capabilities are declared, 2 listed and 1 more" in warning for warning in wren.warnings)
    assert any("'modell' is not known (did you mean model?)" in warning for warning in wren.warnings)


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ("Just prose, and no table.", "not_a_compare_page"),
        ("| Feature | A |\n|---|---|\n| x | 1 |\n", "not_a_compare_page"),
        ("| Feature | A | A |\n|---|---|---|\n", "not_a_compare_page"),
        ("", "empty"),
        (b"\0\1\2", "binary"),
    ],
)
def test_what_is_no_such_page_is_one_error(tmp_path: Path, page: str | bytes, code: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, page)
    assert caught.value.code == code and "\n" not in str(caught.value)


def test_ten_megabytes_are_read_to_their_bound_and_say_so(tmp_path: Path) -> None:
    entries = read(tmp_path, PAGE + "Lark Capabilities\n" + "Sings. " * 1_400_000)
    assert "larger than 2,000,000 bytes" in entries[0].warnings[0]


def test_patterns_take_linear_time(tmp_path: Path) -> None:
    evil = "Wren-2 Small leads on " + "a and " * 40_000 + "\n" + "| " * 40_000 + "\n" + "Wren-2 " * 20_000
    read(tmp_path, PAGE.replace("Verdict\n", "Verdict\n" + evil + "\n"))


def test_second_ingest_changes_nothing(tmp_path: Path, home: Home) -> None:
    file = tmp_path / "page.txt"
    file.write_text(PAGE)
    first, second = ingest(home, [file]), ingest(home, [file])
    assert (first.found, first.added, first.inventory) == (2, 2, {"compared": 2})
    assert (second.added, second.changed, second.unchanged) == (0, 0, 2)


def test_page_of_a_directory(shared: Path) -> None:
    file = shared / "seeds" / "compare-page.txt"
    text = file.read_text(encoding="utf-8")
    page = parse_compare_page(text, str(file))
    assert is_compare_page(text) and len(page.rows) == 9 and not page.problems
    small, flux = read_source(file)
    assert small.artifact is not None and flux.artifact is not None
    assert [len(entry.artifact.capabilities) for entry in (small, flux)] == [5, 8]  # type: ignore[union-attr]
    assert (small.artifact.declared_total, flux.artifact.declared_total) == (5, 13)
    assert [passage.subject for passage in flux.passages[::3]] == [
        "", "", "", "", "FLUX.1 Schnell", "FLUX.1-dev", "FLUX.2", "FLUX.2",
    ]  # fmt: skip
    assert len(small.passages) == 15 and len(flux.passages) == 24 and not any(p.subject for p in small.passages)
    assert [c.subject for c in small.artifact.claims if c.metric == "leads"] == ["adoption", "ecosystem"]
    assert [c.subject for c in flux.artifact.claims if c.metric == "leads"] == ["unfragilerank", "quality"]
    for passage in (*small.passages, *flux.passages):
        assert text[passage.start : passage.start + len(passage.text)] == passage.text
    assert (small.warnings, flux.warnings, small.left_out, flux.left_out) == ((), (), (), ())


@pytest.mark.parametrize(
    ("own", "text", "other"),
    [
        ("Kite 1.5 Pro", "Kite 2 writes prose.", "Kite 2"),
        ("Kite 1.5 Pro", "The Kite 1.5 Lite variant writes prose.", "Kite 1.5 Lite"),
        ("Kite 1.5 Pro", "Kite 2's prose is better.", "Kite 2"),
        ("Kite 1.5 Pro", "Kite 1.5-mini is small.", "Kite 1.5-mini"),
        ("Kite 1.5 Pro", "Kite 2 [max] is large.", "Kite 2 [max]"),
        ("Kite 1.5 Pro", "Kite 1.5 Pro writes prose.", ""),
        ("Kite 1.5 Pro", "Kite 1.5 writes prose.", ""),
        ("Kite 1.5 Pro", "Kite 2 and Kite 1.5 Pro write prose.", ""),
        ("Kite 1.5 Pro", "Writes prose. Kite 2 does too. So it goes.", ""),
        ("Kite 1.5 Pro", "Writes prose. Kite 2 does too. Kite 2 rhymes.", "Kite 2"),
        ("Kite 1.5 Pro", "Kites fly.", ""),
        ("acme/kite-base-224", "Kite-Large is larger.", "Kite-Large"),
        ("acme/kite-base-224", "Kite-Base is this one.", ""),
        ("kite-small", "Kite's design is new. Kite classification models are small.", ""),
        ("Kite 3 8B Instruct", "Kite 3 70B needs more memory.", "Kite 3 70B"),
        ("all-kite-v2", "All-in-one tool.", ""),
        ("Kite", "Kite 2 is another.", ""),
        ("3D thing", "3D things.", ""),
        ("Kite 1.5 Pro", "", ""),
    ],
)
def test_products_of_the_same_family(own: str, text: str, other: str) -> None:
    assert other_subject(text, own) == other


def test_others_that_are_named_in_passing() -> None:
    text = "Writes prose as Kite 2 does, unlike Kite 1.5 Lite or Kite 1.5 Pro."
    assert [member.name for member in others_named(text, "Kite 1.5 Pro")] == ["Kite 2", "Kite 1.5 Lite"]
