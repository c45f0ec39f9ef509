"""Outcome tokens: an HMAC over search and position; each authorises its own outcome, once per kind."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from graph.errors import TokenRefused
from graph.home import Home

_FORM: Final = re.compile(r"mg1\.(se_[0-9a-f]{32})\.(\d{1,6})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True)
class Delivery:
    """What a token stands for: one position of one search."""

    search: str
    position: int


def make_token(home: Home, search: str, position: int) -> str:
    """The token of a result."""
    return f"mg1.{search}.{position}.{_mac(home, search, position, home.key_id)}"


def read_token(home: Home, token: str) -> Delivery:
    """What a token stands for.

    Raises
    ------
    TokenRefused
        `forged`: it is not a token, or its signature is not of this home's key.
    """
    match = _FORM.fullmatch(token.strip())
    if match is None:
        raise TokenRefused("forged", "this is not a token of a search result: copy it whole from a result")
    search, position = match[1], int(match[2])
    if not any(hmac.compare_digest(match[3], _mac(home, search, position, key_id)) for key_id in home.keys):
        raise TokenRefused("forged", "its signature is not of this home: use the home that gave the result")
    return Delivery(search, position)


def token_digest(token: str) -> str:
    """What the log keeps of a token."""
    return hashlib.sha256(token.strip().encode()).hexdigest()


def _mac(home: Home, search: str, position: int, key_id: str) -> str:
    stated = f"outcome|{key_id}|{search}|{position}".encode()
    signed = hmac.digest(home.keys[key_id], stated, "sha256")[:16]
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")
