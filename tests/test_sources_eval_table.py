"""Tables of measured results: which columns are read, in which unit, and that each claim stands at its cell."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from graph.errors import SourceError
from graph.home import Home
from indexer.ingest import ingest
from indexer.sources import Entry, detect_kind, read_source
from indexer.sources.eval_table import dataset_of_file

TABLE = """\
model,img_size,top1,top1_err,top5,param_count
wren_small.a_in1k,448,90.056,9.944,99.054,305.08
wren_small.b_in1k,224,71.5,28.5,90,"1,014.45"
wren_small.a_in1k,224,88.1,11.9,98,305.08
"""


def read(folder: Path, text: str, name: str = "results-imagenet.csv") -> list[Entry]:
    file = folder / name
    file.write_text(text)
    return list(read_source(file))


def test_rows_become_measured_claims_of_one_artifact_a_model(tmp_path: Path) -> None:
    first, second = (entry.artifact for entry in read(tmp_path, TABLE))
    assert first is not None and second is not None
    assert (first.id, first.family, first.params) == ("wren_small.a_in1k", "wren_small", 305_080_000)
    assert second.params == 1_014_450_000
    assert first.capabilities[0].task == "vision.image-classification"
    assert [
        (c.metric, c.value, c.conditions.dataset, c.conditions.note, c.conditions.size, c.flags) for c in first.claims
    ] == [
        ("accuracy", 90.056, "ImageNet-1k", "top-1", "448x448", ("measured_table",)),
        ("accuracy", 99.054, "ImageNet-1k", "top-5", "448x448", ("measured_table",)),
        ("parameters", 305_080_000.0, None, None, None, ("measured_table",)),
        ("accuracy", 88.1, "ImageNet-1k", "top-1", "224x224", ("measured_table",)),
        ("accuracy", 98.0, "ImageNet-1k", "top-5", "224x224", ("measured_table",)),
    ]
    cells = [TABLE[c.span.start : c.span.end] for c in second.claims if c.span]
    assert cells == ["71.5", "90", "1,014.45"]
    assert [c.text for c in second.claims] == ["top1 71.5", "top5 90", "param_count 1,014.45M"]


def test_shares_are_percent_and_whole_parameters_are_no_millions(tmp_path: Path) -> None:
    text = "Model;Accuracy;Params;Dataset\nwren;0.912;5600000;Birds\nlark;0.5;;Birds\n"
    wren, lark = (entry.artifact for entry in read(tmp_path, text, "table.csv"))
    assert wren is not None and lark is not None
    assert [(c.metric, c.value, c.conditions.dataset) for c in wren.claims] == [
        ("accuracy", 91.2, "Birds"), ("parameters", 5_600_000.0, None),
    ]  # fmt: skip
    assert len(lark.claims) == 1 and lark.params is None and lark.capabilities[0].task == "other.other"


def test_size_tells_parameters_apart_where_they_differ(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, "model,img_size,top1,params\nw,224,70,5.1\nw,256,71,5.2\n")
    assert entry.artifact is not None and entry.artifact.params is None
    sizes = [claim.conditions.size for claim in entry.artifact.claims if claim.metric == "parameters"]
    assert sizes == ["224x224", "256x256"]


def test_bad_rows_are_rejected_with_their_lines_and_the_rest_is_kept(tmp_path: Path, home: Home) -> None:
    file = tmp_path / "results-imagenet.csv"
    file.write_text(
        TABLE + ',1,2,3,4,5\nlark,448\nwren_small.b_in1k,224,72,1,2,3\nthrush,224,n/a,,,\n"swift,224,1,2,3,4\n'
    )
    report = ingest(home, [file])
    assert [(problem.line, problem.code) for problem in report.rejected] == [
        (5, "bad_model"), (6, "ragged_row"), (7, "duplicate_id"), (9, "syntax"), (8, "bad_value"),
    ]  # fmt: skip
    assert (report.accepted, report.inventory) == (2, {"measured model": 2, "rejected": 5})


def test_table_without_models_or_results_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("model,price\nwren,3\n")
    assert detect_kind(file) == "catalogue"
    with pytest.raises(SourceError, match=r"no table of results: it needs a column `model`.*it has model, price"):
        list(read_source(file, "eval_table"))


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("results-imagenet.csv", "ImageNet-1k"), ("results-imagenet-a.csv", "ImageNet-A"),
        ("imagenet.csv", "ImageNet-1k"),
        ("eval_birds 2.csv", "birds 2"), ("table.csv", None),
    ],
)  # fmt: skip
def test_data_set_that_a_file_name_names(name: str, dataset: str | None) -> None:
    assert dataset_of_file(Path(name)) == dataset


def test_second_ingest_changes_nothing(tmp_path: Path, home: Home) -> None:
    file = tmp_path / "results-imagenet.csv"
    file.write_text(TABLE)
    assert (ingest(home, [file]).added, ingest(home, [file]).unchanged) == (2, 2)


def test_the_real_table(shared: Path) -> None:
    file = shared / "data" / "timm" / "results-imagenet.csv"
    begun = time.perf_counter()
    entries = list(read_source(file))
    assert time.perf_counter() - begun < 5
    artifacts = [entry.artifact for entry in entries if entry.artifact is not None]
    assert len(artifacts) == len(entries) == 1_266  # 1,556 rows: some models at several sizes
    claims = [claim for artifact in artifacts for claim in artifact.claims]
    assert sum(claim.conditions.note == "top-1" for claim in claims) == 1_556
    assert sum(claim.conditions.note == "top-5" for claim in claims) == 1_556
    assert sum(claim.metric == "parameters" for claim in claims) == 1_266
    raw = file.read_text(encoding="utf-8")
    for claim in claims:
        assert claim.span is not None
        cell = float(raw[claim.span.start : claim.span.end].replace(",", ""))
        assert claim.value == pytest.approx(cell * (1e6 if claim.metric == "parameters" else 1))
