"""The sandbox holds: the same attacks fail in it and succeed without it, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.errors import InputError
from inference.sandbox.landlock import landlock_abi
from inference.sandbox.layers import LAYERS, NOT_CONFINED, SWITCHES, available_layers, confines, switched_off
from inference.sandbox.scratch import remove_folder, sweep_scratch
from inference.sandbox.zygote import Limits, Zygote
from tests.hostile_run import LIMITS, SECRET
from tests.sandbox_users import as_nobody

pytestmark = pytest.mark.skipif(landlock_abi() < 1, reason="needs Linux with landlock: elsewhere nothing is confined")

HOSTILE: dict[str, Any] = {"modules": ["tests.hostile_probes"], "probes": "tests.hostile_probes:PROBES"}
ALL_OFF = sorted(SWITCHES)
MODES = {
    "all layers": ([], False),
    "no namespaces": (["namespaces"], False),
    "no namespaces, cgroups, setuid": (["namespaces", "cgroups", "setuid"], False),
    "nobody": ([], True),
    "nobody, no namespaces": (["namespaces"], True),
}
CONTAINED = (
    "read", "list", "write", "write to the staged model", "write to the scratch of all", "links", "truncate", "chmod",
    "touch", "tcp", "unix", "abstract unix", "socket pair", "udp", "shell", "fork", "daemon", "signal", "trace",
    "forget the parent",
)  # fmt: skip
_runs: dict[tuple[str, bool], dict[str, Any]] = {}


def run_as(without: list[str], *, nobody: bool, untrusted: bool = True) -> dict[str, Any]:
    """What came of all attacks; run once for each way."""
    asked = json.dumps({"without": without, "untrusted": untrusted})
    if (asked, nobody) not in _runs:
        command: list[str] | None = [sys.executable, "-B", "-m", "tests.hostile_run", asked]
        if nobody:
            command = as_nobody(command or [])
            if command is None:
                pytest.skip("needs root, setpriv and unshare to become an ordinary user")
        environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
        root = Path(__file__).resolve().parents[1]
        done = subprocess.run(command or [], cwd=root, env=environment, capture_output=True, timeout=120, check=False)
        if nobody and done.returncode and b"ermission denied" in done.stderr:
            pytest.skip("an ordinary user cannot read this checkout or its Python")
        assert done.returncode == 0, done.stderr.decode()[-2_000:]
        _runs[asked, nobody] = json.loads(done.stdout)
    return _runs[asked, nobody]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(**HOSTILE) as running:
        yield running


def ask(zygote: Zygote, probe: str, limits: Limits = LIMITS, timeout_s: float = 20.0, **settings: Any) -> Any:
    return zygote.run(probe, zygote.scratch, None, limits, timeout_s, 0, settings=settings)


# Containment and its control -----------------------------------------------------------------------------
@pytest.mark.parametrize("mode", MODES)
def test_an_attack_fails_and_leaves_nothing(mode: str) -> None:
    without, nobody = MODES[mode]
    found = run_as(without, nobody=nobody)
    for name in CONTAINED:
        assert found[name]["failure"] is None, (name, found[name])
        assert found[name]["raw"]["done"] is False, (name, found[name])
        assert confines(found[name]["layers"])
    world = found["world"]
    assert set(world["texts"].values()) == {SECRET}
    assert set(world["same"].values()) == {True}
    assert "made" not in world["names"]
    assert (world["scratch"], world["scratch is gone"]) == (["model"], True)
    assert (world["udp"], world["killed"], world["left"]) == ("", False, [])


@pytest.mark.parametrize("nobody", [False, True], ids=["as we are", "as nobody"])
def test_without_the_layers_the_same_attacks_succeed(nobody: bool) -> None:
    found = run_as(ALL_OFF, nobody=nobody, untrusted=False)
    assert {name for name in CONTAINED if found[name]["raw"].get("done") is not True} == set()
    world = found["world"]
    assert (world["udp"], world["killed"], world["texts"]["soft"]) == ("hey", True, "was here")
    assert (world["texts"]["emptied"], world["same"]["moded"], world["same"]["touched"]) == ("", False, False)
    assert world["left"] == []  # even so, the daemon does not outlive the run


@pytest.mark.parametrize("mode", MODES)
def test_what_a_model_needs_still_works(mode: str) -> None:
    without, nobody = MODES[mode]
    found = run_as(without, nobody=nobody)
    assert (found["thread"]["raw"]["got"], found["own scratch"]["raw"]["got"]) == ("4", "mine")
    assert found["staged link"]["raw"]["got"] == SECRET  # what staging links to can be read, and only that


@pytest.mark.parametrize("mode", MODES)
def test_resources_are_bounded(mode: str) -> None:
    without, nobody = MODES[mode]
    found = run_as(without, nobody=nobody)
    assert "Too many open files" in found["many open files"]["raw"]["got"]
    assert "File too large" in found["huge file"]["raw"]["got"]
    assert found["memory"]["failure"] == "oom"
    assert found["fork bomb"]["raw"] == {"done": True, "got": "0"}


def test_each_layer_alone_is_named_and_does_its_part() -> None:
    nothing_on_network = run_as(["seccomp", "cgroups", "setuid"], nobody=False, untrusted=False)
    assert [nothing_on_network[name]["raw"]["done"] for name in ("read", "write", "tcp", "udp")] == [False] * 4
    if "net_namespace" not in nothing_on_network["read"]["layers"]:
        pytest.skip("no namespaces here")
    assert not any("seccomp" in layer for layer in nothing_on_network["read"]["layers"])


def test_a_fork_bomb_is_stopped_by_the_group_where_no_filter_stops_it() -> None:
    with Zygote(**HOSTILE, without=["seccomp"]) as zygote:
        layers = zygote.layers()
        if not {"cgroup_pids", "pid_namespace"} <= set(layers):
            pytest.skip("needs a control group and a process namespace")
        limits = Limits(1 << 30, 20, processes=40)
        answer = zygote.run("fork_bomb", zygote.scratch, None, limits, 20.0, 0, untrusted=False)
        assert answer.raw is not None
        assert 30 <= int(json.loads(answer.raw)["got"]) <= 40
        assert zygote._process is not None
        assert len(zygote._groups) >= 1
        members = (zygote._groups[-1] / "cgroup.procs").read_text(encoding="ascii").split()
        assert members == [str(zygote._process.pid)]
        groups = list(zygote._groups)
    assert not any(group.exists() for group in groups)


# What is refused, and what is said ------------------------------------------------------------------------
def test_a_stranger_is_refused_where_nothing_confines_it_and_a_trusted_model_is_run() -> None:
    with Zygote(**HOSTILE, without=ALL_OFF) as zygote:
        refused = zygote.run("load", zygote.scratch, None, LIMITS, 20.0, 0)
        assert (refused.failure, refused.raw) == ("unsafe_refused", None)
        assert "--trust" in refused.what
        assert refused.what == NOT_CONFINED
        assert zygote.run("thread", zygote.scratch, None, LIMITS, 20.0, 0, untrusted=False).raw is not None


@pytest.mark.parametrize(
    ("layers", "enough"),
    [
        ((), False),
        (("rlimits", "subprocess"), False),
        (("landlock:7",), False),
        (("seccomp", "net_namespace", "private_scratch"), False),
        (("landlock:1", "seccomp"), True),
        (("landlock:7", "net_namespace"), False),
    ],
)
def test_files_and_network_must_both_be_denied(layers: tuple[str, ...], enough: bool) -> None:
    assert confines(layers) is enough


def test_layers_are_asked_once_and_are_all_described() -> None:
    found = available_layers()
    assert confines(found)
    assert {layer.partition(":")[0] for layer in found} <= set(LAYERS)
    started = time.perf_counter()
    assert available_layers() is found
    assert time.perf_counter() - started < 0.05
    assert not confines(available_layers(frozenset(SWITCHES)))


def test_switches_are_read_strictly() -> None:
    assert switched_off(" -namespaces, -cgroups") == {"namespaces", "cgroups"}
    assert switched_off("") == frozenset()
    for wrong in ("namespaces", "-everything", "-landlock,+seccomp"):
        with pytest.raises(InputError, match="MATCHGRAPH_SANDBOX"):
            switched_off(wrong)


# Secrets ----------------------------------------------------------------------------------------------------
def test_nothing_of_the_caller_reaches_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = secrets.token_hex(16)
    monkeypatch.setenv("A_SECRET", secret)
    (tmp_path / "secret").write_text(secret, encoding="utf-8")
    with (tmp_path / "secret").open(encoding="utf-8") as held, Zygote(**HOSTILE) as zygote:
        os.set_inheritable(held.fileno(), True)
        answer = zygote.run(
            "see",
            zygote.scratch,
            None,
            LIMITS,
            20.0,
            0,
            initialised=True,
            settings={"needle": secret[::-1], "steps": 4},
        )
        assert answer.raw is not None
        seen = json.loads(answer.raw)
        assert secret not in json.dumps(seen["environment"])
        assert [link for link in seen["descriptors"].values() if link.startswith(str(tmp_path))] == []
        assert sorted(seen["descriptors"].values())[:3] == ["/dev/null"] * 3
        assert len(seen["descriptors"]) == 4  # and the pipe of the answer
        assert seen["memory"] is False
        assert seen["folder"].startswith(str(zygote.scratch))
        assert (seen["settings"]["steps"], seen["initialised"]) == (4, True)
        found = zygote.run("see", zygote.scratch, None, LIMITS, 20.0, 0, settings={"needle": "ENILFFO_BUH_FH"})
        assert found.raw is not None
        assert json.loads(found.raw)["memory"] is True  # the search does find a word that is there


def test_a_worker_with_a_strange_descriptor_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graph.errors import ModelError

    real = subprocess.Popen

    def leaky(command: list[str], **options: Any) -> Any:
        return real(command, **(options | {"pass_fds": [*options["pass_fds"], leaked]}))

    leaked = os.open(tmp_path, os.O_RDONLY)
    monkeypatch.setattr("inference.sandbox.zygote.subprocess.Popen", leaky)
    try:
        with Zygote([]) as zygote, pytest.raises(ModelError, match="1 descriptors of the caller"):
            zygote.layers()
    finally:
        os.close(leaked)


# Endings ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("probe", "timeout_s", "failure"),
    [("hang", 0.4, "timeout"), ("spin", 0.4, "timeout"), ("crash", 20.0, "crashed"), ("talk", 20.0, "crashed"),
     ("nest", 20.0, "crashed"), ("forge", 20.0, "crashed")],
)  # fmt: skip
def test_every_end_has_its_name_and_the_next_model_runs(
    zygote: Zygote, probe: str, timeout_s: float, failure: str
) -> None:
    answer = ask(zygote, probe, timeout_s=timeout_s)
    assert answer.failure == failure
    assert "forged" not in answer.layers
    assert "rlimits" in answer.layers
    assert ask(zygote, "thread").failure is None


def test_processor_time_runs_out(zygote: Zygote) -> None:
    answer = ask(zygote, "spin", Limits(1 << 30, cpu_s=1), timeout_s=60.0)
    assert (answer.failure, answer.what) == ("timeout", "its processor time ran out")


@pytest.mark.parametrize("without", [[], ["namespaces"]])
def test_a_scratch_that_is_filled_up_ends_the_run(without: list[str]) -> None:
    with Zygote(**HOSTILE, without=without) as zygote:
        answer = ask(zygote, "many_files", Limits(1 << 30, 60, disk_bytes=16 << 20), timeout_s=60.0)
        stopped_by_disk = answer.raw is not None and "No space left" in json.loads(answer.raw)["got"]
        assert stopped_by_disk or "wrote more to its scratch folder" in answer.what
        assert list(zygote.scratch.iterdir()) == []


def test_workers_at_once_do_not_meet() -> None:
    with Zygote(**HOSTILE) as one, Zygote(**HOSTILE) as other:
        results = {}
        import threading

        def work(name: str, zygote: Zygote) -> None:
            results[name] = [ask(zygote, "see").raw for _ in range(5)]

        threads = [threading.Thread(target=work, args=each) for each in (("one", one), ("other", other))]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        users = {name: {json.loads(raw or b"{}")["user"] for raw in raws} for name, raws in results.items()}
        assert len(users["one"]) == len(users["other"]) == 1
        if "unprivileged_user" in one.layers():
            assert users["one"].isdisjoint(users["other"])
        assert one.scratch != other.scratch
        assert set(one._groups).isdisjoint(other._groups)


def test_a_worker_outlives_the_thread_that_started_it() -> None:
    import threading

    with Zygote(**HOSTILE) as zygote:
        starter = threading.Thread(target=zygote.layers)
        starter.start()
        starter.join()
        time.sleep(0.1)
        process = zygote._process
        assert ask(zygote, "thread").failure is None
        assert zygote._process is process


KILLED = """
import os, sys, threading, time
from inference.sandbox.zygote import Limits, Zygote
zygote = Zygote(["tests.hostile_probes"], probes="tests.hostile_probes:PROBES")
def tell():
    while not zygote._child:
        time.sleep(0.01)
    print(zygote._process.pid, zygote._child, zygote.scratch, *zygote._groups, flush=True)
threading.Thread(target=tell, daemon=True).start()
zygote.run("hang", zygote.scratch, None, Limits(1 << 30, 60), 60.0, 0)
"""


def test_the_sudden_death_of_the_caller_leaves_no_process_and_its_scratch_is_swept(repository: Path) -> None:
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=repository) as running:
        assert running.stdout is not None
        worker, child, scratch, *groups = running.stdout.readline().decode().split()
        running.send_signal(signal.SIGKILL)
        running.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{process}").exists() for process in (worker, child)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{worker}").exists()
    assert not Path(f"/proc/{child}").exists()
    os.utime(scratch, (0, 0))  # not fresh any more
    sweep_scratch(Path(scratch).parent)
    assert not Path(scratch).exists()
    for group in groups:
        Path(group).rmdir()  # empty: the next sweep would take it


def test_a_scratch_in_use_is_not_swept(zygote: Zygote) -> None:
    os.utime(zygote.scratch, (0, 0))
    sweep_scratch(zygote.scratch.parent)
    assert zygote.scratch.exists()


def test_a_folder_is_removed_whatever_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x", encoding="utf-8")
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "kept")
    (folder / "closed").mkdir()
    (folder / "closed" / "file").write_text("x", encoding="utf-8")
    (folder / "closed").chmod(0)
    here = Path.cwd()
    os.chdir(folder)
    for _ in range(1_200):  # deeper than a recursion, longer than a path may be
        os.mkdir("d")  # noqa: PTH102
        os.chdir("d")
    os.chdir(here)
    remove_folder(folder)
    assert not folder.exists()
    assert (tmp_path / "kept" / "file").exists()


def test_a_link_in_the_place_of_a_folder_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir(mode=0o755)
    mode = (tmp_path / "kept").stat().st_mode
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_folder(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "kept").stat().st_mode == mode


# Fresh processes, and time -------------------------------------------------------------------------------------
def test_a_fresh_process_answers_the_same_behind_the_same_walls(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    answers = {}
    for fresh in (False, True):
        with Zygote(**HOSTILE, fresh=fresh) as zygote:
            results = [
                ask(zygote, "read", timeout_s=120.0, target=str(tmp_path / "secret")),  # a fresh process imports anew
                ask(zygote, "write_own", timeout_s=120.0),
            ]
            assert all(confines(answer.layers) for answer in results)
            answers[fresh] = [answer.raw for answer in results]
            assert ask(zygote, "hang", timeout_s=0.4).failure == "timeout"
            assert ask(zygote, "thread").failure is None
    assert answers[False] == answers[True]


class NoEmptyPiece(socket.socket):
    """What a fresh worker's socket is like that was closed as soon as it had the whole request."""

    def sendall(self, data: Any, flags: int = 0) -> None:
        if not data:
            raise BrokenPipeError("the other end is closed: even an empty piece fails")
        super().sendall(data, flags)


def test_a_request_that_went_out_whole_is_not_followed_by_an_empty_piece(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    running = Zygote([])
    running._channel = NoEmptyPiece(fileno=ours.detach())
    with running, theirs, (tmp_path / "pipe").open("wb") as pipe:
        running._ask({"op": "run"}, pipe.fileno())
        line, descriptors, _, _ = socket.recv_fds(theirs, 1_000, 1)
        os.close(descriptors[0])
    assert json.loads(line) == {"op": "run"}


def test_a_child_is_set_up_in_milliseconds() -> None:
    with Zygote([]) as zygote:
        zygote.layers()
        times = []
        for _ in range(20):
            started = time.perf_counter()
            zygote.layers()
            times.append(time.perf_counter() - started)
    assert statistics.median(times) < 0.2  # measured at 8 ms on a quiet machine: benchmarks/sandbox
