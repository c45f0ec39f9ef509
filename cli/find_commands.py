"""search, different, compare, show, outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import note, print_json, print_table, say, say_wrapped, shorten, show_value
from cli.session import DatabaseOption, HomeOption, JsonOption, opened

if TYPE_CHECKING:
    from graph.claims import ClaimReport
    from graph.home import Home
    from graph.responses import ArtifactReport, CanonicalReport, CompareResponse, Result, SearchResponse
    from search.memory import SearchRequest
    from search.outcomes import Caller

LimitOption = Annotated[int, typer.Option("--limit", help="Results to show, 1 to 100.")]
OffsetOption = Annotated[int, typer.Option("--offset", help="Results to skip.")]
SearchIdOption = Annotated[str | None, typer.Option("--search-id", help="The search that this page continues.")]
TypeOption = Annotated[str | None, typer.Option("--type", help="Only artifacts of this type.")]
WhereOption = Annotated[list[str] | None, typer.Option("--where", help="Condition such as 'params<10M'; repeatable.")]
PolicyOption = Annotated[str | None, typer.Option("--policy", help="open, default, production, strict, or a file.")]
NoUnderstandOption = Annotated[
    bool, typer.Option("--no-understand", help="Take the query as words: no limits, names or negations are read.")
]
NotOption = Annotated[list[str] | None, typer.Option("--not", help="An artifact that you do not want; repeatable.")]
NoExploreOption = Annotated[
    bool, typer.Option("--no-explore", help="Keep the last place of page one from what nobody has chosen yet.")
]
BlindOption = Annotated[bool, typer.Option("--blind", help="Score without what the log says; explores nothing.")]
ExplainOption = Annotated[bool, typer.Option("--explain", help="Show the parts of each score.")]


def register(app: typer.Typer) -> None:
    """Add these commands to an app."""
    for command in (search, different, compare, show, outcome):
        app.command()(command)


def search(
    query: Annotated[str, typer.Argument(help="What it should do, in your words.")],
    limit: LimitOption = 10, offset: OffsetOption = 0, search_id: SearchIdOption = None, type_: TypeOption = None,
    where: WhereOption = None, policy: PolicyOption = None, not_: NotOption = None,
    no_understand: NoUnderstandOption = False, no_explore: NoExploreOption = False, blind: BlindOption = False,
    explain: ExplainOption = False, json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Find artifacts by what they do.

    Limits in the query's own words ("under 10M parameters") hold of every result.

    Example: matchgraph search "estimate depth from one image" --where 'params<100M'
    """
    from search.engine import open_engine

    with opened(home, db) as found:
        understand, explore = not no_understand, not no_explore
        asked = _Asked(limit, offset, search_id, type_, where, policy, not_, understand, explore, blind)
        request = _request(found, query, asked)
        print_search(open_engine(found).search(request), explain=explain, json_=json_)


def different(
    artifact: Annotated[str, typer.Argument(help="The artifact you do not want.")],
    query: Annotated[str, typer.Argument(help="How the other should differ: 'but smaller and offline'.")] = "",
    limit: LimitOption = 10, offset: OffsetOption = 0, search_id: SearchIdOption = None, type_: TypeOption = None,
    where: WhereOption = None, policy: PolicyOption = None, not_: NotOption = None,
    no_understand: NoUnderstandOption = False, blind: BlindOption = False,
    explain: ExplainOption = False, json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Find what does the same job as ARTIFACT, but differs the way you say.

    The difference holds as a known fact: smaller, larger, faster, cheaper, free, offline, verified, another family,
    library, licence, organisation or modality, and limits as in a search.

    Example: matchgraph different google--vit-base-patch16-224 "but smaller and offline"
    """
    from search.different import find_different
    from search.engine import open_engine

    with opened(home, db) as found:
        understand = not no_understand
        asked = _Asked(limit, offset, search_id, type_, where, policy, not_, understand, explore=True, blind=blind)
        request = _request(found, query or artifact, asked)
        print_search(find_different(open_engine(found), artifact, query, request), explain=explain, json_=json_)


def compare(
    artifacts: Annotated[list[str], typer.Argument(help="Two to four artifacts.")],
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Compare two to four artifacts; the verdict follows from the numbers.

    Example: matchgraph compare apple--mobilevit-small google--vit-base-patch16-224
    """
    from search.compare import compare_artifacts

    with opened(home, db) as found:
        print_compare(compare_artifacts(found, artifacts), json_=json_)


def show(
    name: Annotated[str, typer.Argument(help="An artifact (id, slug or name) or a capability:// URI.")],
    form: Annotated[
        str | None, typer.Option("--format", help="What was measured, for a model card: model-index or eval-results.")
    ] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Show everything known of an artifact or a capability.

    Example: matchgraph show apple--mobilevit-small
    """
    from search.show import names_capability, show_artifact, show_capability

    with opened(home, db) as found:
        if form is not None:
            from search.model_card import render_card

            say(render_card(show_artifact(found, name), form).rstrip())
        elif names_capability(found, name):
            print_capability(show_capability(found, name), json_=json_)
        else:
            print_artifact(show_artifact(found, name), json_=json_)


def outcome(
    words: Annotated[list[str], typer.Argument(metavar="[TOKEN] KIND", help="A result's token, and what happened.")],
    last: Annotated[int | None, typer.Option("--last", help="Position in your last search; no token.")] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Say what happened to a result: click, select, success, failure or dismiss.

    Example: matchgraph outcome --last 1 success
    """
    from search.outcomes import record_last, record_outcome

    if len(words) != (2 if last is None else 1):
        raise typer.BadParameter("give TOKEN KIND, or --last POSITION KIND")
    with opened(home, db) as found:
        caller = _caller(found)
        if last is None:
            answer = record_outcome(found, words[0], words[1], caller)
        else:
            answer = record_last(found, last, words[0], caller)
    if json_:
        print_json(answer)
    else:
        say(f"recorded: {answer.outcome} of {answer.artifact}; the next search knows it")


# Printing -----------------------------------------------------------------------------------------------
def print_search(answer: SearchResponse, *, explain: bool, json_: bool) -> None:
    """Print the answer of `search` or `different`."""
    if json_:
        print_json(answer)
        return
    if answer.understood.cut:
        note(f"the query was longer than {len(answer.query)} characters: only its beginning was read")
    for line in understood_lines(answer):
        note(line)
    if answer.message:
        say_wrapped(answer.message)
    rows = [
        (r.position, _marked(r), f"{r.score:.3f}", None if r.rank is None else f"{r.rank:.1f}", brief_verdict(r.runs))
        for r in answer.results
    ]
    if rows:
        print_table(["#", "artifact", "score", "rank", "runs its task"], rows, right=(0, 2, 3))
    if answer.confidence is not None:
        say(confidence_line(answer))
    for r in answer.results if answer.understood.differences and not explain else ():
        say_wrapped(f"{r.position}. {r.why}")
    for r in answer.results if explain else ():
        say()
        parts = " + ".join(f"{name} {value:.4f}" for name, value in r.parts.items() if value)
        say(f"{r.position}. {r.name} ({r.type})  {r.score:.4f} = {parts or 0}")
        say_wrapped(r.why or "no stored fact to quote", indent=3)
        say(f"   claims: {', '.join(f'{n} {v}' for v, n in r.verdicts.model_dump().items() if n) or 'none'}")
        say(f"   token {r.token}")
    if answer.dropped_unknown:
        note(f"{answer.dropped_unknown} left out because a condition is unknown for them")
    if rows:
        note(f"search {answer.search_id}; say what worked: matchgraph outcome --last POSITION success")


def _marked(result: Result) -> str:
    return f"{result.slug} (exploration)" if result.exploration else result.slug


def confidence_line(answer: SearchResponse) -> str:
    """How sure the answer is, in one line; what it means differs between the two questions."""
    if answer.results and "job" in answer.results[0].parts:
        return f"confidence {answer.confidence:.2f}: how far the first one's job agrees"
    return f"confidence {answer.confidence:.2f} that something here fits what is asked"


def understood_lines(answer: SearchResponse) -> list[str]:
    """What was read from the query, and what could not be, one line each."""
    read = answer.understood
    lines = []
    if read.read or read.policy:
        parts = [f'"{part.words}" as {part.condition}' for part in read.read]
        parts += [f"policy {read.policy}"] if read.policy else []
        lines.append(f"understood: {'; '.join(parts)} (--no-understand takes it as words)")
    if read.differences:
        lines.append(f"must differ: {', '.join(read.differences)}")
    if read.switches:
        lines.append(f"switched: {', '.join(read.switches)}")
    return [*lines, *read.notes]


def brief_verdict(words: str | None) -> str | None:
    """A verdict for a narrow column: the tier of what is decided, no reason code of what is not."""
    return words if words is None or words.startswith(("verified", "refuted")) else words.partition(" (")[0]


def print_compare(answer: CompareResponse, *, json_: bool, brief: bool = False) -> None:
    """Print the answer of `compare`; `brief` leaves out what only one of them does."""
    if json_:
        print_json(answer)
        return
    print_table(["", *answer.artifacts], [(row.name, *row.values) for row in answer.rows])
    say()
    for entry in answer.shared:
        say_wrapped(f"both: {'; '.join(sorted(set(entry.names.values())))}")
    for artifact, names in () if brief else answer.only.items():
        say_wrapped(f"only {artifact}: {'; '.join(names) or '–'}")
    say()
    say_wrapped(answer.verdict)
    say_wrapped(answer.next)


def print_artifact(report: ArtifactReport, *, json_: bool) -> None:
    """Print the answer of `show ARTIFACT`."""
    if json_:
        print_json(report)
        return
    say(f"{report.name}  ({report.type}, {report.slug})")
    if report.description:
        say_wrapped(shorten(report.description, 300))
    ranked = "not ranked" if report.rank is None else f"{report.rank:.2f}"
    say(f"UnfragileRank {ranked} ({report.known_weight:.0f} of 100 known); times matched {report.times_matched} "
        f"by {report.distinct_actors} actors")  # fmt: skip
    rows = [
        (name.replace("_", " "), part.value, f"{part.used:.3f}", part.weight, f"{part.contribution:.3f}")
        for name, part in report.components.items()
    ]
    print_table(["component", "value", "used", "weight", "adds"], rows, right=(1, 2, 3, 4))
    say()
    total = report.declared_total
    of = f" of {total} declared" if total and total != len(report.capabilities) else ""
    count = len(report.capabilities)
    say(f"{count} {'capability' if count == 1 else 'capabilities'}{of}")
    print_table(
        ["capability", "runs", "in the index", "uri"],
        [(c.name, c.runs, c.indexed, c.uri) for c in report.capabilities],
    )
    if report.claims:
        say()
        print_table(
            ["claim", "verdict", "tier", "measured", "why"],
            [
                (claim_words(c), c.verdict or "claimed", c.tier, c.measured, shorten(c.reason, 90))
                for c in report.claims
            ],
        )
    if report.observations:
        say()
        observed = [(o.metric, _bounded(o.measured), o.unit) for o in report.observations]
        print_table(["observed", "value", "unit"], observed)


def _bounded(measured: float | int | str | None) -> float | int | str | None:
    """A value that a model may have written itself, on one line of bounded length."""
    return shorten(measured, 160) if isinstance(measured, str) else measured


def claim_words(claim: object) -> str:
    """A claim in a few words."""
    from graph.claims import Claim

    assert isinstance(claim, Claim)  # noqa: S101
    if claim.metric == "runs":
        return f"runs {claim.capability or claim.conditions.note or ''}".strip()
    unit = {"percent": " %", "none": ""}.get(claim.unit, f" {claim.unit}")
    where = f" on {claim.conditions.dataset}" if claim.conditions.dataset else ""
    return f"{claim.metric} {claim.comparator} {show_value(claim.value)}{unit}{where}"


def measured_words(claim: ClaimReport) -> str | None:
    """What was measured for a claim, with its interval and what kind of interval it is; None where nothing was."""
    if claim.measured is None or claim.interval is None:
        return None if claim.measured is None else show_value(claim.measured)
    if claim.n is None:  # nothing was sampled: the end of what was tried
        return f"{show_value(claim.measured)}, {claim.interval.method}"
    low, high = f"{claim.interval.low:.4g}", f"{claim.interval.high:.4g}"
    kind = "whole set" if claim.interval.method == "whole-set" else f"{claim.interval.level:.0%}"
    return f"{show_value(claim.measured)}, {kind} [{low}, {high}], n {claim.n}"


def print_capability(report: CanonicalReport, *, json_: bool) -> None:
    """Print the answer of `show capability://…`."""
    if json_:
        print_json(report)
        return
    say(report.uri)
    say(f"{report.label} ({report.task}), delivered {report.searches} times")
    print_table(["artifact", "calls it"], [(m.slug, m.name) for m in report.members])


# Shared -------------------------------------------------------------------------------------------------
def _caller(home: Home) -> Caller:
    from graph.events import Actor
    from search.outcomes import Caller

    return Caller("cli", Actor(id="local"), synthetic=home.settings.synthetic)


@dataclass(frozen=True)
class _Asked:
    """The options of `search` and `different`."""

    limit: int
    offset: int
    search_id: str | None
    type_name: str | None
    where: list[str] | None
    policy: str | None
    rejected: list[str] | None
    understand: bool
    explore: bool
    blind: bool


def _request(home: Home, query: str, asked: _Asked) -> SearchRequest:
    from graph.policy_file import find_policy
    from search.memory import SearchRequest
    from search.query import read_where

    conditions = read_where(asked.where or [], asked.type_name)
    rules = None if asked.policy is None else find_policy(asked.policy)
    return SearchRequest(
        query, _caller(home), asked.limit, asked.offset, conditions, rules, asked.search_id, asked.understand,
        tuple(asked.rejected or ()), asked.explore, asked.blind,
    )  # fmt: skip
