"""Take texts about six topics from the docstrings of the standard library: a text's topic is that of its module.

Imported by ``topic_nli.py``. Run directly it writes the held-out set::

    python examples/train/topic_nli_data.py --output examples/data/library-topics.csv

A held-out row is the prose of one docstring of 80 to 400 characters. Training texts are single sentences and whole
docstrings of the same modules; a held-out docstring, and every sentence that occurs in one, is left out of them.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from code_or_prose_data import is_prose, library_files
from small_text_models import same_text, write_columns

PER_TOPIC = 50
LENGTH = range(80, 401)  # characters
# fmt: off
MODULES = {
    "networking": "asynchat asyncore cgi ftplib http imaplib ipaddress nntplib poplib smtpd smtplib socket "
                  "socketserver ssl telnetlib urllib wsgiref xmlrpc",
    "files": "_pyio bz2 filecmp fileinput fnmatch genericpath glob gzip io lzma ntpath os pathlib posixpath shutil "
             "tarfile tempfile zipfile zipimport",
    "mathematics": "_pydecimal bisect colorsys fractions heapq numbers random statistics",
    "concurrency": "_threading_local asyncio concurrent multiprocessing queue subprocess threading",
    "testing": "bdb cProfile doctest faulthandler pdb profile pstats timeit trace traceback unittest",
    "windows": "tkinter turtle",
}
# fmt: on
TOPICS = sorted(MODULES)
_TOPIC_OF = {module: topic for topic, modules in MODULES.items() for module in modules.split()}

Row = tuple[str, str]


def topic_of(path: Path) -> str | None:
    """Return the topic of a file of the standard library."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return _TOPIC_OF.get(Path(path.relative_to(root).parts[0]).stem)


def docstrings(source: str) -> Iterator[str]:
    """Yield the prose of each docstring on one line; indented blocks, lists and examples are left out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            paragraphs = re.split(r"\n\s*\n", ast.get_docstring(node) or "")
            plain = [part for part in paragraphs if not re.search(r"^(\s|>>>|[-*+>|.:=])|--", part, re.MULTILINE)]
            yield re.sub(r"\s+", " ", " ".join(plain)).strip()


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return re.split(r"(?<=[.!?:])\s+(?=[A-Z])", text)


def all_rows() -> list[Row]:
    """Return all distinct (docstring, topic) rows, in a fixed order."""
    rows: dict[str, Row] = {}
    for path in library_files():
        topic = topic_of(path)
        if topic is None:
            continue
        try:
            found = list(docstrings(path.read_text(encoding="utf-8")))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for text in found:
            if text:
                rows.setdefault(same_text(text), (text, topic))
    return list(rows.values())


def training_rows(held_out: list[Row]) -> list[Row]:
    """Return distinct sentences and docstrings with their topics; nothing of it stands in a held-out text."""
    unwanted = [same_text(text) for text, _ in held_out]
    together = "\n".join(unwanted)
    rows: dict[str, Row] = {}
    for text, topic in all_rows():
        parts = [part for part in sentences(text) if same_text(part) and same_text(part) not in together]
        whole = " ".join(parts)[: LENGTH.stop]
        for kept in (whole, *(part for part in parts if is_prose(part))):
            if kept:
                rows.setdefault(same_text(kept), (kept, topic))
    return list(rows.values())


def sample_held_out(seed: int) -> list[Row]:
    """Return 50 rows of each topic, shuffled."""
    draw = random.Random(seed)
    fitting = [row for row in all_rows() if len(row[0]) in LENGTH and is_prose(row[0])]
    rows = [
        row for topic in TOPICS for row in draw.sample([row for row in fitting if row[1] == topic], PER_TOPIC)
    ]  # fmt: skip
    draw.shuffle(rows)
    return rows


def main() -> None:
    """Write the held-out set."""
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_columns(arguments.output, ["text", "label"], sample_held_out(arguments.seed))


if __name__ == "__main__":
    main()
