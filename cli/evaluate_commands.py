"""evaluate search, evaluate models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import note, print_json, print_table, progress, say, say_wrapped
from cli.session import DatabaseOption, HomeOption, JsonOption, opened, read_settings

if TYPE_CHECKING:
    from graph.model_comparison import EvaluateModelsResponse

evaluate_app = typer.Typer(help="Measure search, or models on your own data.", no_args_is_help=True)
MEASURES = ("ndcg@10", "recall@1", "recall@5", "recall@10", "mrr@10")


@evaluate_app.callback()
def evaluate() -> None:
    """Measure search against labelled queries, or models on your own data."""


@evaluate_app.command("search")
def evaluate_search_command(
    catalog: Annotated[Path, typer.Option("--catalog", help="JSON Lines {id, name, description, …}.")],
    queries: Annotated[Path, typer.Option("--queries", help="JSON Lines {qid, text, rel}.")],
    log: Annotated[Path | None, typer.Option("--log", help="JSON Lines {qid, text, rel}: past successes.")] = None,
    different: Annotated[
        Path | None, typer.Option("--different", help="JSON Lines {qid, text, reject, phrase, rel}.")
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also the log shuffled, its popularity alone, without near-duplicates.")
    ] = False,
    json_: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Rank labelled queries in a throw-away home; nDCG@10 and recall with intervals.

    Example: matchgraph evaluate search --catalog models.jsonl --queries queries.jsonl
    """
    from search.evaluation.evaluate import EvaluateFiles, evaluate_search

    files = EvaluateFiles(catalog, queries, log, different)
    with progress() as tell:
        answer = evaluate_search(read_settings(home), files, tell, controls=controls)
    if json_:
        print_json(answer)
    else:
        print_evaluation(answer)


def print_evaluation(answer: dict[str, Any]) -> None:
    """Print the answer of `evaluate search`."""
    rows = [
        (name, group, part["n"], _estimate(part["ndcg@10"]), *(f"{part[m]['value']:.3f}" for m in MEASURES[1:]))
        for name, sets in (*answer["sets"].items(), *(answer.get("controls") or {}).items())
        if sets
        for group, part in sets.items()
        if part["n"]
    ]
    short = [name.replace("recall", "R").replace("mrr", "MRR") for name in MEASURES[1:]]
    print_table(["set", "queries", "n", "nDCG@10 [95 %]", *short], rows, right=(2,))
    for name, groups in answer["paired"].items():
        for group, part in (groups or {}).items():
            if part["n"]:
                say(f"{name}, {group}: {part['value']:+.3f} [{part['low']:+.3f}, {part['high']:+.3f}], n {part['n']}")
    missing = [name for name, sets in answer["sets"].items() if sets is None]
    if missing:
        note(f"not measured: {', '.join(missing)}")


def _estimate(value: dict[str, float]) -> str:
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


@evaluate_app.command("models")
def evaluate_models_command(
    models: Annotated[list[str], typer.Argument(help="Folders of models, artifacts, or cached hub ids.")],
    data: Annotated[Path, typer.Option("--data", help="CSV, parquet, folder of pictures by label, or built-in set.")],
    task: Annotated[str | None, typer.Option("--task", help="As image-classification; default: as files say.")] = None,
    label_map: Annotated[
        list[str] | None, typer.Option("--map", help="LABEL=MODELLABEL: a label of the data and what models call it.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Ask at most so many items, drawn by --seed.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws the items of --limit.")] = 0,
    trust: Annotated[list[str] | None, typer.Option("--trust", help="Model or digest that may be run.")] = None,
    budget_s: Annotated[float | None, typer.Option("--budget-s", min=0, help="Stop after so many seconds.")] = None,
    device: Annotated[str, typer.Option("--device", help="Where models run.")] = "cpu",
    report: Annotated[Path | None, typer.Option("--report", help="Write it as markdown too.")] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Which of these models does best on your data: paired intervals, no claim needed.

    Example: matchgraph evaluate models ./model-a ./model-b --data mine.csv --trust model-a --trust model-b
    """
    from indexer.progress import Progress
    from inference.comparison.labels import read_map
    from inference.comparison.options import CompareOptions
    from inference.comparison.run import compare_models

    options = CompareOptions(task, read_map(label_map or ()), limit, seed, tuple(trust or ()), budget_s, device)
    with opened(home, db) as found, progress() as tell:
        answer = compare_models(found, models, data, options, lambda name, done, of: tell(Progress(name, done, of)))
    if report is not None:
        from cli.comparison_report import write_report

        write_report(answer, report)
    if json_:
        print_json(answer)
    else:
        print_comparison(answer)


def print_comparison(answer: EvaluateModelsResponse) -> None:
    """Print the answer of `evaluate models`."""
    from cli.comparison_report import about_data, model_headers, model_row, pair_headers, pair_row

    say_wrapped(about_data(answer))
    for warning in answer.data.warnings:
        note(f"{answer.data.name}: {warning}")
    measured = [model for model in answer.models if model.score is not None]
    if measured:
        print_table(model_headers(answer), [model_row(model) for model in measured], right=tuple(range(1, 8)))
    for model in answer.models:
        if model.score is None:
            say_wrapped(f"{model.name}: {model.reason_code}: {model.reason}")
    if answer.pairs:
        say()
        print_table(pair_headers(answer), [pair_row(pair) for pair in answer.pairs], right=(1, 3, 4))
    say()
    say_wrapped(answer.verdict)
