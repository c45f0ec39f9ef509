"""What lies beside files and sockets is refused as well, and no end of a child brings the caller down."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.sandbox.answers import MOST_PARTS, judge
from inference.sandbox.landlock import landlock_abi
from inference.sandbox.layers import SWITCHES, confines
from inference.sandbox.scratch import remove_folder
from inference.sandbox.zygote import Zygote
from tests.hostile_calls import raw
from tests.hostile_run import LIMITS

pytestmark = pytest.mark.skipif(landlock_abi() < 1, reason="needs Linux with landlock: elsewhere nothing is confined")

HOSTILE: dict[str, Any] = {"modules": ["tests.hostile_calls"], "probes": "tests.hostile_calls:PROBES"}
SAME_USER = ["cgroups", "namespaces", "setuid"]
"""With these off, all that is ours is the child's too, but for what landlock and the filter refuse."""
CREATE = 0o1600
NAMED = f"matchgraph-test-{os.getpid()}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[dict[str, str | int]]:
    """A file, a queue with a message, shared memory, a lock and a named queue, all of this process's user."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    found: dict[str, str | int] = {
        "world": str(tmp_path), "queue": raw("msgget", 0, CREATE), "memory": raw("shmget", 0, 4096, CREATE),
        "lock": raw("semget", 0, 1, CREATE), "named": NAMED,
    }  # fmt: skip
    raw("msgsnd", found["queue"], b"\1" + bytes(7) + b"secret", 6, 0)
    raw("mq_open", NAMED.encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
    yield found
    for remove in (
        lambda: raw("msgctl", found["queue"], 0, None), lambda: raw("shmctl", found["memory"], 0, None),
        lambda: raw("semctl", found["lock"], 0, 0, None), lambda: raw("mq_unlink", NAMED.encode()),
        Path("/dev/shm/matchgraph-test").unlink,
    ):  # fmt: skip
        try:
            remove()
        except OSError:
            continue


def attempts(world: dict[str, str | int], without: list[str], *, untrusted: bool) -> dict[str, bool]:
    with Zygote(**HOSTILE, without=without) as zygote:
        zygote.layers()
        assert zygote._process is not None
        settings = {**world, "worker": zygote._process.pid}
        readable = [Path(str(world["world"]))]
        answer = zygote.run(
            "calls", zygote.scratch, None, LIMITS, 20.0, 0, settings=settings, readable=readable, untrusted=untrusted
        )
    assert answer.raw is not None, answer
    return dict(json.loads(answer.raw))


@pytest.mark.parametrize("without", [[], SAME_USER], ids=["all layers", "same user"])
def test_nothing_beside_files_and_sockets_is_reached(world: dict[str, str | int], without: list[str]) -> None:
    assert [name for name, done in attempts(world, without, untrusted=True).items() if done] == []
    assert raw("msgrcv", world["queue"], ctypes.create_string_buffer(64), 48, 0, 0o4000) == 6  # still there


def test_without_the_layers_it_is_reached(world: dict[str, str | int]) -> None:
    found = attempts(world, sorted(SWITCHES), untrusted=False)
    # On the file system, on a setting of the kernel, and on whether the worker has more rights (root's) than its child.
    depends = {"set flags of a file", "io_uring", "memory of the worker"}
    assert {name for name, done in found.items() if not done} <= depends


def test_an_empty_network_alone_does_not_deny_sockets_that_have_a_path(world: dict[str, str | int]) -> None:
    """Why a network namespace without the filter is not enough for a stranger."""
    with Zygote(**HOSTILE, without=["seccomp"]) as zygote:
        layers = zygote.layers()
        refused = zygote.run("calls", zygote.scratch, None, LIMITS, 20.0, 0, settings={**world, "worker": 1})
    assert not confines(layers) and refused.failure == "unsafe_refused"
    assert attempts(world, ["seccomp"], untrusted=False)["socket of unix"] is True


# Ends ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(**HOSTILE, without=SAME_USER) as running:  # the first process of a namespace ignores most signals
        yield running


def ask(zygote: Zygote, probe: str, **settings: str) -> Any:
    return zygote.run(probe, zygote.scratch, None, LIMITS, 1.5, 0, settings=settings)


def test_a_signal_without_a_name_ends_the_child_alone(zygote: Zygote) -> None:
    answer = ask(zygote, "end_by_signal")
    assert (answer.failure, answer.what) == ("crashed", "ended by signal 40 without an answer")


@pytest.mark.parametrize("number", range(1, signal.NSIG))
def test_every_signal_has_a_word(number: int) -> None:
    assert judge(b'{"layers": []}\n', False, -number, 0.1, 1.0).failure in ("crashed", "timeout", "oom")


@pytest.mark.parametrize(
    ("probe", "failure"), [("stop", "timeout"), ("close_and_hang", "crashed")], ids=["stopped", "pipe closed"]
)
def test_what_does_not_end_is_ended(zygote: Zygote, probe: str, failure: str) -> None:
    assert ask(zygote, probe).failure in (failure, "oom")
    assert ask(zygote, "leave_links", world="/nonesuch").failure is None


@pytest.mark.parametrize(
    "line",
    ["", "null", "[]", '{"raw": {"a": ' + "9" * 5_000 + "}}", '{"raw": {"a": "\\ud800"}}', '{"raw": 1e999}', "\xff\xfe",
     '{"failure": "verified", "what": ""}', '{"failure": "oom", "what": "' + "x" * 3_000 + '"}'],
    ids=["empty", "null", "list", "long number", "half a letter", "infinite", "no text", "other word", "long word"],
)  # fmt: skip
def test_a_line_that_is_no_answer_is_a_crash(zygote: Zygote, line: str) -> None:
    assert ask(zygote, "write_lines", line=line).failure == "crashed"


def test_a_short_answer_of_very_many_lists_is_not_built() -> None:
    def answer(count: int) -> str:
        return judge(b'{"layers": []}\n{"raw": {"a": [' + b"[]," * count + b"0]}}\n", False, 0, 0.1, 1.0).what

    assert (answer(1_000), answer(MOST_PARTS)) == ("", f"answered more than {MOST_PARTS} lists")


def test_what_a_child_says_moves_no_cursor(zygote: Zygote) -> None:
    answer = ask(zygote, "write_lines", line='{"failure": "load_failed", "what": "a\\u001b[2J\\u202eb\\nc"}')
    assert (answer.failure, answer.what) == ("load_failed", "a [2J b c")


@pytest.mark.parametrize("without", [SAME_USER, ["namespaces"]], ids=["same user", "own user"])
def test_links_in_a_scratch_are_not_followed_when_it_is_cleaned(tmp_path: Path, without: list[str]) -> None:
    (tmp_path / "kept").write_text("x", encoding="utf-8")
    mode = tmp_path.stat().st_mode
    with Zygote(**HOSTILE, without=without) as zygote:
        assert ask(zygote, "leave_links", world=str(tmp_path)).failure is None
        assert list(zygote.scratch.iterdir()) == []
    assert (tmp_path / "kept").exists() and tmp_path.stat().st_mode == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has to change modes, and harms only what is its own")
def test_root_changes_no_mode_that_a_link_could_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch" / "closed" / "inner").mkdir(parents=True)
    for name in ("closed/inner", "closed"):
        (tmp_path / "scratch" / name).chmod(0)

    def refuse(*arguments: object, **options: object) -> None:
        if options.get("dir_fd") is not None:  # the outermost folder lies where no child can write
            raise AssertionError("a mode was changed by name")

    monkeypatch.setattr(os, "chmod", refuse)
    remove_folder(tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


def test_an_answer_is_read_by_a_caller_with_many_open_files(zygote: Zygote) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2_000:
        pytest.skip("this user may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2_000), hard))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1_100)]
    try:
        assert ask(zygote, "leave_links", world="/nonesuch").failure is None
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_memory_is_joined_to_large_pages_and_stays_what_it_was() -> None:
    """What makes a fork of a worker cheap; in a process of its own, whose memory is filled by hand."""
    script = (
        "from inference.sandbox.processes import join_pages\n"
        "held = bytearray(bytes(range(256)) * (1 << 16)); joined = join_pages()\n"
        "large = next(line for line in open('/proc/self/smaps_rollup') if line.startswith('AnonHugePages'))\n"
        "print(joined, int(large.split()[1]), held == bytes(range(256)) * (1 << 16))\n"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    joined, large_kib, same = done.stdout.split()
    assert same == "True"
    if not int(joined):
        pytest.skip("needs Linux 6.1")
    assert int(joined) >= 4 and int(large_kib) >= 2_048 * 4
