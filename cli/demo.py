"""`matchgraph demo`: the whole way on real models, in at most four screens."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli.find_commands import brief_verdict, claim_words, measured_words, print_compare
from cli.output import WIDTH, note, print_table, progress, say, shorten
from cli.session import read_settings
from cli.verify_commands import print_counts

if TYPE_CHECKING:
    from graph.claims import ClaimReport
    from graph.home import Home
    from graph.responses import SearchResponse
    from graph.work_responses import BuildResponse, VerifyResponse
    from search.engine import Engine

EXAMPLES: Final = Path(__file__).resolve().parents[1] / "examples"
QUERY: Final = "find sentences that mean the same"
CONFIRMED: Final = 3
"""Position of the result that somebody reports to have worked."""
COMPARED: Final = ("matchgraph--digits-mobilevit", "matchgraph--digits-mobilevit-plus")
SHOWN: Final = {"verified": 4, "refuted": 4, "inconclusive": 1, "unverifiable": 2}
"""How many claims of each verdict are printed."""


def run_demo(base: Path | None, *, json_: bool) -> None:
    """Run the demo. What was verified and embedded is kept in `base`; what is searched never is.

    Raises
    ------
    HomeError
        The examples are not there (the demo needs a clone), or `base` cannot be written.
    """
    from graph.errors import HomeError

    if not (EXAMPLES / "artifacts").is_dir():
        raise HomeError(f"{EXAMPLES}: not found: the demo needs the repository's examples, run it from a clone")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="matchgraph-demo-") as folder:
        prepared = base or Path(folder) / "prepared"
        verified, built = _prepare(prepared)
        with _copied(prepared, Path(folder) / "searched") as home:
            story = _search(home)
    if json_:
        from cli.output import print_json

        print_json({"verify": verified.counts, "build": built.model_dump(mode="json"), **story})
    note(f"demo: {time.monotonic() - started:.0f} s; no count of yours has changed")


def _prepare(base: Path) -> tuple[VerifyResponse, BuildResponse]:
    from graph.home import open_home
    from inference.work.executor import VerifyOptions
    from search.reports import build_response, ingest_response, verify_response

    home = open_home(read_settings(base), throw_away=True)
    data = {file.stem: file for file in sorted((EXAMPLES / "data").glob("*.csv"))}
    jobs = min(2, os.cpu_count() or 1)
    try:
        with progress() as tell:
            note("demo: reading the example manifests")
            ingested = ingest_response(home, [EXAMPLES / "artifacts"], None, tell)
            note("demo: running the models that are here (the first time takes a minute or two)")
            verified = verify_response(home, [], VerifyOptions(data=data, jobs=jobs), tell)
            note("demo: building the index")
            built = build_response(home, "default", probe=False, budget_s=None, on_progress=tell)
        _keep_query(home)
    finally:
        home.close()
    from indexer.sources import render_inventory

    say("1. READ   " + render_inventory(ingested.inventory, ingested.size_bytes))
    _print_verdicts(verified)
    _print_gate(built)
    return verified, built


def _keep_query(home: Home) -> None:
    """Encode the demo's query now, so that the next demo needs no encoder."""
    from graph.store import catalogue
    from search.engine import open_engine

    engine = open_engine(home)
    with home.store.writing() as connection:
        vector = engine.vector_of(QUERY)
        catalogue.save_vectors(connection, engine.encoder.info.digest, {catalogue.vector_key(QUERY): vector})


def _print_verdicts(answer: VerifyResponse) -> None:
    say()
    say(f"2. RUN    {answer.units_run + answer.units_resumed} units of work on real models, in a process with limits;")
    say("          some of what came out, good and bad:")
    claims = [claim for entry in answer.artifacts for claim in entry.claims]
    for verdict, most in SHOWN.items():
        for claim in _pick(claims, verdict, most):
            _print_claim(claim)
    print_counts({name: count for name, count in answer.counts.items() if count})


def _pick(claims: Sequence[ClaimReport], verdict: str, most: int) -> list[ClaimReport]:
    """Claims of a verdict, as varied as can be: each metric and artifact once before any twice; intervals first."""
    left = [claim for claim in claims if claim.verdict == verdict]
    picked: list[ClaimReport] = []
    while left and len(picked) < most:
        used = Counter(name for claim in picked for name in (claim.metric, claim.artifact))
        left.sort(key=lambda c: (used[c.metric] + used[c.artifact], c.interval is None, c.artifact, c.id))
        picked.append(left.pop(0))
    return picked


def _print_claim(claim: ClaimReport) -> None:
    """Two lines: verdict with its tier, whose claim; and what was measured, or why nothing could be."""
    measured = measured_words(claim)
    found = f"measured {measured}" if measured else f"{claim.reason_code}: {claim.reason}"
    verdict = f"{claim.verdict} ({claim.tier})" if claim.tier else f"{claim.verdict}"
    name = claim.artifact.rpartition("--")[2]
    say(shorten(f"  {verdict:21} {name}: {claim_words(claim)}", WIDTH, keep=True))
    say(shorten(f"  {'':21} {found}", WIDTH, keep=True))


def _print_gate(answer: BuildResponse) -> None:
    say()
    say(f"3. GATE   {answer.artifacts} artifacts with {answer.capabilities} capabilities enter the index; kept out:")
    for refused in answer.refused[:3]:
        say(f"          {shorten(f'{refused.artifact}: {refused.reason}', 70)}")
    if len(answer.refused) > 3:
        say(f"          … and {len(answer.refused) - 3} more (matchgraph build --report)")


@contextmanager
def _copied(prepared: Path, folder: Path) -> Iterator[Home]:
    """A copy of the prepared home, so that every demo starts from an empty log."""
    from graph.home import open_home

    shutil.copytree(prepared, folder)
    home = open_home(read_settings(folder), throw_away=True)
    try:
        yield home
    finally:
        home.close()


def _search(home: Home) -> dict[str, Any]:
    from search.compare import compare_artifacts
    from search.engine import LOCAL, open_engine
    from search.memory import SearchRequest
    from search.outcomes import record_last

    engine: Engine = open_engine(home)
    request = SearchRequest(QUERY, LOCAL, limit=4, explore=False)
    before = engine.search(request)
    say()
    say(f'4. SEARCH "{QUERY}"; the parts add up to the score')
    _print_parts(before)
    confirmed = before.results[CONFIRMED - 1]
    record_last(home, CONFIRMED, "success", LOCAL)
    after = engine.search(request)
    say()
    say(f"5. LEARN  somebody reports that number {CONFIRMED} worked; the same search again:")
    _print_parts(after)
    moved = next(r for r in after.results if r.artifact == confirmed.artifact)
    say(f"          {confirmed.name}: place {confirmed.position} -> {moved.position}, "
        f"score {confirmed.score:.3f} -> {moved.score:.3f}")  # fmt: skip
    say()
    say("6. COMPARE")
    compared = compare_artifacts(home, COMPARED)
    print_compare(compared, json_=False, brief=True)
    say()
    say("NEXT, on your own models:")
    say("   .venv/bin/matchgraph ingest ~/.cache/huggingface/hub")
    say("   .venv/bin/matchgraph build --report")
    say('   .venv/bin/matchgraph search "what it should do" --explain')
    return {
        "before": before.model_dump(mode="json"),
        "after": after.model_dump(mode="json"),
        "compare": compared.model_dump(mode="json"),
    }


def _print_parts(answer: SearchResponse) -> None:
    rows = [
        (r.position, r.slug.rpartition("--")[2], f"{r.score:.3f}", f"{r.parts['dense']:.3f}",
         f"{r.parts['lexical']:.3f}", f"{r.parts['graph']:.3f}", brief_verdict(r.runs))
        for r in answer.results
    ]  # fmt: skip
    print_table(["#", "artifact", "score", "dense", "words", "graph", "runs its task"], rows, right=(0, 2, 3, 4, 5))
