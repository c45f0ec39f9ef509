"""Sentences of a text, and which of them a refuted claim takes out.

The gate's rule: the sentence, cell or field that holds a refuted claim's text is in no vector, no lexical text and
no `why`. A sentence goes where the claim's text overlaps it, and where it states the refuted number again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from graph.claims import Claim

# A full stop, question or exclamation mark before anything but a small letter; line ends; the bars of table cells.
_BREAK: Final = re.compile(r"(?<=[.!?])[\"')\]]{0,3} (?![a-z])| ?[\n|] ?")
_BLANKS: Final = re.compile(r"[^\S\n]+")
_MARKUP: Final = re.compile(r"[*_`~\"“”„]+")
_NUMBER: Final = re.compile(r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d{1,15})(\.\d{1,9})?\s?(%|[kmbx]\b|million\b|billion\b)?")
_SCALE: Final = {"k": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9}
_LEAST_WORDS: Final = 3
"""A sentence inside a longer claim text goes only if it has this many words: shorter ones are in every text."""

# Words that tell what a number in a sentence is about, by metric; the words of the metric's own name count too.
_CUES: Final = {
    "accuracy": ("%", "percent", "top-1", "accura"),
    "parameters": ("param", "weights"),
    "size_bytes": ("size", "bytes", "mb", "gb"),
    "size_ratio": ("smaller", "compress", "size"),
    "speedup": ("faster", "speed", "throughput"),
    "throughput": ("per second", "/s", "throughput"),
    "latency_s": ("second", "latency", "ms"),
    "memory_bytes": ("memory", "ram"),
    "memory_ratio": ("memory", "ram"),
    "loss_points": ("loss", "drop", "point"),
    "loss_relative": ("loss", "drop", "%"),
    "labels": ("class", "label", "categor"),
    "dimensions": ("dimension", "-d"),
    "max_tokens": ("token",),
    "context": ("context", "token"),
}


def split_sentences(text: str) -> list[str]:
    """The sentences, lines and table cells of a text, trimmed, in order; empty for a blank text.

    Linear in the text. It may cut too often ("approx. 5"): `allowed_sentences` looks for claims over the joints.
    """
    return [piece for piece in (part.strip() for part in _BREAK.split(_BLANKS.sub(" ", text))) if piece]


def allowed_sentences(text: str, refuted: Sequence[Claim]) -> list[str]:
    """The sentences of a text that hold no refuted claim, in order."""
    sentences = split_sentences(text)
    if not refuted or not sentences:
        return sentences
    dropped = _dropped(sentences, refuted)
    return [sentence for number, sentence in enumerate(sentences) if number not in dropped]


def allowed_text(text: str, refuted: Sequence[Claim]) -> str:
    """The text as it is where no sentence of it is refuted; else its allowed sentences, joined by blanks."""
    kept = allowed_sentences(text, refuted)
    return text.strip() if len(kept) == len(split_sentences(text)) else " ".join(kept)


def allowed_field(text: str | None, refuted: Sequence[Claim]) -> str:
    """A short field, whole or not at all: empty where any sentence of it is refuted, or where there is none."""
    if not text:
        return ""
    return text.strip() if len(allowed_sentences(text, refuted)) == len(split_sentences(text)) else ""


def holding(text: str, claim: Claim) -> list[int]:
    """0-based numbers of the sentences of a text that hold this claim, ascending."""
    return sorted(_dropped(split_sentences(text), [claim]))


def _dropped(sentences: Sequence[str], refuted: Iterable[Claim]) -> set[int]:
    plain = [_plain(sentence) for sentence in sentences]
    starts, position = [], 0
    for sentence in plain:
        starts.append(position)
        position += len(sentence) + 1
    joined = " ".join(plain)
    dropped: set[int] = set()
    for claim in refuted:
        stated = _plain(" ".join(split_sentences(claim.text))).strip(" .,;:")
        if stated:
            for start, end in _places(stated, joined):
                dropped |= {n for n, at in enumerate(starts) if at < end and start < at + len(plain[n])}
            dropped |= {n for n, s in enumerate(plain) if len(s.split()) >= _LEAST_WORDS and s in stated}
        dropped |= {n for n, sentence in enumerate(plain) if _restates(sentence, claim)}
    return dropped


def _plain(text: str) -> str:
    """Lower case without markup, in compatibility form (NFKC), with plain dashes and single blanks."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = re.sub(r"[‐-―−]", "-", folded)
    return " ".join(_MARKUP.sub("", folded).replace("’", "'").split())


def _places(stated: str, joined: str) -> list[tuple[int, int]]:
    """Where a text occurs as whole words and numbers: "5" is not in "15", "5.6" or "v5"."""
    before = r"(?<!\w)(?<!\d[.,])" if stated[0].isdigit() else r"(?<!\w)" if stated[0].isalpha() else ""
    after = r"(?!\w|[.,]\d)" if stated[-1].isdigit() else r"(?!\w)" if stated[-1].isalpha() else ""
    return [found.span() for found in re.finditer(before + re.escape(stated) + after, joined)]


def _restates(sentence: str, claim: Claim) -> bool:
    """Whether a sentence prints the claim's number beside a word of its metric."""
    if isinstance(claim.value, str) or claim.value is None or claim.metric == "runs":
        return False
    cues = (*_CUES.get(claim.metric, ()), claim.metric.replace("_", " "))
    if not any(cue in sentence for cue in cues):
        return False
    wanted = float(claim.value)
    for whole, fraction, suffix in _NUMBER.findall(sentence):
        printed = float(whole.replace(",", "") + fraction) * _SCALE.get(suffix, 1.0)
        if abs(printed - wanted) <= 1e-9 * max(1.0, abs(wanted)):
            return True
    return False
