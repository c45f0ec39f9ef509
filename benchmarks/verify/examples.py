"""How long all example models take: every unit of work, with and without claims, in a home of its own.

    python benchmarks/verify/examples.py [--jobs 2] [--without-observations] [--write]

Prints seconds by unit and in total, after the workers' imports; the issue asks for 90 s on 2 cores. Processor seconds
stand beside the wall clock's, because a busy machine stretches only the latter. `--write` keeps the result beside this
file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
from pathlib import Path

from sqlalchemy import select

from graph.home import open_home
from graph.settings import Settings
from graph.store.catalogue import all_artifacts
from graph.store.tables import JOBS
from indexer.pipeline import ingest
from inference.work import settle
from inference.work.executor import VerifyOptions, verify_artifacts

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ("local-*.yml", "sentence-transformers--all-minilm-l6-v2.yml", "apple--mobilevit-small.yml")


def main() -> None:
    """Run, print, and keep the result where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--without-observations", action="store_true", help="only what claims wait for")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    if chosen.without_observations:
        settle.observation_needs = lambda *_: []  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), chosen.jobs)
    for unit in found["units"]:
        print(f"{unit['seconds']:8.2f} s  estimated {unit['estimated']:6.2f}  {unit['probe']:28} {unit['artifact']}")
    print(f"{found['wall_s']:8.2f} s  wall, {found['import_s']:.2f} s of it imports")
    print(f"{found['processor_s']:8.2f} s  processor")
    print(f"units run {found['run']}, left {found['left']}, verdicts {found['verdicts']}")
    if chosen.write:
        name = "claims.json" if chosen.without_observations else "examples.json"
        Path(__file__).with_name(name).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, jobs: int) -> dict[str, object]:
    """Seconds by unit, dearest first, and in total."""
    home = open_home(Settings(home=folder / "home"))
    sources = sorted(file for pattern in MANIFESTS for file in (ROOT / "examples" / "artifacts").glob(pattern))
    ingest(home, sources)
    sets = {file.stem: file for file in sorted((ROOT / "examples" / "data").glob("*.csv"))}
    with home.store.reading() as connection:
        artifacts = all_artifacts(connection)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = verify_artifacts(home, artifacts, VerifyOptions(data=sets, jobs=jobs))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with home.store.reading() as connection:
        rows = connection.execute(select(JOBS).where(JOBS.c.duration_s.is_not(None)).order_by(JOBS.c.duration_s.desc()))
        units = [
            {"artifact": row.artifact, "probe": row.probe, "seconds": round(row.duration_s, 2),
             "estimated": round(row.cost_s, 2), "state": row.state}
            for row in rows
        ]  # fmt: skip
    home.close()
    import torch

    return {
        "processors": os.cpu_count(), "torch": torch.__version__,
        "jobs": jobs, "run": report.units_run, "left": report.units_left, "wall_s": round(report.duration_s, 2),
        "import_s": round(report.import_s, 2),
        "processor_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "verdicts": {f"{c.verdict} {c.reason_code}".strip(): c.claims for c in report.counts},
        "units": units,
    }  # fmt: skip


if __name__ == "__main__":
    main()
