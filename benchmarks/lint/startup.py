"""How long `matchgraph lint PAGE` takes, from the start of the process to its end, and which modules it imports.

    python benchmarks/lint/startup.py PAGE [--runs 15] [--write]

Each run is a fresh process, alternating with an interpreter that starts and imports typer and pydantic alone: what is
left is ours. Wall time is what a user waits; processor seconds (user and system) are what other work on the machine
disturbs least.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results" / "startup.json"
BARE = "import typer, pydantic"
HEAVY = ("torch", "transformers", "onnxruntime", "sklearn", "scipy", "faiss", "huggingface_hub", "pyarrow", "rich")


def timed(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr.decode())
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spread(values: list[float]) -> dict[str, float]:
    """Least, median and most, in seconds."""
    return {
        "least": round(min(values), 3), "median": round(statistics.median(values), 3), "most": round(max(values), 3),
    }  # fmt: skip


def imported(page: Path) -> list[str]:
    """Which of the heavy modules a lint imports."""
    code = (
        "import sys, cli.main\nsys.argv = ['matchgraph', 'lint', sys.argv[1]]\n"
        "try: cli.main.app()\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(page)], cwd=REPOSITORY, capture_output=True, check=True)
    return json.loads(done.stderr.decode().splitlines()[-1].replace("'", '"'))


def main() -> None:
    """Measure, print, and keep the results with `--write`."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("page", type=Path)
    options.add_argument("--runs", type=int, default=15)
    options.add_argument("--write", action="store_true")
    given = options.parse_args()
    page = given.page.resolve()
    lint = [sys.executable, "-m", "cli.main", "lint", str(page)]
    bare = [sys.executable, "-c", BARE]
    timed(lint), timed(bare)  # the files are in memory from here on
    pairs = [(timed(lint), timed(bare)) for _ in range(given.runs)]
    result = {
        "runs": given.runs, "python": platform.python_version(), "cores": os.cpu_count(),
        "load_after": round(os.getloadavg()[0], 1), "page_bytes": page.stat().st_size,
        "lint": {"wall_s": spread([a[0] for a, _ in pairs]), "cpu_s": spread([a[1] for a, _ in pairs])},
        f"python -c '{BARE}'": {"wall_s": spread([b[0] for _, b in pairs]), "cpu_s": spread([b[1] for _, b in pairs])},
        "heavy_modules_imported": imported(page),
    }  # fmt: skip
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if given.write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
