"""Take paragraphs from the reference that comes with Python's ``help()`` (``pydoc_data.topics``).

Imported by ``pydoc_llama.py``. Run directly it writes the held-out set::

    python examples/train/pydoc_llama_data.py --output examples/data/pydoc-passages.csv

A passage is one paragraph of 240 to 600 characters on one line. Training uses the other paragraphs and the
docstrings of the standard library; a paragraph or docstring that holds a sentence of a held-out passage is left out:
the topics share many. Passages of which half or more stands in another paragraph are not held out.
"""

from __future__ import annotations

import argparse
import inspect
import random
import re
from pathlib import Path
from pydoc_data.topics import topics

from code_or_prose_data import is_prose, library_files
from small_text_models import same_text, write_columns
from topic_nli_data import docstrings

PASSAGES = 160
SHORTEST = 40  # characters of what counts as a sentence of its own
LENGTH = range(240, 601)  # characters


def paragraphs() -> list[str]:
    """Return all distinct paragraphs of the topics, each on one line, in a fixed order."""
    found: dict[str, str] = {}
    for name in sorted(topics):
        for part in re.split(r"\n\s*\n", topics[name]):
            line = re.sub(r"\s+", " ", part).strip()
            if line and not re.search(r"^\s*[=~+|-]|::=", part, re.MULTILINE):
                found.setdefault(same_text(line), line)
    return list(found.values())


def docstring_lines() -> list[str]:
    """Return the prose of all docstrings of the standard library, in a fixed order."""
    found: dict[str, str] = {}
    for path in library_files():
        try:
            lines = list(docstrings(path.read_text(encoding="utf-8")))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for line in lines:
            if len(line) >= SHORTEST:
                found.setdefault(same_text(line), line)
    return list(found.values())


def sentences(text: str) -> list[str]:
    """Return a paragraph's sentences as they are compared."""
    return [same_text(part) for part in re.split(r"(?<=[.!?:])\s+(?=[A-Z])", text)]


def is_repeated(passage: str, others: list[str]) -> bool:
    """Return whether half or more of a passage's characters stand in one of the other paragraphs."""
    own = sentences(passage)
    half = sum(map(len, own)) / 2
    return any(sum(len(part) for part in own if part in other) >= half for other in others)


def sample_held_out(seed: int) -> list[str]:
    """Return 200 passages, shuffled."""
    everything = paragraphs()
    same = {line: same_text(line) for line in everything}
    fitting = [
        line
        for line in everything
        if len(line) in LENGTH
        and is_prose(line)
        and not is_repeated(line, [same[other] for other in everything if other != line])
    ]
    return random.Random(seed).sample(fitting, PASSAGES)


def training_lines(held_out: list[str]) -> list[str]:
    """Return paragraphs and docstrings without those that hold a held-out sentence, in a fixed order."""
    unwanted = {part for passage in held_out for part in sentences(passage) if len(part) >= SHORTEST}
    unwanted |= {same_text(passage) for passage in held_out}
    lines = [*paragraphs(), *docstring_lines()]
    return [line for line in lines if not unwanted & {same_text(line), *sentences(line)}]


def main() -> None:
    """Write the held-out set."""
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_columns(arguments.output, ["text"], [(line,) for line in sample_held_out(arguments.seed)])


if __name__ == "__main__":
    main()
