"""Words as queries and facts write them, brought to one form. Pure functions on text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_DATASET_SUFFIXES: Final = ("", "1k", "val", "validation", "test", "testset", "dataset", "2012", "ilsvrc2012", "1kval")
_LICENCE_FILLER: Final = re.compile(r"\b(?:the|licen[cs]ed?|version|public|v)\b|[^\w.+-]+")
_LICENCES: Final = {
    "apache": "apache-2.0", "apache2": "apache-2.0", "apache-2": "apache-2.0", "apache2.0": "apache-2.0",
    "apache-2.0": "apache-2.0", "apache-software-2.0": "apache-2.0", "bsd": "bsd-3-clause", "bsd-3": "bsd-3-clause",
    "bsd3": "bsd-3-clause", "bsd-2": "bsd-2-clause", "expat": "mit", "gplv3": "gpl-3.0", "gpl3": "gpl-3.0",
    "gpl-3": "gpl-3.0", "gpl": "gpl-3.0", "gplv2": "gpl-2.0", "agplv3": "agpl-3.0", "agpl": "agpl-3.0",
    "lgpl": "lgpl-3.0", "cc0": "cc0-1.0", "cc-by": "cc-by-4.0", "mpl": "mpl-2.0", "gpl-3.0-or-later": "gpl-3.0",
    "gpl-3.0-only": "gpl-3.0",
}  # fmt: skip
"""Licences as they are written, by what is left after "licence" and "version"; values are SPDX ids in lower case."""


def plain(text: str) -> str:
    """The text in lower case with single blanks."""
    return " ".join(text.casefold().split())


def squeezed(text: str) -> str:
    """Letters and digits alone, lower case: how two spellings of one name are compared.

    Examples
    --------
    >>> squeezed("MobileNet_v2 1.0") == squeezed("mobilenet-v2-1.0")
    True
    """
    return "".join(_WORD.findall(text.casefold()))


def plain_words(text: str) -> list[str]:
    """The words of a text, lower case, in order.

    Examples
    --------
    >>> plain_words("google/ViT-base_16")
    ['google', 'vit', 'base', '16']
    """
    return _WORD.findall(text.casefold())


def word_runs(text: str, longest: int = 3) -> frozenset[str]:
    """The whole words of a text and its runs of up to `longest` words, squeezed: what it can be called by.

    Examples
    --------
    >>> sorted(word_runs("GPT-2 medium"))
    ['2', '2medium', 'gpt', 'gpt2', 'gpt2medium', 'medium']
    """
    words = plain_words(text)
    return frozenset(
        "".join(words[start : start + count]) for count in range(1, longest + 1) for start in range(len(words))
    )


@lru_cache(maxsize=4096)
def licence_id(text: str) -> str:
    """The SPDX id in lower case that a licence's name stands for; the name in lower case where none is known.

    Examples
    --------
    >>> licence_id("Apache License, Version 2.0"), licence_id("MIT License"), licence_id("apache-2.0")
    ('apache-2.0', 'mit', 'apache-2.0')
    """
    bare = "-".join(_LICENCE_FILLER.sub(" ", text.casefold()).split())
    return _LICENCES.get(bare, bare or plain(text))


def same_dataset(stated: str, wanted: str) -> bool:
    """Whether a data set's name is the wanted one, but for a suffix that names its usual validation part.

    Examples
    --------
    >>> same_dataset("ImageNet-1k val", "imagenet"), same_dataset("ImageNet-A", "imagenet")
    (True, False)
    """
    one, other = squeezed(stated), squeezed(wanted)
    return one.startswith(other) and one[len(other) :] in _DATASET_SUFFIXES
