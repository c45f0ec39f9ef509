"""The table of constants in `docs/formulas.md`, made from `graph.constants`: `python -m graph.formulas` writes it."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Final

from graph import constants
from graph.errors import SourceError

BEGIN: Final = "<!-- constants: made by python -m graph.formulas -->"
END: Final = "<!-- end of constants -->"


def constants_table() -> str:
    """Every published constant with its value and meaning, as a markdown table, in the order of the module."""
    values = {row.name: row.value for row in constants.published_constants()}
    rows = [f"| `{name}` | {_written(values[name])} | {_in_cell(meaning)} |" for name, meaning in _meanings().items()]
    return "\n".join(["| constant | value | meaning |", "|---|---|---|", *rows])


def with_constants(text: str, file: str = "docs/formulas.md") -> str:
    """The text of a page with its table of constants made anew.

    Raises
    ------
    SourceError
        The page lacks the two marks between which the table stands.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SourceError(f"no place for the constants: put {BEGIN!r} and {END!r} around it", file=file)
    return f"{before}{BEGIN}\n{constants_table()}\n{END}{after}"


def _meanings() -> dict[str, str]:
    """The string below each constant's definition, by name; "" where there is none."""
    body = ast.parse(inspect.getsource(constants)).body
    found = {}
    for statement, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            says = below.value if isinstance(below, ast.Expr) else None
            found[statement.target.id] = str(says.value) if isinstance(says, ast.Constant) else ""
    return found


def _written(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_written(each)}" for key, each in value.items())
    return f"{value:.12g}" if isinstance(value, float) else json.dumps(value)


def _in_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    page = Path(__file__).resolve().parents[1] / "docs" / "formulas.md"
    page.write_text(with_constants(page.read_text(encoding="utf-8")), encoding="utf-8")
