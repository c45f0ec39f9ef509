"""A Hugging Face cache of 200 models in the library's own layout: all listed, the altered named, the escape refused."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hf_cache import Expected, add_model, blob_name, build_cache, config, git_sha1, tensors
from huggingface_hub import scan_cache_dir, try_to_load_from_cache

from indexer.sources import Entry, detect_kind, read_source, render_inventory
from indexer.sources.inventory import readable_bytes
from inference.models.cache import check_blobs, current_snapshot, repository_folders

FILES = {"config.json": config(), "model.safetensors": tensors()}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Expected, list[Entry]]]:
    """The cache, what it should hold, and what was read from it."""
    folder = tmp_path_factory.mktemp("hf") / "hub"
    expected = build_cache(folder)
    yield folder, expected, list(read_source(folder))


def one(folder: Path, **options: bool) -> Entry:
    """The entry of a cache with one repository."""
    (entry,) = read_source(folder, "hf_cache", **options)
    return entry


def names(entries: list[Entry]) -> dict[str, Entry]:
    """Entries of models by hub id."""
    found = {}
    for entry in entries:
        if entry.artifact is not None:
            found[entry.artifact.id] = entry
        elif entry.problem is not None:
            found[Path(entry.problem.file).name.removeprefix("models--").replace("--", "/")] = entry
    return found


def test_all_200_are_listed_in_the_right_bucket(cache: tuple[Path, Expected, list[Entry]]) -> None:
    _, expected, entries = cache
    found = names(entries)
    assert len(expected.buckets) == 200
    assert {name: entry.bucket for name, entry in found.items()} == expected.buckets
    assert len(entries) == 200 + expected.others
    for entry in entries:  # facts, or a reason; never both and never neither
        assert (entry.artifact is None) == (entry.problem is not None) or entry.bucket == "not a model"


def test_cards_of_cached_models_are_passages_in_place(cache: tuple[Path, Expected, list[Entry]]) -> None:
    _, _, entries = cache
    passages = [passage for entry in entries for passage in entry.passages]
    with_card = sum(entry.artifact is not None and entry.artifact.has_card for entry in entries)
    assert len(passages) == with_card > 0
    for passage in passages:
        assert Path(passage.file).read_text(encoding="utf-8")[passage.start :] == passage.text


def test_inventory_adds_up(cache: tuple[Path, Expected, list[Entry]]) -> None:
    _, _, entries = cache
    counts = Counter(entry.bucket for entry in entries)
    size_bytes = sum(entry.size_bytes for entry in entries)
    assert sum(counts.values()) == 203
    assert render_inventory(counts, size_bytes) == (
        "200 models: 131 loadable, 41 pickle only, 8 gguf, 3 onnx, 6 adapter, 2 custom code, 3 incomplete, "
        f"3 no weights, 1 altered, 1 refused, 1 broken, {readable_bytes(size_bytes)}; besides, 3 not a model"
    )


def test_altered_blob_is_named(cache: tuple[Path, Expected, list[Entry]]) -> None:
    _, expected, entries = cache
    altered = [entry for entry in entries if entry.bucket == "altered"]
    assert len(altered) == 1 and altered[0].problem is not None
    assert altered[0].problem.code == "altered_blob"
    assert expected.altered_blob in str(altered[0].problem)
    assert "model.safetensors" in str(altered[0].problem)


def test_escape_is_refused_and_its_file_never_read(cache: tuple[Path, Expected, list[Entry]]) -> None:
    _, expected, entries = cache
    entry = names(entries)[expected.escaping]
    assert entry.bucket == "refused" and entry.problem is not None
    assert entry.problem.code == "escape" and "links out of" in entry.problem.what
    assert entry.artifact is None


def test_layout_is_the_librarys_own(cache: tuple[Path, Expected, list[Entry]]) -> None:
    """The library reads the same cache: it finds the files, and counts the same bytes where nothing is broken."""
    folder, _, entries = cache
    assert isinstance(try_to_load_from_cache("loadable/m070", "model.safetensors", cache_dir=folder), str)
    scan = scan_cache_dir(folder)
    ids = {repo.repo_id for repo in scan.repos if repo.repo_type == "model"}
    broken = {name for name, entry in names(entries).items() if name.startswith("halved/link")}
    assert ids == set(names(entries)) - broken  # it gives up where a link is broken; we list those too
    sizes = {repo.repo_id: repo.size_on_disk for repo in scan.repos}
    assert names(entries)["loadable/m000"].size_bytes == sizes["loadable/m000"]
    blobs = {path for path in (folder / "blobs").rglob("*") if path.is_file() and len(path.name) == 64}
    assert len(blobs) >= 15 and all((folder / "blobs" / path.name[:2] / path.name).is_file() for path in blobs)


def test_sizes_add_up_to_what_the_library_counts_once(tmp_path: Path) -> None:
    for number in range(3):  # three models share one payload in the store
        add_model(
            tmp_path, f"ann/m{number}", {"config.json": config(n=number), "model.safetensors": tensors()}, shared=True
        )
    entries = list(read_source(tmp_path))
    assert sum(entry.size_bytes for entry in entries) == scan_cache_dir(tmp_path).size_on_disk
    assert entries[0].size_bytes > len(tensors()) > entries[1].size_bytes


def test_model_of_the_cache_carries_facts_and_its_snapshot(cache: tuple[Path, Expected, list[Entry]]) -> None:
    folder, _, entries = cache
    artifact = names(entries)["loadable/m000"].artifact
    assert artifact is not None
    assert (artifact.id, artifact.slug, artifact.organization) == ("loadable/m000", "loadable--m000", "loadable")
    assert artifact.params == 128 and artifact.has_card and len(artifact.claims) == 1
    snapshot = current_snapshot(folder / "models--loadable--m000")
    assert artifact.weights.path == str(snapshot.path.resolve())
    assert (folder / "models--loadable--m000" / "refs" / "main").read_text() == snapshot.revision


# One repository at a time ------------------------------------------------------------------------------
def test_names_of_blobs_are_checked_by_their_length(tmp_path: Path) -> None:
    folder = add_model(tmp_path, "ann/m", FILES)
    report = check_blobs(folder)
    assert (report.good, report.altered, report.not_checkable) == (2, (), ())
    config_blob = folder / "blobs" / git_sha1(FILES["config.json"])
    config_blob.write_bytes(FILES["config.json"].replace(b"positive", b"negative"))
    assert check_blobs(folder).altered == (config_blob.name,)  # git's SHA-1 too, of the same size
    (folder / "blobs" / "etag-of-a-proxy").write_bytes(b"x")
    assert check_blobs(folder).not_checkable == ("etag-of-a-proxy",)
    entry = one(tmp_path)
    assert entry.bucket == "altered"
    assert one(tmp_path, check_blobs=False).bucket == "loadable"


def test_git_digest_is_gits_own() -> None:
    assert git_sha1(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # the empty blob, known to all of git
    assert git_sha1(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_blob_behind_the_shared_store_is_checked_by_its_own_name_only(tmp_path: Path) -> None:
    folder = add_model(tmp_path, "ann/m", FILES, shared=True)
    blob = folder / "blobs" / blob_name("model.safetensors", FILES["model.safetensors"])
    assert blob.is_symlink() and blob.resolve().name != blob.name  # the store's name is no SHA-256 of the bytes
    assert check_blobs(folder).good == 2 and one(tmp_path).bucket == "loadable"
    payload = blob.resolve()
    payload.chmod(0o600)
    payload.write_bytes(FILES["model.safetensors"][:-1] + b"\x7f")
    assert check_blobs(folder).altered == (blob.name,) and one(tmp_path).bucket == "altered"


def test_unmarked_store_is_outside(tmp_path: Path) -> None:
    add_model(tmp_path, "ann/m", FILES, shared=True)
    assert one(tmp_path).bucket == "loadable"
    (tmp_path / "blobs" / ".huggingface-shared-blobs").unlink()
    assert one(tmp_path).bucket == "refused"


def test_link_into_the_store_that_is_no_blob_of_it_is_refused(tmp_path: Path) -> None:
    folder = add_model(tmp_path, "ann/m", FILES, shared=True)
    (tmp_path / "blobs" / "notes.safetensors").write_bytes(tensors())
    link = next(folder.glob("snapshots/*/model.safetensors"))
    link.unlink()
    link.symlink_to(tmp_path / "blobs" / "notes.safetensors")
    assert one(tmp_path).bucket == "refused"


def test_altered_blob_of_another_revision_is_only_noted(tmp_path: Path) -> None:
    old = {**FILES, "old.txt": b"old"}
    folder = add_model(tmp_path, "ann/m", old, revision="0", main=False)
    add_model(tmp_path, "ann/m", FILES, revision="1")
    (folder / "blobs" / git_sha1(b"old")).write_bytes(b"new")
    entry = one(tmp_path)
    assert entry.bucket == "loadable"
    assert any("altered, used by no file" in warning for warning in entry.warnings)
    assert any("2 revisions" in warning for warning in entry.warnings)


def test_main_decides_and_the_newest_where_it_is_lost(tmp_path: Path) -> None:
    folder = add_model(tmp_path, "ann/m", FILES, revision="0")
    add_model(tmp_path, "ann/m", {"config.json": config()}, revision="1", main=False)
    named = (folder / "refs" / "main").read_text()
    assert current_snapshot(folder).revision == named and one(tmp_path).bucket == "loadable"
    (folder / "refs" / "main").write_text("f" * 40)
    snapshot = current_snapshot(folder)
    assert snapshot.revision != named and "not here" in snapshot.warnings[0]
    (folder / "refs" / "main").write_text("../../..\n")
    assert current_snapshot(folder).path.parent == folder / "snapshots"


@pytest.mark.parametrize(
    ("harm", "bucket"),
    [
        ("no snapshots", "incomplete"),
        ("empty snapshots", "incomplete"),
        ("snapshots is a link", "refused"),
        ("snapshot is a link", "incomplete"),
        ("folder is a link", "refused"),
        ("folder is a file", "broken"),
        ("no id", "broken"),
        ("readme lost", "loadable"),
        ("folder link in the snapshot", "refused"),
        ("blob leads out", "refused"),
        ("unused blob leads out", "loadable"),
        ("unfinished download", "incomplete"),
        ("no links", "loadable"),
    ],
)
def test_whatever_is_broken_there_is_exactly_one_entry(tmp_path: Path, harm: str, bucket: str) -> None:
    cache, outside = tmp_path / "hub", tmp_path / "outside"
    folder = add_model(cache, "ann/m", {**FILES, "README.md": b"A card of some length."})
    snapshot = current_snapshot(folder).path
    add_model(outside, "ann/m", FILES)
    if harm == "no snapshots":
        shutil.rmtree(folder / "snapshots")
    elif harm == "empty snapshots":
        shutil.rmtree(snapshot)
    elif harm == "snapshots is a link":
        shutil.rmtree(folder / "snapshots")
        (folder / "snapshots").symlink_to(outside / "models--ann--m" / "snapshots")
    elif harm == "snapshot is a link":
        shutil.rmtree(snapshot)
        snapshot.symlink_to(outside)
    elif harm == "folder is a link":
        shutil.rmtree(folder)
        folder.symlink_to(outside / "models--ann--m")
    elif harm == "folder is a file":
        shutil.rmtree(folder)
        folder.write_text("x")
    elif harm == "no id":
        folder.rename(cache / "models--")
    elif harm == "readme lost":
        (folder / "blobs" / git_sha1(b"A card of some length.")).unlink()
    elif harm == "folder link in the snapshot":
        (snapshot / "unet").symlink_to(outside)
    elif harm == "blob leads out":
        blob = folder / "blobs" / git_sha1(FILES["config.json"])
        blob.unlink()
        (outside / "config.json").write_bytes(FILES["config.json"])
        blob.symlink_to(outside / "config.json")
    elif harm == "unused blob leads out":
        (folder / "blobs" / ("a" * 64)).symlink_to(outside)
    elif harm == "unfinished download":
        (snapshot / "model.safetensors").unlink()
        (folder / "blobs" / "abc.incomplete").write_bytes(b"x")
    elif harm == "no links":  # as on systems without them: files lie in the snapshot
        for link in list(snapshot.iterdir()):
            data = link.read_bytes()
            link.unlink()
            link.write_bytes(data)
        shutil.rmtree(folder / "blobs")
    entry = one(cache)
    assert entry.bucket == bucket
    assert (entry.artifact is None) == (entry.problem is not None)
    if harm == "unused blob leads out":
        assert any("leads out of the cache, used by no file" in warning for warning in entry.warnings)
    if harm == "readme lost":
        assert any("README.md links to" in warning for warning in entry.warnings)


def test_link_to_another_repository_is_an_escape(tmp_path: Path) -> None:
    first = add_model(tmp_path, "ann/a", FILES)
    second = add_model(tmp_path, "bob/b", {"config.json": config(), "model.safetensors": tensors(seed=5)})
    link = next(first.glob("snapshots/*/model.safetensors"))
    link.unlink()
    link.symlink_to(next(second.glob("snapshots/*/model.safetensors")).resolve())
    assert [entry.bucket for entry in read_source(tmp_path)] == ["refused", "loadable"]


def test_cache_is_found_by_its_folder_or_by_the_one_above(tmp_path: Path) -> None:
    add_model(tmp_path / "hub", "ann/m", FILES)
    assert detect_kind(tmp_path / "hub") == "hf_cache" == detect_kind(tmp_path)
    assert [entry.artifact.id for entry in read_source(tmp_path) if entry.artifact] == ["ann/m"]
    assert repository_folders(tmp_path / "hub")[0].name == "models--ann--m"


def test_progress_hears_every_byte(tmp_path: Path) -> None:
    add_model(tmp_path, "ann/m", FILES)
    heard: list[int] = []
    list(read_source(tmp_path, on_bytes=heard.append))
    assert sum(heard) == sum(len(data) for data in FILES.values())


def test_inventory_of_nothing_and_of_one() -> None:
    assert render_inventory({}, 0) == "0 entries"
    assert render_inventory({"loadable": 1}, 1) == "1 model: 1 loadable, 1 B"
    assert render_inventory({"manifest": 1, "catalogue entry": 2, "loadable": 1, "rejected": 1}, 0) == (
        "5 entries: 1 loadable, 1 manifest, 2 catalogue entries, 1 rejected"
    )
