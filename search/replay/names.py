"""Which artifact a log means: by id, slug or name, or by the address of a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import Connection, select

from graph.artifacts import slug_of
from graph.store.tables import ARTIFACTS

_PARAMETERS: Final = ("id", "slug", "artifact", "model", "item", "name")


class ArtifactNames:
    """The artifacts of a catalogue by all names that a log may call them.

    Parameters
    ----------
    known : iterable of (id, slug, name, url or None)
        All artifacts, retired ones too: what was searched then is history.
    """

    def __init__(self, known: Iterable[tuple[str, str, str, str | None]]) -> None:
        self._ids: dict[str, str] = {}
        self._others: dict[str, set[str]] = {}
        self._addresses: dict[str, set[str]] = {}
        self._answers: dict[str, tuple[str, ...]] = {}
        for identity, slug, name, url in known:
            self._ids[identity] = identity
            for other in (identity.lower(), slug.lower(), slug_of(identity)):
                self._others.setdefault(other, set()).add(identity)
            self._others.setdefault("name:" + name.strip().lower(), set()).add(identity)
            if url:
                with suppress(ValueError):  # no address: then no log can name it
                    self._addresses.setdefault(plain_address(url), set()).add(identity)

    def resolve(self, text: str) -> tuple[str, ...]:
        """The ids that a text may mean, sorted: one where it is clear, none where nothing has this name."""
        if text not in self._answers:
            self._answers[text] = self._resolve(text.strip())
        return self._answers[text]

    def _resolve(self, text: str) -> tuple[str, ...]:
        if text in self._ids:
            return (text,)
        for found in self._candidates(text):
            if found:
                return tuple(sorted(found))
        return ()

    def _candidates(self, text: str) -> Iterator[set[str]]:
        yield self._others.get(text.lower(), set())
        yield self._others.get("name:" + text.lower(), set())
        if "/" not in text:
            return
        try:
            yield self._addresses.get(plain_address(text), set())
            address = urlsplit(text if "://" in text else f"//{text.lstrip('/')}")
        except ValueError:  # no address
            return
        for key, value in parse_qsl(address.query):
            if key.lower() in _PARAMETERS:
                yield self._others.get(value.lower(), set())
        parts = [unquote(part).lower() for part in address.path.split("/") if part]
        for end in range(len(parts), 1, -1):  # the rightmost owner/name: pages lie below their model
            yield self._others.get("/".join(parts[end - 2 : end]), set())
        if parts:
            yield self._others.get(parts[-1].removesuffix(".html").removesuffix(".md"), set())


def plain_address(url: str) -> str:
    """An address without what does not tell pages apart: scheme, `www.`, case of the host, query, fragment, last `/`.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> plain_address("https://www.Example.org/tools/a/?from=mail#top")
    'example.org/tools/a'
    """
    parts = urlsplit(url.strip() if "://" in url else f"//{url.strip().lstrip('/')}")
    return (parts.netloc.lower().removeprefix("www.") + unquote(parts.path)).rstrip("/")


def read_names(connection: Connection) -> ArtifactNames:
    """The names of all artifacts of a catalogue."""
    query = select(ARTIFACTS.c.id, ARTIFACTS.c.slug, ARTIFACTS.c.name, ARTIFACTS.c.document).order_by(ARTIFACTS.c.id)
    return ArtifactNames(
        (row.id, row.slug, row.name, json.loads(row.document).get("url")) for row in connection.execute(query)
    )
