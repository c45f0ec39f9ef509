"""verify: check claims and run models, or say what that would cost and which data set would help most."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.find_commands import claim_words, measured_words
from cli.output import note, print_json, print_table, progress, say, say_wrapped, seconds_words, shorten
from cli.session import DatabaseOption, HomeOption, JsonOption, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graph.work_responses import DataWanted, PlanResponse, ReproduceResponse, VerifyResponse

SHOWN: Final = 60
"""Rows of a table; --json has all."""
EXIT_FINDINGS: Final = 3
DataOption = Annotated[list[str] | None, typer.Option("--data", help="NAME=PATH of a labelled set; repeatable.")]
TrustOption = Annotated[list[str] | None, typer.Option("--trust", help="Artifact or digest you trust; repeatable.")]
BudgetOption = Annotated[
    float | None, typer.Option("--budget-s", min=0, help="Start no new probe after this many seconds.")
]


def verify(
    artifacts: Annotated[list[str] | None, typer.Argument(help="Which; default all.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Run nothing: print cost, time and which data would help.")]
    = False,
    data: DataOption = None, budget_s: BudgetOption = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Units at once; what is timed runs alone.")] = 1,
    trust: TrustOption = None,
    evidence: Annotated[str | None, typer.Option("--reproduce", help="Id of a record to make again.")] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Check claims and run local models; finished work is not repeated.

    Example: matchgraph verify my-model --data my-set=labels.csv --jobs 2
    """
    from inference.work.executor import VerifyOptions
    from search.reports import plan_response, reproduce_response, verify_response

    if evidence is not None and (plan or artifacts):
        raise typer.BadParameter("--reproduce takes one record, no artifact and no --plan")
    trusted = tuple(trust or ())
    options = VerifyOptions(data=named_paths(data), budget_s=budget_s, trust=trusted, device=device, jobs=jobs)
    with opened(home, db) as found, progress() as tell:
        if evidence is not None:
            repeated = reproduce_response(found, evidence, options)
        elif plan:
            planned = plan_response(found, artifacts or [], options, tell)
        else:
            answer = verify_response(found, artifacts or [], options, tell)
    if evidence is not None:
        print_json(repeated) if json_ else print_reproduced(repeated)
        raise typer.Exit(0 if repeated.agrees else EXIT_FINDINGS)
    if plan:
        print_json(planned) if json_ else print_plan(planned)
    else:
        print_json(answer) if json_ else print_verify(answer)


def named_paths(pairs: list[str] | None) -> dict[str, Path]:
    """Paths by name, from NAME=PATH."""
    found = {}
    for pair in pairs or []:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise typer.BadParameter(f"--data {pair}: write NAME=PATH")
        found[name] = Path(path)
    return found


# Printing -----------------------------------------------------------------------------------------------
def print_verify(answer: VerifyResponse) -> None:
    """Print the answer of `verify`."""
    rows = []
    for entry in answer.artifacts:
        for claim in entry.claims:
            measured = measured_words(claim) or claim.reason_code
            rows.append((entry.artifact, claim_words(claim), claim.verdict or "claimed", claim.tier, measured))
    shown = [row for row in rows if row[2] not in ("unverifiable", "claimed")] or rows
    print_table(["artifact", "claim", "verdict", "tier", "measured or reason"], shown[:SHOWN])
    hidden = len(rows) - len(shown[:SHOWN])
    if hidden:
        say(f"{hidden} more claims without a decision (--json lists all)")
    say()
    total = sum(reason.claims for reason in answer.reasons)
    by_reason = [(reason.verdict, reason.reason_code or None, reason.claims) for reason in answer.reasons]
    print_table(["verdict", "reason", "claims"], [*by_reason, ("all", None, total)], right=(2,))
    say()
    if answer.probes:
        times = [(probe.probe, probe.units, f"{probe.seconds:.1f}") for probe in answer.probes]
        print_table(["probe", "units run", "seconds"], times, right=(1, 2))
        say()
    say(f"{answer.units_run} units run, {answer.units_resumed} finished before, {answer.units_left} left by the budget")
    _print_left(answer)
    for name in answer.unused_data:
        note(f"labelled set {name} decided no claim: its name or its labels fit none")


def _print_left(answer: VerifyResponse) -> None:
    """Say what the budget left: the first few units, and what all would need."""
    if not answer.left:
        return
    named = [f"{unit.probe} of {unit.artifact}" + (f" on {unit.data}" if unit.data else "") for unit in answer.left[:5]]
    more = f" and {len(answer.left) - 5} more" if len(answer.left) > 5 else ""
    needed = seconds_words(sum(unit.cost_s for unit in answer.left))
    say_wrapped(f"left: {', '.join(named)}{more}; about {needed} of work: run it again with a larger --budget-s")


def print_counts(counts: Mapping[str, int]) -> None:
    """Print verdict counts on one line; they sum to all claims."""
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    say_wrapped(f"{sum(counts.values())} claims: {said or 'none'}")


def print_plan(answer: PlanResponse) -> None:
    """Print the answer of `verify --plan`."""
    rows = [
        (shorten(unit.artifact.rpartition("--")[2], 26), _probe_words(unit.probe, unit.settings), unit.data,
         unit.claims, f"{unit.cost_s:.1f}" if unit.state == "waiting" else unit.state)
        for unit in answer.units
    ]  # fmt: skip
    if rows:
        print_table(["artifact", "probe", "on", "claims", "seconds"], rows[:SHOWN], right=(3, 4))
        if len(rows) > SHOWN:
            say(f"{len(rows) - SHOWN} more units (--json lists all)")
        say()
    if answer.probes:
        costs = [(probe.probe, probe.units, f"{probe.cost_s:.1f}") for probe in answer.probes]
        units = sum(probe.units for probe in answer.probes)
        print_table(["probe", "units", "seconds"], [*costs, ("all", units, f"{answer.cost_s:.1f}")], right=(1, 2))
        say()
        say(f"about {seconds_words(answer.time_s)}, and the start of the workers")
    say_wrapped(
        f"{answer.claims} claims: {answer.settled} need no run, {answer.waiting} wait for the units above, "
        f"{answer.without_data} would be left without data"
    )
    if answer.data:
        say()
        say("which data set would give how many claims something to be tried on:")
        print_table(["--data NAME=", "claims", "what it holds"], list(map(_wanted_row, answer.data)), right=(1,))
    if answer.any_data:
        say()
        say("and, under any name, such sets would show whether models run:")
        print_table(["what it holds", "claims"], [
            (_content_words(wanted), _count_words(wanted)) for wanted in answer.any_data
        ], right=(1,))  # fmt: skip


def print_reproduced(answer: ReproduceResponse) -> None:
    """Print the answer of `verify --reproduce`."""
    rows = [
        (name, record.id, record.verdict or "observed", record.measured, record.n)
        for name, record in (("then", answer.record), ("now", answer.again))
    ]
    print_table(["", "evidence", "verdict", "measured", "n"], rows, right=(3, 4))
    say_wrapped(f"{'the same' if answer.agrees else 'it differs'}: {answer.reason}")
    for difference in answer.differences:
        say_wrapped(f"other than then: {difference}")


def _probe_words(probe: str, settings: Mapping[str, str | int]) -> str:
    asked = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"{probe} ({asked})" if asked else probe


def _wanted_row(wanted: DataWanted) -> tuple[str, str, str]:
    return wanted.name, _count_words(wanted), _content_words(wanted)


def _count_words(wanted: DataWanted) -> str:
    return f"at most {wanted.claims}" if wanted.at_most else str(wanted.claims)


def _content_words(wanted: DataWanted) -> str:
    labels = f", labels {shorten(', '.join(wanted.labels), 60)}" if wanted.labels else ""
    return f"{wanted.kind}{labels}"
