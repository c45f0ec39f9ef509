"""A generated log of 10,000 rows, imported as JSON Lines and as CSV: the reports against the known truth.

    python benchmarks/replay/directory_log.py [--rows N] [--seed N]

Exit code 1 where a report is not the truth. The generator: tests/directory_log.py.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from directory_log import (  # noqa: E402
    END_S,
    MAPPED,
    WINDOW,
    DirectoryLog,
    demand_differences,
    differences,
    directory_artifacts,
)
from fake_encoder import WordEncoder  # noqa: E402
from small_catalogue import build_small  # noqa: E402

from graph.home import open_home  # noqa: E402
from graph.settings import Settings  # noqa: E402
from search.demand import demand_report  # noqa: E402
from search.replay.run import ImportOptions, import_events  # noqa: E402


def main() -> int:
    """Run both forms; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    written, wrong = DirectoryLog(given.seed, given.rows), 0
    for form in ("jsonl", "csv"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"log.{form}"
            (written.write_lines if form == "jsonl" else written.write_csv)(path)
            home = open_home(Settings(home=Path(folder) / "home"))
            build_small(home, directory_artifacts())
            started = time.perf_counter()
            told = import_events(home, [path], ImportOptions(MAPPED), WordEncoder())
            imported = time.perf_counter()
            report = demand_report(home, days=WINDOW, until_us=END_S * 1_000_000, limit=1_000)
            reported = time.perf_counter()
            found = differences(written.truth, told) + demand_differences(written.truth, report)
            home.close()
        print(f"{form}: {told.rows} rows, import {imported - started:.1f} s, demand {reported - imported:.2f} s")
        print("\n".join(found) or "  both reports equal the known truth")
        wrong += len(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
