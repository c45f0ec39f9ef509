"""Open Model Zoo: one artifact a model, composite ones once, the README as its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.errors import SourceError
from graph.home import Home
from indexer.ingest import ingest
from indexer.sources import detect_kind, read_source

MODEL = """\
description: >-
  Finds wrens in
  pictures. Has 2.5 MParams.
task_type: detection
files:
  - name: wren.onnx
    size: 10966521
framework: onnx
license: https://raw.githubusercontent.com/acme/wren/master/LICENSE
"""
README = "# wren\n\nFinds wrens in pictures.\n\n| MParams | 2.5 |\n\n## Legal Information\n\nMIT License\n"


def zoo(folder: Path) -> Path:
    """A tree of two models, one of them of two parts."""
    single, parts = folder / "public" / "wren-0001", folder / "intel" / "lark-0002"
    for name, text in (
        (single / "model.yml", MODEL), (single / "README.md", README), (single / "accuracy-check.yml", "models: []"),
        (parts / "README.md", "# lark\n\nA composite model that hears larks.\n"),
        (parts / "lark-0002-encoder" / "model.yml", MODEL.replace("detection", "feature_extraction")),
        (parts / "lark-0002-decoder" / "model.yml", MODEL.replace("detection", "sound_classification")),
    ):  # fmt: skip
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(text)
    return folder


def test_model_and_its_page(tmp_path: Path) -> None:
    _, entry = read_source(zoo(tmp_path))
    artifact = entry.artifact
    assert artifact is not None and entry.bucket == "zoo model"
    assert (artifact.id, artifact.library, artifact.formats, artifact.license) == (
        "wren-0001",
        "ONNX",
        ("onnx",),
        "MIT",
    )
    assert artifact.capabilities[0].task == "vision.object-detection"
    assert artifact.description == "Finds wrens in pictures. Has 2.5 MParams."
    (claim,) = artifact.claims
    assert (claim.metric, claim.value, claim.span and MODEL[claim.span.start : claim.span.end]) == (
        "size_bytes", 10966521.0, "10966521",
    )  # fmt: skip
    readme, description = entry.passages  # the README does not say how many parameters
    assert (readme.text, readme.markup, readme.file) == (
        README,
        "markdown",
        str(tmp_path / "public/wren-0001/README.md"),
    )
    place = description.span(description.text.index("2.5"), description.text.index("2.5") + 3)
    assert MODEL[place.start : place.end] == "2.5" and place.file.endswith("model.yml")


def test_description_that_the_readme_has_is_no_second_passage(tmp_path: Path) -> None:
    zoo(tmp_path)
    (tmp_path / "public/wren-0001/README.md").write_text("# wren\n\n*Finds wrens* in `pictures`.\nHas 2.5\\nMParams.\n")
    _, entry = read_source(tmp_path)
    assert len(entry.passages) == 2
    (tmp_path / "public/wren-0001/README.md").write_text("# wren\n\n*Finds wrens* in `pictures`.\nHas 2.5\nMParams.\n")
    _, entry = read_source(tmp_path)
    assert len(entry.passages) == 1


def test_composite_model_is_one_artifact_with_the_task_of_the_part_that_says_it(tmp_path: Path) -> None:
    entry, _ = read_source(zoo(tmp_path))
    artifact = entry.artifact
    assert artifact is not None and artifact.id == "lark-0002" and artifact.claims == ()
    assert artifact.description == "A composite model that hears larks."
    assert artifact.capabilities[0].task == "audio.audio-classification"
    assert artifact.capabilities[0].tags[-2:] == ("lark-0002-decoder", "lark-0002-encoder")
    (tmp_path / "intel/lark-0002/composition.yml").write_text("description: Two parts.\ntask_type: detection\n")
    entry, _ = read_source(tmp_path)
    assert entry.artifact is not None and entry.artifact.description == "Two parts."
    assert entry.artifact.capabilities[0].task == "vision.object-detection"


@pytest.mark.parametrize("inner", ["", "public", "public/wren-0001", "public/wren-0001/model.yml"])
def test_tree_part_of_it_one_folder_or_the_file_may_be_given(tmp_path: Path, inner: str) -> None:
    path = zoo(tmp_path) / inner
    assert detect_kind(path) == "open_model_zoo"
    assert "wren-0001" in [entry.artifact.id for entry in read_source(path) if entry.artifact]


def test_broken_model_is_rejected_with_its_line_and_the_others_are_kept(tmp_path: Path, home: Home) -> None:
    zoo(tmp_path)
    (tmp_path / "public/wren-0001/model.yml").write_text("description: x\ntask_type: [\n")
    report = ingest(home, [tmp_path])
    assert (report.found, report.accepted) == (2, 1)
    (problem,) = report.rejected
    assert problem.file.endswith("wren-0001/model.yml") and problem.line is not None


def test_unknown_task_is_a_warning(tmp_path: Path) -> None:
    file = zoo(tmp_path) / "public/wren-0001/model.yml"
    file.write_text(MODEL.replace("detection", "juggling"))
    _, entry = read_source(tmp_path)
    assert entry.artifact is not None and entry.artifact.capabilities[0].task == "other.other"
    assert "model.yml:4: task_type 'juggling' is not known" in entry.warnings[0]


def test_size_is_claimed_only_of_weights_that_stand_alone(tmp_path: Path) -> None:
    file = zoo(tmp_path) / "public/wren-0001/model.yml"
    for text in (
        MODEL.replace("framework", "  - name: wren.py\n    size: 5\nframework"),
        MODEL.replace("wren.onnx", "wren.py"), MODEL.replace("10966521", "big"), MODEL.replace("files:", "other:"),
    ):  # fmt: skip
        file.write_text(text)
        _, entry = read_source(tmp_path)
        assert entry.artifact is not None and entry.artifact.claims == ()


def test_folder_without_models_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no model\.yml in it"):
        list(read_source(tmp_path, "open_model_zoo"))


def test_second_ingest_changes_nothing(tmp_path: Path, home: Home) -> None:
    folder = zoo(tmp_path / "zoo")
    first, second = ingest(home, [folder]), ingest(home, [folder])
    assert (first.added, first.inventory, second.unchanged) == (2, {"zoo model": 2}, 2)


def test_the_real_zoo(shared: Path) -> None:
    folder = shared / "data" / "open_model_zoo"
    assert detect_kind(folder) == "open_model_zoo"
    entries = list(read_source(folder))
    assert len(entries) == 116 and all(entry.artifact and not entry.warnings for entry in entries)
    pages = [entry.passages[0] for entry in entries]
    assert sorted(page.file for page in pages) == sorted(map(str, folder.rglob("README.md")))
    for page in pages:
        assert Path(page.file).read_text(encoding="utf-8") == page.text
    for passage in (passage for entry in entries for passage in entry.passages[1:]):
        raw = Path(passage.file).read_text(encoding="utf-8")
        for position, char in enumerate(passage.text):
            there = raw[passage.span(position, position + 1).start]
            assert there == char or (char == " " and there.isspace())
    tasks = [entry.artifact.capabilities[0].task for entry in entries if entry.artifact]
    assert "other.other" not in tasks
    assert list(read_source(folder)) == entries
