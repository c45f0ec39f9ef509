"""Redaction of personal data and secrets from queries, before anything is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Ordered: a URL with credentials before an e-mail address, secrets before long numbers. All linear in the text.
_PATTERNS: Final = (
    ("credentials", re.compile(r"(?<=://)[^\s/@:]{1,200}:[^\s/@]{1,200}(?=@)")),
    # A domain ends in a letter-first label: name@2.1 is a model's revision.
    ("email", re.compile(r"[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62}")),
    (
        "secret",
        re.compile(
            r"\b(?:sk-[A-Za-z0-9_-]{16,200}|hf_[A-Za-z0-9]{16,100}|gh[pousr]_[A-Za-z0-9]{20,255}|"
            r"github_pat_[A-Za-z0-9_]{20,255}|xox[abprs]-[A-Za-z0-9-]{10,200}|AKIA[0-9A-Z]{16}|"
            r"AIza[0-9A-Za-z_-]{30,50}|eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{0,2000})"
        ),
    ),
    ("secret", re.compile(r"(?i)\b(?:password|passwd|secret|api[_-]?key|token)\s{0,3}[:=]\s{0,3}\S{4,200}")),
    # Long random runs: base64 without a separator, or url-safe with 20 mixed characters in a row; three digits, because
    # names of models and classes are long too, but made of words (Wav2Vec2ForSequenceClassification).
    (
        "secret",
        re.compile(
            r"(?<![\w+/-])(?=(?:[^\s\d]{0,60}\d){3})(?=[^\sA-Z]{0,200}[A-Z])(?=[^\sa-z]{0,200}[a-z])"
            r"[A-Za-z0-9+/]{32,200}={0,2}(?![\w+/-])"
        ),
    ),
    (
        "secret",
        re.compile(
            r"(?<![\w-])(?=[\w-]{32})[A-Za-z0-9_-]{0,100}"
            r"(?=(?:[A-Za-z]{0,20}\d){3})(?=[a-z0-9]{0,20}[A-Z])[A-Za-z0-9]{20,200}[A-Za-z0-9_-]{0,100}"
        ),
    ),
    ("card", re.compile(r"\b(?:\d[ -]?){13,19}\b")),
    ("phone", re.compile(r"(?<![\w.])\+\d[\d ()-]{7,18}\d\b")),
    ("address", re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")),
)


@dataclass(frozen=True)
class Redacted:
    """A text that may be stored, and the kinds of what was taken out, in order, without repeats."""

    text: str
    kinds: tuple[str, ...]


def redact(text: str) -> Redacted:
    """The text with e-mail addresses, keys, passwords, card and phone numbers and IP addresses replaced.

    Each is replaced by `[kind]`. Control characters become blanks and runs of blanks one blank.

    Examples
    --------
    >>> redact("mail ann@example.org  a summary").text
    'mail [email] a summary'
    """
    cleaned = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    kinds: list[str] = []
    for kind, pattern in _PATTERNS:
        cleaned, hits = pattern.subn(f"[{kind}]", cleaned)
        if hits and kind not in kinds:
            kinds.append(kind)
    return Redacted(cleaned, tuple(kinds))
