"""Digests and chains: SHA-256 over canonical JSON (RFC 8785)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from json.encoder import encode_basestring
from math import isfinite
from pathlib import Path
from typing import Any, Final

_WORDS: Final = {None: "null", True: "true", False: "false"}
_INTEGER_MAX: Final = 2**53 - 1
GENESIS: Final = "0" * 64
"""What the first link of a chain points to."""


def canonical_json(value: Any) -> bytes:
    """A JSON value in RFC 8785 form: one spelling for equal values.

    Raises
    ------
    ValueError
        The value is not JSON (a NaN, an integer beyond 2**53 - 1, half a surrogate pair, a foreign type).
    """
    import rfc8785

    try:
        return _written(value, rfc8785.dumps).encode("utf-8")
    except (_OtherJson, UnicodeEncodeError):
        return bytes(rfc8785.dumps(value))  # several times slower; and its error says what is wrong


class _OtherJson(Exception):
    """A value that `_written` leaves to the library."""


def _written(value: Any, write_float: Callable[[float], bytes]) -> str:
    """What `rfc8785` writes, for the plain values that events and evidence are made of."""
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if value is None or kind is bool:
        return _WORDS[value]
    if kind is int and -_INTEGER_MAX <= value <= _INTEGER_MAX:
        return str(value)
    if kind is float and isfinite(value):
        return write_float(value).decode("ascii")
    if kind is list or kind is tuple:
        return "[" + ",".join([_written(each, write_float) for each in value]) + "]"
    if kind is dict and all(type(key) is str and key.isascii() for key in value):  # others sort by UTF-16
        members = [f"{encode_basestring(key)}:{_written(value[key], write_float)}" for key in sorted(value)]
        return "{" + ",".join(members) + "}"
    raise _OtherJson


def digest_of(value: Any) -> str:
    """SHA-256, in hex, of a JSON value in RFC 8785 form.

    Raises
    ------
    ValueError
        The value is not JSON; see `canonical_json`.
    """
    return hashlib.sha256(canonical_json(value)).hexdigest()


def link(previous: str, payload_digest: str) -> str:
    """The next link of a chain: SHA-256 of the previous link and the payload's digest, both in hex."""
    return hashlib.sha256(f"{previous}:{payload_digest}".encode("ascii")).hexdigest()


def text_digest(text: str) -> str:
    """SHA-256, in hex, of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_digest(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """SHA-256, in hex, of a file, read in pieces of 1 MiB; `on_bytes` hears the size of each."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
            if on_bytes:
                on_bytes(len(piece))
    return digest.hexdigest()
