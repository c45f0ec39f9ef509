"""Take lines of code and sentences of prose from the standard library's own text.

Imported by ``code_or_prose.py``. Run directly it writes the held-out set::

    python examples/train/code_or_prose_data.py --output examples/data/code-or-prose.csv

Code is one logical line without its comments; prose is one sentence of a docstring. The committed
held-out set was taken from Python 3.11.7. Its modules are never used for training, whatever Python
runs, and no line of it either, so another Python's library trains a model that it can still judge.
"""

from __future__ import annotations

import argparse
import ast
import csv
import inspect
import io
import random
import re
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

LABELS = ["code", "prose"]
PER_LABEL = 300
PER_MODULE = 15
LENGTH = range(20, 161)  # characters
# Under the PSF licence alone: no module here carries a copyright notice of its own.
# fmt: off
HELD_OUT_MODULES = frozenset({
    "argparse", "bisect", "calendar", "cmd", "configparser", "contextlib", "copy", "dataclasses",
    "datetime", "difflib", "dis", "doctest", "enum", "fileinput", "fractions", "glob", "heapq",
    "inspect", "mailbox", "pathlib", "pdb", "pprint", "queue", "random", "sched", "selectors",
    "shutil", "smtplib", "statistics", "string", "tempfile", "threading", "typing", "zipfile",
})
# fmt: on
SKIPPED = frozenset({"test", "tests", "idlelib", "lib2to3", "site-packages", "pydoc_data", "turtledemo"})
SKIPPED_TOKENS = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT})


def library_files() -> list[Path]:
    """Return the standard library's Python files, without tests, editors and data, sorted by name."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [path for path in root.rglob("*.py") if not SKIPPED & set(path.relative_to(root).parts)]
    return sorted(files, key=lambda path: path.relative_to(root).as_posix())


def is_held_out(path: Path) -> bool:
    """Return whether a file of the standard library is kept for the held-out set."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return Path(path.relative_to(root).parts[0]).stem in HELD_OUT_MODULES


def code_lines(source: str) -> Iterator[str]:
    """Yield each logical line of code on one line, without comments; docstrings are left out."""
    words: list[str] = []
    end = (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NEWLINE:
            line = "".join(words)
            if not line.lstrip("rRuUbB").startswith(('"', "'")):
                yield line
            words = []
        elif token.type not in SKIPPED_TOKENS:
            apart = bool(words) and token.start != end
            words.append(" " * apart + re.sub(r"\s+", " ", token.string))
            end = token.end


def prose_sentences(source: str) -> Iterator[str]:
    """Yield the sentences of a module's docstrings; indented blocks, lists and examples are left out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                if re.search(r"^(\s|>>>|[-*+>|.:=])|--", paragraph, re.MULTILINE):
                    continue
                yield from re.split(r"(?<=[.!?:])\s+(?=[A-Z])", re.sub(r"\s+", " ", paragraph).strip())


def is_prose(sentence: str) -> bool:
    """Return whether a sentence reads as English: six words, most of them plain."""
    words = sentence.split()
    plain = [word for word in words if re.fullmatch(r"[(\"']?[A-Za-z][a-z'-]*[.,;:!?)\"']*", word)]
    return len(words) >= 6 and len(plain) >= 0.75 * len(words)


def texts_of(path: Path) -> dict[str, list[str]]:
    """Return a file's distinct texts by label, in the order of the file; none for a file that does not parse."""
    try:
        source = path.read_text(encoding="utf-8")
        found = {"code": list(code_lines(source)), "prose": list(filter(is_prose, prose_sentences(source)))}
    except (SyntaxError, UnicodeDecodeError, tokenize.TokenError):
        found = {"code": [], "prose": []}
    return {label: [text for text in dict.fromkeys(found[label]) if len(text) in LENGTH] for label in LABELS}


def training_rows(held_out: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return all distinct (text, label) rows outside the held-out modules and rows, in a fixed order."""
    unwanted = {normalise(text) for text, _ in held_out}
    rows: dict[str, tuple[str, str]] = {}
    for path in library_files():
        if not is_held_out(path):
            for label, texts in texts_of(path).items():
                for text in texts:
                    if normalise(text) not in unwanted:
                        rows.setdefault(normalise(text), (text, label))
    return list(rows.values())


def normalise(text: str) -> str:
    """Return the text without white space and case: what counts as the same line."""
    return re.sub(r"\s+", "", text).casefold()


def read_rows(path: Path) -> list[tuple[str, str]]:
    """Return the (text, label) rows of a held-out file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def sample_held_out(seed: int) -> list[tuple[str, str]]:
    """Return 300 rows of each label, at most 15 from a module, no line twice, shuffled."""
    draw = random.Random(seed)
    rows: list[tuple[str, str]] = []
    for label in LABELS:
        pool: dict[str, str] = {}
        for path in filter(is_held_out, library_files()):
            texts = texts_of(path)[label]
            for text in draw.sample(texts, min(PER_MODULE, len(texts))):
                pool.setdefault(normalise(text), text)
        rows += [(text, label) for text in draw.sample(list(pool.values()), PER_LABEL)]
    draw.shuffle(rows)
    return rows


def main() -> None:
    """Write the held-out set."""
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = sample_held_out(arguments.seed)
    with arguments.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    print(f"{len(rows)} rows in {arguments.output}")


if __name__ == "__main__":
    main()
