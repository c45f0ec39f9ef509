"""Artifacts by name: exactly, then but for spelling; never by a part of a word ("gis" is not "logistics")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from search.query.words import plain, plain_words, squeezed

_AROUND: Final = frozenset((
    "a", "an", "the", "my", "our", "model", "models", "tool", "tools", "server", "servers", "mcp", "api", "app",
    "library", "package", "framework", "dataset", "by", "from", "please", "find", "show", "get", "use",
))  # fmt: skip
"""Words around a name that are no part of it: "the github mcp server" asks for "github"."""
_NEAR_LETTERS: Final = 5
"""A name of fewer letters is not corrected: too many words are one letter away."""
_TWO_TYPOS_LETTERS: Final = 10
_LONGEST_NAME: Final = 200
_MOST_WORDS: Final = 4
"""A longer query describes something; it is no misspelt name."""


@dataclass(frozen=True)
class Named:
    """The artifacts that a query names; `is_exact` is False where its spelling was corrected to `corrected`."""

    artifacts: frozenset[str] = frozenset()
    is_exact: bool = True
    corrected: str = ""


class NameIndex:
    """Names of artifacts: id, slug, name, and the id without its owner."""

    def __init__(self, named: Iterable[tuple[str, str, str]]) -> None:
        """Takes (id, slug, name) of every artifact; repeats are fine."""
        plain_names: dict[str, set[str]] = {}
        squeezed_names: dict[str, set[str]] = {}
        owners: set[str] = set()
        for artifact, slug, name in dict.fromkeys(named):
            owner, _, tail = artifact.rpartition("/")
            owners |= {squeezed(owner)} if owner and "/" not in owner else set()
            for word in {artifact, slug, name, tail}:
                plain_names.setdefault(plain(word), set()).add(artifact)
                if squeezed(word):
                    squeezed_names.setdefault(squeezed(word), set()).add(artifact)
        self._plain = {name: frozenset(ids) for name, ids in plain_names.items()}
        self._squeezed = {name: frozenset(ids) for name, ids in squeezed_names.items()}
        self.owners = frozenset(owners - {""})
        """Owners in ids, squeezed."""

    def find(self, text: str, is_known: Callable[[str], bool] = lambda _: False) -> Named:
        """The artifacts that a query names.

        Case, blanks, hyphens and what stands around the name do not matter; then the nearest spelling counts, at most
        one letter away (two from ten letters on), and only where the query is no word that the index knows.

        Parameters
        ----------
        text
            The query.
        is_known
            Whether a word is one that the catalogue uses: none of them is a misspelt name.
        """
        if len(text) > _LONGEST_NAME:
            return Named()
        words = plain_words(text)
        core = "".join(word for word in words if word not in _AROUND)
        for found in (self._plain.get(plain(text)), self._squeezed.get("".join(words)), self._squeezed.get(core)):
            if found:
                return Named(found)
        own = [word for word in words if word not in _AROUND]
        if len(core) < _NEAR_LETTERS or len(own) > _MOST_WORDS or any(map(is_known, own)):
            return Named()
        return self._nearest(core)

    def _nearest(self, core: str) -> Named:
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extract

        most = 2 if len(core) >= _TWO_TYPOS_LETTERS else 1
        hits = extract(core, self._squeezed.keys(), scorer=OSA.distance, score_cutoff=most, limit=2)
        near = [(distance, name) for name, distance, _ in hits if abs(len(name) - len(core)) <= most]
        if not near or (len(near) > 1 and near[0][0] == near[1][0] and near[0][1] != near[1][1]):
            return Named()  # two names are as near: neither is meant for certain
        return Named(self._squeezed[near[0][1]], is_exact=False, corrected=near[0][1])
