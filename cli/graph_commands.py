"""graph stats, top, show, neighbors, path, explain, history, export, rebuild."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import day_words, note, print_json, print_table, say, say_wrapped, shorten, show_value
from cli.session import DatabaseOption, HomeOption, JsonOption, opened

if TYPE_CHECKING:
    from graph.graph_responses import HistoryReport

EXIT_FINDINGS = 3
_NEIGHBOURS = 50
NodeArgument = Annotated[str, typer.Argument(help="A query, an intent, a capability URI or an artifact.")]
app = typer.Typer(help="Inspect the match graph: what was searched, what was delivered, what worked.",
                  no_args_is_help=True)  # fmt: skip


@app.command()
def stats(json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None) -> None:
    """Count nodes, edges, searches, outcomes and actors.

    Example: matchgraph graph stats
    """
    from search.inspection.inspect_graph import graph_stats

    with opened(home, db) as found:
        answer = graph_stats(found)
    if json_:
        print_json(answer)
    else:
        print_table(["", "count"], list(answer.model_dump().items()), right=(1,))


@app.command()
def top(
    kind: Annotated[str, typer.Argument(help="intent, capability or artifact.")] = "intent",
    by: Annotated[str, typer.Option("--by", help="searches, actors, weight or pagerank.")] = "searches",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many.")] = 20,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """List the nodes of a kind with the most searches, actors, outcome weight or PageRank.

    Example: matchgraph graph top artifact --by weight
    """
    from search.inspection.graph_lists import top_nodes

    with opened(home, db) as found:
        answer = top_nodes(found, kind, by, limit)
    if json_:
        print_json(answer)
        return
    rows = [(shorten(n.label, 34), n.searches, n.actors, n.weight, n.pagerank) for n in answer.nodes]
    print_table([answer.kind, "searches", "actors", "outcome weight", "pagerank"], rows, right=(1, 2, 3, 4))
    if answer.of > len(answer.nodes):
        note(f"{len(answer.nodes)} of {answer.of} (--limit)")


@app.command()
def show(
    node: NodeArgument, json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Show one node of the match graph with its counts.

    Example: matchgraph graph show apple--mobilevit-small
    """
    from search.inspection.inspect_graph import show_node

    with opened(home, db) as found:
        answer = show_node(found, node)
    if json_:
        print_json(answer)
        return
    plain = {name: value for name, value in answer.items() if not isinstance(value, list | dict) and name != "key"}
    print_table(["", ""], [(name.replace("_", " "), value) for name, value in plain.items()])
    if answer.get("success"):
        rate = answer["success"]
        say(f"success {rate['successes']} of {rate['successes'] + rate['failures']}: {rate['mean']:.2f} "
            f"[{rate['low']:.2f}, {rate['high']:.2f}] (90 %)")  # fmt: skip
    if answer.get("queries"):
        say()
        rows = [(shorten(q["query"], 56), q["searches"], q["actors"]) for q in answer["queries"]]
        print_table(["asked as", "searches", "actors"], rows, right=(1, 2))
    if answer.get("chosen_instead"):
        say()
        beside = [
            (shorten(c["label"], 30), c["together"], c["instead"], c["instead_actors"], c["over"])
            for c in answer["chosen_instead"]
        ]
        print_table(["beside", "together", "it was chosen", "actors", "this was"], beside, right=(1, 2, 3, 4))
    if answer.get("community"):
        named = ", ".join(shorten(n["label"], 40) for n in answer["community"])
        say_wrapped(f"used for the same: {named}")


@app.command()
def neighbors(
    node: NodeArgument,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Default 50; with --json all.")] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """List what a node is connected with, strongest first.

    Example: matchgraph graph neighbors apple--mobilevit-small
    """
    from search.inspection.inspect_graph import list_neighbours

    with opened(home, db) as found:
        answer = list_neighbours(found, node, limit or (None if json_ else _NEIGHBOURS))
    if json_:
        print_json(answer)
        return
    shown = answer["neighbors"]
    rows = [(n["kind"], shorten(str(n["label"]), 40), n["searches"], n["actors"], n["weight"]) for n in shown]
    print_table(["kind", "node", "searches", "voters", "outcome weight"], rows, right=(2, 3, 4))
    if answer["of"] > len(shown):
        note(f"{len(shown)} of {answer['of']} (--limit)")


@app.command()
def path(
    source: Annotated[str, typer.Argument(help="Where from: a query, intent, capability URI or artifact.")],
    target: Annotated[str, typer.Argument(help="Where to.")],
    count: Annotated[int, typer.Option("--count", min=1, max=20, help="The most paths.")] = 3,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Show how two nodes are joined, the likeliest way first.

    Example: matchgraph graph path "estimate depth from one image" intel--dpt-hybrid
    """
    from search.inspection.graph_lists import find_paths

    with opened(home, db) as found:
        answer = find_paths(found, source, target, count)
    if json_:
        print_json(answer)
        return
    if not answer.paths:
        say("nothing joins them")
    for number, way in enumerate(answer.paths, start=1):
        say(f"{number}. a walk takes this way with chance {way.chance:.2g}, by {answer.by}")
        if not way.steps:
            say("   they are the same node")
        rows = [
            (shorten(s.source.label, 26), "->" if s.forward else "<-", shorten(s.target.label, 26), s.searches,
             s.weight, f"{s.share:.2f}")
            for s in way.steps
        ]  # fmt: skip
        if rows:
            print_table(["from", "", "to", "searches", "weight", "chance"], rows, right=(3, 4, 5))


@app.command()
def explain(
    artifact: Annotated[str, typer.Argument(help="An artifact.")],
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Newest votes, strongest paths. Default 50; --json: all."),
    ] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Show every number behind an artifact's rank; the parts add up to it.

    Example: matchgraph graph explain apple--mobilevit-small
    """
    from search.inspection.inspect_graph import explain_rank

    with opened(home, db) as found:
        answer = explain_rank(found, artifact, limit or (None if json_ else _NEIGHBOURS))
    if json_:
        print_json(answer)
        return
    ranked = "not ranked" if answer["rank"] is None else f"{answer['rank']:.4f}"
    say(f"{answer['artifact']}: UnfragileRank {ranked} ({answer['known_weight']:.0f} of 100 known)")
    rows = [
        (name.replace("_", " "), part["value"], f"{part['used']:.4f}" + ("" if part["known"] else " (prior)"),
         part["weight"], f"{part['contribution']:.4f}")
        for name, part in answer["components"].items()
    ]  # fmt: skip
    print_table(["component", "value", "used", "weight", "adds"], rows, right=(1, 2, 3, 4))
    for name, part in answer["components"].items():
        details = ", ".join(f"{key.replace('_', ' ')} {show_value(value)}" for key, value in part["detail"].items())
        if details:
            say_wrapped(f"{name.replace('_', ' ')}: {details}", indent=2)
    say(f"times matched {answer['times_matched']} by {answer['distinct_actors']} actors")
    if answer["match_graph"] is not None:
        _say_crowd(answer["match_graph"]["crowd"])
    if answer["votes"]:
        say()
        votes = [(v["outcome"], v["position"], v["value"], v["decay"], v["cap_factor"], v["weight"])
                 for v in answer["votes"]]  # fmt: skip
        print_table(["outcome", "position", "value", "decay", "cap", "weight"], votes, right=(1, 2, 3, 4, 5))
        if len(votes) < answer["votes_of"]:
            note(f"the newest {len(votes)} of {answer['votes_of']} votes (--limit)")


def _say_crowd(crowd: dict[str, Any]) -> None:
    """Who stands behind the votes, where anybody does."""
    if crowd["voters"]:
        elsewhere = crowd["only_here_elsewhere"]
        others = "" if elsewhere is None else f" (of the voters of all others {elsewhere:.0%})"
        say_wrapped(f"voters {crowd['voters']}: {crowd['only_here']} voted on nothing else{others}, "
                    f"{crowd['busiest_day_voters']} came on {day_words(crowd['busiest_day'])}, the largest share of "
                    f"one actor is {crowd['largest_actor_share']:.0%}")  # fmt: skip


@app.command()
def history(
    artifact: Annotated[str, typer.Argument(help="An artifact.")],
    since: Annotated[str | None, typer.Option("--since", help="The first date; default 28 days earlier.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="The last date; default now.")] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Show an artifact's ranks over time, and what changed the rank between two dates.

    Example: matchgraph graph history apple--mobilevit-small --since 2026-11-01
    """
    from search.event_log import read_moment
    from search.inspection.rank_history import show_history

    moments = [None if text is None else read_moment(text) for text in (since, until)]
    with opened(home, db) as found:
        answer = show_history(found, artifact, moments[0], moments[1])
    print_json(answer) if json_ else print_history(answer)


def print_history(answer: HistoryReport) -> None:
    """Print the answer of `graph history`."""
    say(f"{answer.slug}: UnfragileRank over time")
    rows = [
        (day_words(p.as_of_us), None if p.rank is None else f"{p.rank:.3f}", f"{p.points:.3f}", f"{p.known_weight:.0f}")
        for p in answer.history
    ]
    print_table(["date", "rank", "points", "known of 100"], rows, right=(1, 2, 3))
    if answer.before is None or answer.after is None:
        say("no change to explain: it was not in the catalogue at both dates")
    else:
        say()
        causes = [
            (str(c.kind), f"{c.points:+.3f}", shorten(", ".join(i.name for i in c.inputs), 50)) for c in answer.causes
        ]
        causes.append(("together", f"{answer.after.points - answer.before.points:+.3f}", ""))
        print_table(["cause", "points", "inputs that are others now"], causes, right=(1,))
    for each in answer.happenings[-20:]:
        say_wrapped(f"{day_words(each.time_us)} {each.kind}: {each.words}", indent=2)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; default standard output.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="json or graphml; default by the file's ending.")] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Write the match graph as JSON or GraphML; it is read back and compared before it is kept.

    Example: matchgraph graph export match-graph.graphml
    """
    from search.inspection.graph_lists import export_graph

    if json_ and file is None and form == "graphml":
        raise typer.BadParameter("with --json give a FILE, or leave out --format graphml")
    with opened(home, db) as found:
        answer = export_graph(found, file, form, sys.stdout)
    if json_ and file is not None:
        print_json(answer)
    else:
        note(f"{answer.nodes} nodes, {answer.edges} edges" + (f" in {answer.file}" if answer.file else ""))


@app.command()
def rebuild(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit 3 if it differs.")] = False,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Fold the whole event log anew.

    Example: matchgraph graph rebuild --check
    """
    from search.inspection.inspect_graph import check_graph, rebuild_graph

    with opened(home, db) as found:
        answer = check_graph(found) if check else rebuild_graph(found)
    if json_:
        print_json(answer)
    else:
        say(f"{answer['events']} events, {answer['evidence']} evidence records: chains whole")
        say("the stored graph equals the log" if answer["equal"] else "the stored graph differs from the log")
    if not answer["equal"]:
        note("mend it: matchgraph graph rebuild")
        raise typer.Exit(EXIT_FINDINGS)
