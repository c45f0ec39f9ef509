"""Every hostile model directory in every mode, each followed by an honest model; then the memory over 200 honest ones.

    python benchmarks/hostile/hostile.py            all modes; writes results/hostile.json and results/hostile.md
    python benchmarks/hostile/hostile.py --only ordinary-user       one of them, beside the results that are there

Modes: `root` or `user` (whoever starts it), `ordinary-user` (no rights at all, by a user namespace where root starts
it), `no-namespaces-no-cgroups` (landlock, seccomp and limits alone), `four-at-once`, `200-honest-models`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from hostile_models import CASES, NORMAL, PAYLOAD, HostileModel, ending, honest, listing, offspring  # noqa: E402

from graph.home import Home, open_home  # noqa: E402
from graph.settings import Settings  # noqa: E402
from inference.sandbox.layers import confines  # noqa: E402
from inference.sandbox.zygote import Zygote  # noqa: E402

RESULTS = Path(__file__).parent / "results"
MODULES = ["torch", "transformers.pipelines"]
AT_ONCE = 4
LOCK = "matchgraph-machine-"
"""The folder of the lock that all runs on a machine share; it stays."""
MANY = 200
ORDINARY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="one mode")
    parser.add_argument("--worker", nargs=3, metavar=("WORK", "WITHOUT", "MANY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work, without, many = options.worker
        json.dump(run_all(Path(work), [name for name in without.split(",") if name], int(many)), sys.stdout)
        return
    own = "root" if os.geteuid() == 0 else "user"
    modes: dict[str, tuple[list[str], str, int]] = {
        own: ([], "", 1),
        "ordinary-user": (ORDINARY if own == "root" else [], "", 1),
        "no-namespaces-no-cgroups": ([], "namespaces,cgroups", 1),
        "four-at-once": ([], "", AT_ONCE),
        "200-honest-models": ([], "", 1),
    }
    file = RESULTS / "hostile.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    for name, (prefix, without, copies) in modes.items():
        if options.only in (None, name):
            results[name] = start(prefix, without, copies, MANY if name == "200-honest-models" else 0)
            print(f"{name}: {summary(results[name])}", flush=True)
            write({mode: results[mode] for mode in modes if mode in results})


def start(prefix: list[str], without: str, copies: int, many: int) -> list[dict[str, Any]]:
    """The reports of so many processes that verify at the same time, each in a folder of its own."""
    with contextlib.ExitStack() as stack:
        running = []
        for _ in range(copies):
            work = stack.enter_context(tempfile.TemporaryDirectory(prefix="hostile-"))
            command = [*prefix, sys.executable, __file__, "--worker", work, without, str(many)]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return [json.loads(process.communicate()[0]) for process in running]


def run_all(work: Path, without: list[str], many: int) -> dict[str, Any]:
    """One process: every case and an honest model after each, in a home and a folder for temporary files of its own."""
    scratch = work / "tmp"
    scratch.mkdir()
    tempfile.tempdir = str(scratch)
    home = open_home(Settings(home=work / "home"))
    rows, layers, started = [], set(), time.perf_counter()
    with Zygote(MODULES, without=without) as worker:
        worker.layers()  # starts it: what follows has a budget of seconds
        for number, case in enumerate([] if many else CASES):
            row = try_one(home, work / "models", case, number, worker)
            layers |= set(row.pop("layers"))
            rows.append(row)
            print(f"{case.name} {row['loads']} {row['seconds']:.1f} s", file=sys.stderr, flush=True)
        memory = list(many_models(home, work / "many", many, worker)) if many else []
        children = len(offspring(worker._process.pid)) if worker._process else 0
    home.close()
    left = [path.name for path in scratch.iterdir() if not path.name.startswith(LOCK)]
    return {
        "rows": rows, "layers": sorted(layers), "confined": confines(layers), "user": os.geteuid(),
        "seconds": round(time.perf_counter() - started, 1), "memory": memory, "children_left": children,
        "processes_left": len(offspring(os.getpid())), "scratch_left": len(left),
    }  # fmt: skip


def try_one(home: Home, models: Path, case: HostileModel, number: int, worker: Zygote) -> dict[str, Any]:
    """How one case ended, what the honest model after it got, and whether anything was written beside the home."""
    folder, following = models / case.name, models / f"{case.name}-next"
    models.mkdir()
    case.write(folder)
    honest(following, seed=number)
    before, started = listing(models), time.perf_counter()
    found = ending(home, folder, worker)
    seconds = time.perf_counter() - started
    after = ending(home, following, worker)
    untouched = listing(models) == before and not (models / PAYLOAD).exists()
    locked = folder / "more"
    if locked.is_dir() and not locked.is_symlink():  # in one case it is a link
        locked.chmod(0o700)
    shutil.rmtree(models, ignore_errors=True)
    return {
        "case": case.name, "loads": list(found.loads), "runs": list(found.runs), "reason": found.reason,
        "as_expected": found.fits(case), "next_is_normal": after.loads == NORMAL[0], "untouched": untouched,
        "seconds": round(seconds, 3), "layers": [*found.layers, *after.layers],
    }  # fmt: skip


def many_models(home: Home, folder: Path, count: int, worker: Zygote) -> Iterator[dict[str, int]]:
    """Resident memory of this process and of the worker, in KiB, after every 20 of so many honest models."""
    folder.mkdir()
    for number in range(count):
        honest(folder / str(number), seed=10_000 + number)
        if ending(home, folder / str(number), worker).loads != NORMAL[0]:
            raise SystemExit(f"the honest model {number} did not load")
        shutil.rmtree(folder / str(number))
        if number % 20 == 19 and worker._process is not None:
            yield {
                "models": number + 1,
                "parent": resident_kib(os.getpid()),
                "worker": resident_kib(worker._process.pid),
            }


def resident_kib(process: int) -> int:
    """Resident memory of a process in KiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def summary(reports: list[dict[str, Any]]) -> str:
    """One line about a mode."""
    rows = [row for report in reports for row in report["rows"]]
    counts = {key: sum(row[key] for row in rows) for key in ("as_expected", "next_is_normal", "untouched")}
    left = sum(report[key] for report in reports for key in ("children_left", "processes_left", "scratch_left"))
    words = ", ".join(f"{key.replace('_', ' ')} {count}" for key, count in counts.items())
    wrong = [row["case"] for row in rows if not (row["as_expected"] and row["next_is_normal"] and row["untouched"])]
    if not rows:
        return f"{reports[0]['memory'][-1]['models']} models; processes and folders left {left}"
    return f"{len(rows)} runs: {words}; processes and folders left {left}; {wrong or 'nothing else'}"


def write(results: dict[str, list[dict[str, Any]]]) -> None:
    """Write the committed result, as JSON and as a table."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "hostile.json").write_text(json.dumps(results) + "\n")
    lines = ["# Hostile models", "", "Written by `python benchmarks/hostile/hostile.py`.", ""]
    for name, reports in results.items():
        seconds = max(report["seconds"] for report in reports)
        layers = f" Layers: {', '.join(reports[0]['layers'])}." if reports[0]["layers"] else ""
        lines += [f"- **{name}**: {summary(reports)}. {seconds:.0f} s.{layers}"]
    memory = next((report["memory"] for reports in results.values() for report in reports if report["memory"]), [])
    lines += ["", "| honest models verified | parent, MiB | worker, MiB |", "|---|---|---|"]
    lines += [f"| {at['models']} | {at['parent'] / 1024:.0f} | {at['worker'] / 1024:.0f} |" for at in memory]
    tried = {name: reports for name, reports in results.items() if reports[0]["rows"]}
    lines += ["", "| case | " + " | ".join(tried) + " |", "|---" * (len(tried) + 1) + "|"]
    for case in CASES:
        ends = [
            sorted({_end(row) for report in reports for row in report["rows"] if row["case"] == case.name})
            for reports in tried.values()
        ]
        lines.append(f"| {case.name} | " + " | ".join(", ".join(end) for end in ends) + " |")
    (RESULTS / "hostile.md").write_text("\n".join(lines) + "\n")


def _end(row: dict[str, Any]) -> str:
    verdict, code = row["loads"]
    return f"{verdict} ({code})" if code else str(verdict)


if __name__ == "__main__":
    main()
