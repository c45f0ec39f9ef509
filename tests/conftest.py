"""Fixtures shared by all tests; small real things come from `factories`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import inference.work.machine
from graph.home import Home, open_home
from graph.settings import Settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Same draws everywhere and at every run; a slow machine is no reason to fail.
settings.register_profile("matchgraph", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("matchgraph")

# A shell that starts the tests in the background ignores Ctrl-C for them, and children inherit that; tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_REQUIRED = os.environ.get("MATCHGRAPH_TEST_SHARED") == "required"
"""Set in CI, where the third-party data must be there: a test that would skip fails instead."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the settings or the home of whoever runs it."""
    for name in [name for name in os.environ if name.startswith("MATCHGRAPH_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _own_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests assert no times, so they do not wait for what measures time on this machine, and nothing waits for them."""
    folder = tmp_path_factory.mktemp("machine")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inference.work.machine, "lock_folder", lambda: folder)
        patched.setenv("TMPDIR", str(folder))  # and so do the commands that tests start
        yield


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An empty home in `tmp_path / "home"`."""
    opened = open_home(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture
def throw_away_home(tmp_path: Path) -> Iterator[Home]:
    """An empty home that counts synthetic events too, in `tmp_path / "throw-away"`."""
    opened = open_home(Settings(home=tmp_path / "throw-away"), throw_away=True)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party data beside the repository; skips where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "data").is_dir():
        if SHARED_REQUIRED:
            pytest.fail("../shared/data is missing, but MATCHGRAPH_TEST_SHARED=required")
        pytest.skip("needs the third-party data sets in ../shared, which are not part of the repository")
    return folder
