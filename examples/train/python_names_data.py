"""Take lines of code from the standard library and tag the names in them by what they are.

Imported by ``python_names.py``. Run directly it writes the held-out set::

    python examples/train/python_names_data.py --output examples/data/python-names.csv

A row is one logical line: its tokens and their tags, both separated by blanks. What a name is says Python's own
parser, so no tag is a matter of opinion: FUNCTION is what is called or defined by ``def``, CLASS what ``class``
defines, derives from, raises or catches, MODULE what is imported, PARAMETER what a function takes or is given by
name. Dotted names are one entity: ``os . path . join`` is B-FUNCTION I-FUNCTION I-FUNCTION I-FUNCTION I-FUNCTION.
The held-out modules are those of ``code_or_prose_data.py``, never used for training.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import random
import tokenize
from collections.abc import Iterator
from pathlib import Path

from code_or_prose_data import is_held_out, library_files
from small_text_models import same_text, write_columns

KINDS = ["CLASS", "FUNCTION", "MODULE", "PARAMETER"]
LABELS = ["O", *(f"{place}-{kind}" for kind in KINDS for place in "BI")]
ROWS = 400
PER_MODULE = 20
LENGTH = range(4, 41)  # tokens
SKIPPED_TOKENS = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT})

Row = tuple[str, str]
Place = tuple[int, int]


def entity_spans(tree: ast.AST) -> dict[Place, tuple[Place, str]]:
    """Return where each entity starts: its end and its kind; places are (line from 1, character from 0)."""
    found: dict[Place, tuple[Place, str]] = {}
    for node in ast.walk(tree):
        for start, end, kind in spans_of(node):
            if kind == "CLASS" or start not in found:  # what is raised is a class, though it is called
                found[start] = (end, kind)
    return found


def spans_of(node: ast.AST) -> Iterator[tuple[Place, Place, str]]:
    """Yield start, end and kind of the names whose kind this node tells."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (*_place(alias, len(alias.name)), "MODULE")
    elif isinstance(node, ast.arg | ast.keyword) and node.arg:
        yield (*_place(node, len(node.arg)), "PARAMETER")
    named: list[tuple[ast.expr, str]] = []
    if isinstance(node, ast.Call):
        named = [(node.func, "FUNCTION")]
    elif isinstance(node, ast.ClassDef):
        named = [(base, "CLASS") for base in node.bases]
    elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        named = [(node.exc.func, "CLASS")]
    elif isinstance(node, ast.ExceptHandler) and node.type is not None:
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        named = [(each, "CLASS") for each in caught]
    for name, kind in named:
        if is_dotted(name):
            yield (name.lineno, name.col_offset), (name.end_lineno or 0, name.end_col_offset or 0), kind


def _place(node: ast.alias | ast.arg | ast.keyword, length: int) -> tuple[Place, Place]:
    return (node.lineno, node.col_offset), (node.lineno, node.col_offset + length)


def is_dotted(node: ast.expr) -> bool:
    """Return whether an expression is a name, or names with dots between."""
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and is_dotted(node.value))


def tagged_lines(source: str) -> Iterator[list[tuple[str, str]]]:
    """Yield each logical line of a source in ASCII as (token, tag) pairs."""
    spans = entity_spans(ast.parse(source))
    line: list[tuple[str, str]] = []
    until: Place = (0, 0)
    kind = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NEWLINE:
            yield line
            line = []
        elif token.type not in SKIPPED_TOKENS:
            inside = token.start < until
            if not inside:
                until, kind = spans.get(token.start, (token.end, ""))
                kind = kind or kind_after([word for word, _ in line], token.string)
                inside = kind == "MODULE" and line[-1:] != [] and line[-1][1].endswith("MODULE")
            line.append((token.string, f"{'I' if inside else 'B'}-{kind}" if kind else "O"))


def kind_after(words: list[str], word: str) -> str:
    """Return the kind of a word where the words before it say so (def, class, from), else nothing."""
    if words[-1:] in (["def"], ["class"]):
        return "FUNCTION" if words[-1] == "def" else "CLASS"
    return "MODULE" if words[:1] == ["from"] and "import" not in (*words, word) else ""


def rows_of(path: Path) -> list[Row]:
    """Return a file's distinct lines with an entity in them; none for a file that is not plain ASCII Python."""
    try:
        lines = list(tagged_lines(path.read_text(encoding="ascii")))
    except (SyntaxError, UnicodeDecodeError, tokenize.TokenError):
        return []
    kept: dict[str, Row] = {}
    for line in lines:
        words, tags = [word for word, _ in line], [tag for _, tag in line]
        whole = len(words) in LENGTH and not any(set(word) & set(" \t\n\\") for word in words)
        if whole and set(tags) != {"O"} and max(map(len, words)) <= 40:
            row = (" ".join(words), " ".join(tags))
            kept.setdefault(same_text(row[0]), row)
    return list(kept.values())


def training_rows(held_out: list[Row]) -> list[Row]:
    """Return all distinct (tokens, tags) rows outside the held-out modules and lines, in a fixed order."""
    unwanted = {same_text(tokens) for tokens, _ in held_out}
    rows: dict[str, Row] = {}
    for path in library_files():
        if not is_held_out(path):
            for row in rows_of(path):
                if same_text(row[0]) not in unwanted:
                    rows.setdefault(same_text(row[0]), row)
    return list(rows.values())


def sample_held_out(seed: int) -> list[Row]:
    """Return 400 rows, at most 20 from a module, no line twice, shuffled."""
    draw = random.Random(seed)
    pool: dict[str, Row] = {}
    for path in filter(is_held_out, library_files()):
        rows = rows_of(path)
        for row in draw.sample(rows, min(PER_MODULE, len(rows))):
            pool.setdefault(same_text(row[0]), row)
    return draw.sample(list(pool.values()), ROWS)


def main() -> None:
    """Write the held-out set."""
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_columns(arguments.output, ["tokens", "tags"], sample_held_out(arguments.seed))


if __name__ == "__main__":
    main()
