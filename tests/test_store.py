"""The store: migrations, several openers at once, errors in our words, and the catalogue in it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from factories import make_artifact
from sqlalchemy import text

from graph.artifacts import Capability, Weights
from graph.claims import Claim, Scope, claim_id
from graph.errors import HomeError, StoreError, UnknownArtifact
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import catalogue, database, evidence
from graph.store.database import Database, read_meta, write_meta
from graph.store.tables import METADATA


# Schema -------------------------------------------------------------------------------------------------
def test_the_migrated_schema_is_the_declared_one(home: Home) -> None:
    with home.store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        connection.execute(text("ALTER TABLE vectors ADD COLUMN surplus TEXT"))
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
        assert [step[0] for step in found] == ["remove_column"]  # the comparison sees a difference


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [database.REVISION]


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "half.db"
    with sqlite3.connect(file) as raw:
        raw.execute("CREATE TABLE vectors (mine TEXT)")  # the last table of the first migration
    with pytest.raises(StoreError, match="vectors already exists"):
        Database(f"sqlite:///{file}")
    with sqlite3.connect(file) as raw:
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables <= {"vectors", "alembic_version"}
        raw.execute("DROP TABLE vectors")
    with Database(f"sqlite:///{file}").reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_newer_database_is_refused(home: Home) -> None:
    with home.store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"schema 9999.*upgrade matchgraph"):
        open_home(home.settings)


def test_many_first_openings_at_once_make_one_home(tmp_path: Path, repository: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from graph.home import open_home; from graph.settings import Settings;"
        "print('ready', flush=True); sys.stdin.readline(); print(open_home(Settings(home=Path(sys.argv[1]))).key.hex())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "home")], cwd=repository, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in started]
    assert [error for _, error in answers] == [""] * 4
    assert len({key for key, _ in answers}) == 1


# Errors -------------------------------------------------------------------------------------------------
def test_a_home_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HomeError, match=r"file.*choose another with --home or MATCHGRAPH_HOME"):
        open_home(Settings(home=tmp_path / "file"))


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "noise.db").write_bytes(os.urandom(8192))
    with pytest.raises(StoreError, match="file is not a database"):
        Database(f"sqlite:///{tmp_path / 'noise.db'}")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("nonsense", "MATCHGRAPH_DATABASE_URL"),
        ("martian://host/db", "MATCHGRAPH_DATABASE_URL"),
        ("postgresql+nodriver://user:pass@host/db", "martian|postgresql"),
        ("sqlite:////dev/null/no/such.db", "unable to open"),
    ],
)
def test_a_wrong_url_says_so_and_shows_no_password(url: str, hint: str) -> None:
    with pytest.raises(StoreError, match=hint) as caught:
        Database(url)
    assert "pass" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_that_is_read_only_full_or_locked_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=r"full.*has room"), home.store.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        write_meta(connection, "kept", "x" * 100_000)
    home.close()
    with pytest.raises(StoreError, match=r"readonly.*writable"), home.store.writing() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        write_meta(connection, "kept", "x")
    home.close()
    monkeypatch.setattr(database, "_BUSY_MS", 20)
    with sqlite3.connect(home.path / "matchgraph.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked"), home.store.writing() as connection:
            write_meta(connection, "kept", "x")
        other.execute("ROLLBACK")
    with home.store.reading() as connection:
        assert read_meta(connection, "kept") is None


def test_an_error_of_the_caller_stays_the_callers(home: Home) -> None:
    with pytest.raises(FileNotFoundError), home.store.writing() as connection:
        write_meta(connection, "kept", "x")
        Path("/no/such/file").read_text()
    with home.store.reading() as connection:
        assert read_meta(connection, "kept") is None  # and the transaction is rolled back


def test_a_folder_in_the_place_of_the_lock_says_so(tmp_path: Path) -> None:
    (tmp_path / "new.db.migrating").mkdir()
    with pytest.raises(StoreError, match="check the folder's rights"):
        Database(f"sqlite:///{tmp_path / 'new.db'}")


# Catalogue ----------------------------------------------------------------------------------------------
def make_claim(artifact: str, value: float) -> Claim:
    name = claim_id(artifact, "", "accuracy", "=", value, "percent", Scope())
    return Claim(id=name, artifact=artifact, metric="accuracy", value=value, unit="percent")


def test_artifacts_are_read_as_they_were_saved(home: Home) -> None:
    given = make_artifact(
        description="Ünïcode ✓", params=2**53 - 1, weights=Weights(path="/models/tiny"),
        claims=(make_claim("a", 78.3),),
        capabilities=(Capability(id="x", name="X", task="other.other", intents_served=("do x",), tags=("t",)),),
    )  # fmt: skip
    with home.store.writing() as connection:
        saved = catalogue.save_artifacts(connection, [given, make_artifact("bob/other")])
        assert (len(saved.added), saved.changed, saved.unchanged) == (2, (), ())
    with home.store.reading() as connection:
        assert catalogue.all_artifacts(connection) == [given, make_artifact("bob/other")]
        assert catalogue.artifacts_by_id(connection, [given.id, "nobody"]) == {given.id: given}
        assert catalogue.count_artifacts(connection) == 2


def test_saving_again_changes_only_what_changed(home: Home) -> None:
    first = make_artifact(claims=(make_claim("ann/tiny-classifier", 1.0), make_claim("ann/tiny-classifier", 2.0)))
    second = first.model_copy(update={"claims": first.claims[1:], "description": "new"})
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [first])
        assert catalogue.save_artifacts(connection, [first]).unchanged == (first.id,)
        assert catalogue.save_artifacts(connection, [second]).changed == (first.id,)
        assert catalogue.stated_claims(connection) == list(second.claims)  # the other is kept, but not stated
        catalogue.save_artifacts(connection, [first])
        assert len(catalogue.stated_claims(connection, first.id)) == 2


def test_two_artifacts_of_one_slug_are_kept_apart(home: Home) -> None:
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [make_artifact("Ann/X"), make_artifact("ann/x"), make_artifact("ann--x")])
        slugs = {artifact.id: artifact.slug for artifact in catalogue.all_artifacts(connection)}
        assert slugs == {"Ann/X": "ann--x", "ann/x": "ann--x-2", "ann--x": "ann--x-3"}
        catalogue.save_artifacts(connection, [make_artifact("ann/x", description="changed")])
        assert catalogue.find_artifact(connection, "ann--x-2").description == "changed"


def test_an_artifact_is_found_by_id_slug_or_its_only_name(home: Home) -> None:
    with home.store.writing() as connection:
        catalogue.save_artifacts(
            connection, [make_artifact("ann/One"), make_artifact("bob/Two"), make_artifact("x/two")]
        )
        for name in ("ann/One", "ann--one", "ANN--ONE", "one", " One "):
            assert catalogue.find_artifact(connection, name).id == "ann/One"
        with pytest.raises(UnknownArtifact, match="two"):  # two have this name
            catalogue.find_artifact(connection, "two")
        with pytest.raises(UnknownArtifact) as caught:
            catalogue.find_artifact(connection, "ann/on")
        assert caught.value.suggestions[0] == "ann--one"


def test_vectors_come_back_to_the_bit_and_per_encoder(home: Home) -> None:
    vectors = {f"t{i}": np.random.default_rng(i).normal(size=8).astype(np.float32) for i in range(3)}
    with home.store.writing() as connection:
        catalogue.save_vectors(connection, "encoder-1", vectors)
        found = catalogue.load_vectors(connection, "encoder-1", ["t2", "t0", "absent"])
        assert set(found) == {"t0", "t2"}
        assert all(found[key].tobytes() == vectors[key].tobytes() for key in found)
        assert catalogue.load_vectors(connection, "encoder-2", ["t0"]) == {}
        catalogue.save_intent(connection, "in_b", "encoder-1", "t1", 1)
        catalogue.save_intent(connection, "in_a", "encoder-1", "t2", 2)
        ids, rows = catalogue.intent_vectors(connection, "encoder-1")
        assert ids == ["in_a", "in_b"]
        assert rows.tobytes() == np.stack([vectors["t2"], vectors["t1"]]).tobytes()
        catalogue.forget_vectors(connection, "encoder-1", ["t1"])
        assert catalogue.intent_vectors(connection, "encoder-1")[0] == ["in_a"]


def test_units_and_trust_are_remembered(home: Home) -> None:
    with home.store.writing() as connection:
        assert evidence.finished_unit(connection, "u1") is None
        evidence.finish_unit(connection, "u1", "a", "loads", '{"n": 1}')
        evidence.trust(connection, ["ann/tiny", "ann/tiny", "sha256:0"])
        assert evidence.finished_unit(connection, "u1") == '{"n": 1}'
        assert evidence.trusted_names(connection) == {"ann/tiny", "sha256:0"}


def test_many_commits_are_written_back_aside(home: Home) -> None:
    """The file grows without anybody closing it: what was committed is not left to the write-ahead log alone."""
    for number in range(130):
        with home.store.writing() as connection:
            evidence.trust(connection, [f"name {number}"])
    writing_back = home.store._writing_back
    assert writing_back is not None
    writing_back.join()
    assert b"name 60" in (home.path / "matchgraph.db").read_bytes()
