"""graph stats, show, neighbors, explain, rebuild."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import note, print_json, print_table, say, say_wrapped, shorten, show_value
from cli.session import DatabaseOption, HomeOption, JsonOption, opened

EXIT_FINDINGS = 3
app = typer.Typer(help="Inspect the match graph: what was searched, what was delivered, what worked.",
                  no_args_is_help=True)  # fmt: skip


@app.command()
def stats(json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None) -> None:
    """Count nodes, edges, searches, outcomes and actors.

    Example: matchgraph graph stats
    """
    from search.inspect_graph import graph_stats

    with opened(home, db) as found:
        answer = graph_stats(found)
    if json_:
        print_json(answer)
    else:
        print_table(["", "count"], list(answer.model_dump().items()), right=(1,))


@app.command()
def show(
    node: Annotated[str, typer.Argument(help="An intent, capability URI or artifact.")],
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Show one node of the match graph with its counts.

    Example: matchgraph graph show apple--mobilevit-small
    """
    from search.inspect_graph import show_node

    with opened(home, db) as found:
        answer = show_node(found, node)
    if json_:
        print_json(answer)
    else:
        print_table(["", ""], [(name.replace("_", " "), value) for name, value in answer.items()])


@app.command()
def neighbors(
    node: Annotated[str, typer.Argument(help="An intent, capability URI or artifact.")],
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """List what a node is connected with, strongest first.

    Example: matchgraph graph neighbors apple--mobilevit-small
    """
    from search.inspect_graph import list_neighbours

    with opened(home, db) as found:
        answer = list_neighbours(found, node)
    if json_:
        print_json(answer)
    else:
        rows = [(n["kind"], shorten(str(n["label"]), 60), n["searches"], n["weight"]) for n in answer["neighbors"]]
        print_table(["kind", "node", "searches", "outcome weight"], rows, right=(2, 3))


@app.command()
def explain(
    artifact: Annotated[str, typer.Argument(help="An artifact.")],
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Show every number behind an artifact's rank; the parts add up to it.

    Example: matchgraph graph explain apple--mobilevit-small
    """
    from search.inspect_graph import explain_rank

    with opened(home, db) as found:
        answer = explain_rank(found, artifact)
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
    if answer["votes"]:
        say()
        votes = [(v["outcome"], v["position"], v["value"], v["decay"], v["cap_factor"], v["weight"])
                 for v in answer["votes"]]  # fmt: skip
        print_table(["outcome", "position", "value", "decay", "cap", "weight"], votes, right=(1, 2, 3, 4, 5))


@app.command()
def rebuild(
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit 3 if it differs.")] = False,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Fold the whole event log anew.

    Example: matchgraph graph rebuild --check
    """
    from search.inspect_graph import check_graph, rebuild_graph

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
