"""From files to an index: `ingest` and `build` together, on real manifests and catalogues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_encoder import WordEncoder

from graph.errors import SourceError
from graph.home import Home
from graph.store.catalogue import all_artifacts, assignments, count_artifacts, stated_claims
from graph.store.log import last_seq, read_events
from indexer import ingest as ingest_module
from indexer.pipeline import build, ingest
from indexer.snapshot import open_snapshot
from indexer.sources import Entry

MANIFEST = """\
artifact:
  name: {name}
  slug: ann--{name}
  type: {type}
  license: MIT
capabilities:
  - id: {job}
    name: {job} of {name}
    task: text.fill-mask
    description: The {name} does {job} all day.
    intents_served: [please {job}]
claims:
  - {{metric: parameters, comparator: "=", value: 1000, unit: parameters, text: "1,000 parameters"}}
"""


def write_manifest(folder: Path, name: str, job: str = "sweeping", type_: str = "model") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yml"
    file.write_text(MANIFEST.format(name=name, job=job, type=type_))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "manifests"
    for name, job in (("broom", "sweeping"), ("kettle", "boiling"), ("lamp", "shining")):
        write_manifest(place, name, job)
    return place


def adds_up(report: Any) -> bool:
    return bool(
        report.found == sum(report.inventory.values()) == report.accepted + len(report.rejected) + report.passed_over
        and report.accepted == report.added + report.changed + report.unchanged
    )


def test_a_change_is_written_with_what_ranks_depend_on(home: Home, tmp_path: Path) -> None:
    source = tmp_path / "matchgraph.yml"
    for downloads in (7, 9):
        source.write_text(
            f"artifact: {{name: x, type: model, license: mit, signals: {{downloads: {downloads}}}}}\n"
            "capabilities: [{id: a, name: does it, task: vision.image-classification, description: Does it.}]\n",
            encoding="utf-8",
        )
        ingest(home, [source])
    with home.store.reading() as connection:
        told = [(e.action, e.detail["signals"]) for e in read_events(connection, kind="catalogue") if e.subject == "x"]
    assert told == [("artifact_added", {"downloads": 7}), ("artifact_changed", {"downloads": 9})]


def test_ingest_then_build_then_both_again(home: Home, folder: Path) -> None:
    encoder = WordEncoder()
    first = ingest(home, [folder])
    assert (first.found, first.accepted, first.added, first.rejected) == (3, 3, 3, ())
    assert adds_up(first)
    built = build(home, encoder, probe=False)
    assert (built.artifacts, built.rows, built.embedded) == (3, 6, 9)
    with home.store.reading() as connection:
        seq, uris = last_seq(connection), assignments(connection)
        runs = [claim.subject for claim in stated_claims(connection) if claim.metric == "runs"]
        added = [e.subject for e in read_events(connection, kind="catalogue") if e.action == "artifact_added"]
    assert sorted(runs) == ["boiling", "shining", "sweeping"]
    assert len(added) == 3
    second = ingest(home, [folder])
    assert (second.added, second.changed, second.unchanged) == (0, 0, 3)
    again = build(home, encoder, probe=False)
    assert (again.unchanged, again.embedded, again.snapshot) == (True, 0, built.snapshot)
    with home.store.reading() as connection:
        assert (last_seq(connection), assignments(connection)) == (seq, uris)


def test_rewording_changes_one_and_keeps_its_uri(home: Home, folder: Path) -> None:
    encoder = WordEncoder()
    ingest(home, [folder])
    build(home, encoder, probe=False)
    with home.store.reading() as connection:
        uris = assignments(connection)
    file = folder / "lamp.yml"
    file.write_text(file.read_text().replace("does shining all day", "glows"))
    report = ingest(home, [folder])
    assert (report.added, report.changed, report.unchanged) == (0, 1, 2)
    assert build(home, encoder, probe=False).embedded == 2
    with home.store.reading() as connection:
        assert assignments(connection) == uris
    glowing = open_snapshot(home.snapshots, encoder=encoder.info)
    assert glowing.rows[int(glowing.lexical("glows").argmax())].name == "lamp"


def test_bad_inputs_are_named_with_file_and_line_and_the_good_ones_kept(home: Home, folder: Path) -> None:
    (folder / "broken.yml").write_text("artifact:\n  name: [\n")
    report = ingest(home, [folder, folder / "absent.yml"])
    assert (report.accepted, len(report.rejected)) == (3, 2)
    assert adds_up(report)
    places = {(Path(problem.file).name, problem.line is not None) for problem in report.rejected}
    assert places == {("broken.yml", True), ("absent.yml", False)}
    assert all(isinstance(problem, SourceError) for problem in report.rejected)
    with home.store.reading() as connection:
        assert count_artifacts(connection) == 3


def test_an_id_given_twice_is_said_and_the_later_counts(home: Home, folder: Path, tmp_path: Path) -> None:
    other = write_manifest(tmp_path / "more", "lamp", "glimmering")
    report = ingest(home, [folder, other])
    assert adds_up(report)
    assert (report.accepted, report.added, report.changed) == (4, 3, 1)
    [warning] = [warning for warning in report.warnings if "given before" in warning]
    assert "lamp.yml" in warning
    with home.store.reading() as connection:
        lamp = next(artifact for artifact in all_artifacts(connection) if artifact.name == "lamp")
    assert lamp.capabilities[0].id == "glimmering"


@pytest.mark.parametrize("after", [1, 3, 5])
def test_ctrl_c_in_ingest_keeps_what_was_read(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    place = tmp_path / "many"
    for number in range(6):
        write_manifest(place, f"m{number}")
    real = ingest_module.read_source

    def interrupted(path: Path, kind: str | None = None, **options: object) -> Iterator[Entry]:
        for number, entry in enumerate(real(path, kind)):
            if number == after:
                raise KeyboardInterrupt
            yield entry

    monkeypatch.setattr(ingest_module, "SAVE_BATCH", 2)
    monkeypatch.setattr(ingest_module, "read_source", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ingest(home, [place])
    monkeypatch.undo()
    with home.store.reading() as connection:
        assert count_artifacts(connection) == after
    report = ingest(home, [place])
    assert (report.added, report.unchanged) == (6 - after, after)


def test_a_catalogue_row_is_one_text_and_its_variants_are_more(home: Home, tmp_path: Path) -> None:
    row = {"id": "ann/m", "name": "m", "description": "Reads digits.", "task": "image-classification",
           "domain": "Computer Vision Image Classification", "functionality": "Image Classification"}  # fmt: skip
    file = tmp_path / "catalogue.jsonl"
    varied = row | {"id": "ann/n", "variants": [{"name": "n2", "description": "Other."}]}
    file.write_text(json.dumps(row) + "\n" + json.dumps(varied))
    ingest(home, [file])
    encoder = WordEncoder()
    build(home, encoder, probe=False, policy="open")
    snapshot = open_snapshot(home.snapshots, encoder=encoder.info)
    assert [(row.artifact, row.kind) for row in snapshot.rows] == [
        ("ann/m", "main"), ("ann/n", "main"), ("ann/n", "wording"),
    ]  # fmt: skip
    text = "m. Computer Vision Image Classification. Image Classification. Reads digits."
    assert snapshot.cosines(encoder.encode([text])[0])[0] == pytest.approx(1)


def test_the_checks_of_a_build_decide_what_can_be_decided(home: Home, folder: Path) -> None:
    """The default `verify`: nothing here has weights, so every claim is tried and none is decided."""
    write_manifest(folder, "mop", type_="tool")
    ingest(home, [folder])
    heard: list[str] = []
    report = build(home, WordEncoder(), on_progress=lambda progress: heard.append(progress.stage))
    assert report.claims["claimed"] == 0
    assert report.claims["unverifiable"] == sum(report.claims.values()) == 3 * 2 + 1
    assert report.artifacts == 4
    assert heard[0] == "verify"


def test_progress_and_size_are_told(home: Home, folder: Path) -> None:
    heard: list[tuple[str, int]] = []
    ingest(home, [folder], on_progress=lambda progress: heard.append((progress.stage, progress.done)))
    assert heard == [("ingest", 1), ("ingest", 2), ("ingest", 3)]


def test_the_example_manifests_all_enter(home: Home, repository: Path) -> None:
    examples = repository / "examples" / "artifacts"
    if not examples.is_dir():
        pytest.skip("needs examples/artifacts")
    report = ingest(home, [examples])
    assert report.rejected == ()
    assert adds_up(report)
    built = build(home, WordEncoder(), probe=False)
    assert built.artifacts == report.accepted
    assert built.refused == ()
