"""Every planted lie and its honest twin through the real pipeline at one-sided α = .001; then the rule, simulated.

    python benchmarks/verdicts/lies.py              all; writes results/lies.json and results/lies.md
    python benchmarks/verdicts/lies.py --only llama     those whose name holds this word; writes nothing

A lie is caught where its verdict is `refuted`; it has to be at least twice the detectable difference. Some minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from lies import LEVEL, MODULES, Outcome, all_pairs, digest_of_names, verify_pairs  # noqa: E402
from lies_simulated import Simulated, simulate  # noqa: E402

from graph.home import open_home  # noqa: E402
from graph.settings import Settings  # noqa: E402
from inference.sandbox.zygote import Zygote  # noqa: E402
from inference.work.records import library_versions, processor  # noqa: E402

RESULTS = Path(__file__).parent / "results"
SIMULATED = 20_000


def main() -> None:
    """Run, print, and keep the result of a whole run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="a part of the names")
    chosen = parser.parse_args()
    pairs = [pair for pair in all_pairs() if chosen.only is None or chosen.only in pair.name]
    with tempfile.TemporaryDirectory(prefix="lies-") as work, Zygote(MODULES) as worker:
        worker.layers()  # starts it
        started = time.perf_counter()
        home = open_home(Settings(home=Path(work) / "home"))
        outcomes = verify_pairs(home, Path(work) / "battery", pairs, worker)
        home.close()
        seconds = time.perf_counter() - started
    found = {
        "names": digest_of_names(pairs), "level": LEVEL, "seconds": round(seconds, 1), "device": processor(),
        "libraries": dict(library_versions()), "counts": counts(outcomes), "rows": [row(one) for one in outcomes],
        "simulated": [vars(one) for one in simulate(SIMULATED, LEVEL)],
    }  # fmt: skip
    text = report(found)
    sys.stdout.write(text)
    if chosen.only is None:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "lies.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "lies.md").write_text(text, encoding="utf-8")


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many lies there are, how many were caught, how many are too small; how many twins, and how many refuted."""
    lies, twins = [one for one in outcomes if one.is_lie], [one for one in outcomes if not one.is_lie]
    return {
        "lies": len(lies),
        "caught": sum(one.verdict == "refuted" for one in lies),
        "too_small": sum(one.size is not None and one.size < 2 for one in lies),
        "twins": len(twins),
        "refuted": sum(one.verdict == "refuted" for one in twins),
        "verified": sum(one.verdict == "verified" for one in twins),
    }


def row(outcome: Outcome) -> dict[str, Any]:
    """One line of the table."""
    claim, record = outcome.claim, outcome.record
    return {
        "name": outcome.name, "lie": outcome.is_lie, "kind": outcome.kind, "model": outcome.model,
        "claim": f"{claim.metric} {claim.comparator} {'' if claim.value is None else claim.value}".strip(),
        "size": None if outcome.size is None else round(outcome.size, 2), "verdict": outcome.verdict,
        "reason_code": record.reason_code if record else None, "reason": record.reason if record else "",
        "tier": record.tier if record else None, "measured": record.measured if record else None,
        "n": record.n if record else None,
        "interval": record.interval.model_dump() if record and record.interval else None,
    }  # fmt: skip


def report(found: dict[str, Any]) -> str:
    """The result as markdown."""
    count = found["counts"]
    lines = [
        "# Lies and honest twins", "",
        "Written by `python benchmarks/verdicts/lies.py`. Two-sided intervals at level "
        f"{found['level']}: one-sided α = {(1 - found['level']) / 2:.3f} per claim.", "",
        f"**{count['caught']} of {count['lies']} lies refuted** ({count['too_small']} smaller than twice the "
        f"detectable difference); **{count['refuted']} of {count['twins']} honest twins refuted** "
        f"({count['verified']} verified). {found['seconds']:.0f} s on {found['device']}.", "",
        "Size: distance from what was measured, in detectable differences (δ of a counted number, δ and the tolerance "
        "for preprocessing on a whole known set, else the smallest wrong claim that 80 % of such samples refute); "
        "below 0: on the safe side; –: a fact, or nothing measured.",
    ]  # fmt: skip
    for is_lie, title in ((True, "Lies"), (False, "Twins")):
        lines += [
            "",
            f"## {title}",
            "",
            "| name | of the | claim | size | verdict | reason |",
            "|---|---|---|---|---|---|",
        ]
        for one in found["rows"]:
            if one["lie"] == is_lie:
                size = "–" if one["size"] is None else f"{one['size']:g}"
                verdict = " ".join(word for word in (one["verdict"], one["reason_code"]) if word)
                lines += [f"| {one['name']} | {one['kind']} | {one['claim']} | {size} | {verdict} | {one['reason']} |"]
    lines += ["", "## The rule for shares, simulated", "", "| claims | drawn | wrong | share |", "|---|---|---|---|"]
    for one in (Simulated(**fields) for fields in found["simulated"]):
        lines += [f"| {KINDS[one.kind]} | {one.claims} | {one.wrong} | {one.share:.5f} |"]
    return "\n".join(lines) + "\n"


KINDS = {
    "honest": "overstated by δ, refuted", "false": "overstated by a little more than δ, verified",
    "runs": "`runs` at its threshold, refuted", "lies": "overstated by twice the detectable difference, not refuted",
}  # fmt: skip

if __name__ == "__main__":
    main()
