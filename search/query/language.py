"""Whether a query is in a language that the encoder was not trained on: said, never hidden."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

from search.query.words import plain_words

_LATIN: Final = ("GERMAN", "FRENCH", "SPANISH", "PORTUGUESE", "ITALIAN", "DUTCH", "SWEDISH", "NORWEGIAN", "DANISH",
                 "TURKISH")  # fmt: skip
_LEAST_WORDS: Final = 2
"""So many words that a language calls stop words, and more than English does, tell it."""
_MOST_LANGUAGES: Final = 2
"""Where more languages share the words, none is named."""
_QUOTED: Final = re.compile(r"[\"“”«»„][^\"“”«»„]{0,500}[\"“”«»„]?|(?<=:\s)['‘].{0,500}")
"""What is quoted is an example of the work, not the language of the asker."""
_SHARE: Final = 0.3
"""A query with this share of its letters outside the Latin script is not in English."""


def language_note(text: str) -> str:
    """One line where a query does not look like English; empty where it does, or where it is too short to tell.

    Examples
    --------
    >>> language_note("estimate depth from one image")
    ''
    >>> language_note("ein Modell, das Bilder von Katzen und Hunden erkennt").split(":")[0]
    'the query looks German'
    """
    own = _QUOTED.sub(" ", text)
    name = _script(own) or _latin_language(own)
    if not name:
        return ""
    return (
        f"the query looks {name}: the encoder was trained on English, so only names and words that the index holds "
        "are matched well; ask in English for the meaning to count"
    )


def has_only_stop_words(text: str) -> bool:
    """Whether all words of a text are English stop words.

    Examples
    --------
    >>> has_only_stop_words("what is it for"), has_only_stop_words("what is OCR")
    (True, False)
    """
    return all(word in _stop_words("EN_PLUS") for word in plain_words(text))


def _script(text: str) -> str:
    letters = [char for char in text if char.isalpha()]
    foreign = [char for char in letters if not unicodedata.name(char, "LATIN").startswith("LATIN")]
    if not letters or len(foreign) / len(letters) < _SHARE:
        return ""
    script = unicodedata.name(foreign[0], "").partition(" ")[0].capitalize()
    return {"Cjk": "Chinese or Japanese", "Hiragana": "Japanese", "Katakana": "Japanese", "Hangul": "Korean",
            "Cyrillic": "Russian or another language in Cyrillic"}.get(script, f"to be in {script} script")  # fmt: skip


def _latin_language(text: str) -> str:
    """The languages whose stop words, English ones aside, are most of the query's, and more than English ones are."""
    words = plain_words(text)
    english = sum(word in _stop_words("EN_PLUS") for word in words)
    if english * 4 >= len(words):
        return ""
    foreign = [word for word in words if word not in _stop_words("EN_PLUS")]
    counts = {name: sum(word in _stop_words(name) for word in foreign) for name in _LATIN}
    most = max(counts.values())
    if most < _LEAST_WORDS or most <= english:
        return ""
    likely = [name.capitalize() for name in _LATIN if counts[name] == most]
    return " or ".join(likely) if len(likely) <= _MOST_LANGUAGES else "to be in another language"


@cache
def _stop_words(language: str) -> frozenset[str]:
    from bm25s import stopwords

    return frozenset(getattr(stopwords, f"STOPWORDS_{language}"))
