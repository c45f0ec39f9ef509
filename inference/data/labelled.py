"""What a labelled set is: items and their right labels, with a digest of content alone."""

from __future__ import annotations

import functools
import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from graph.claims import DataUsed
from graph.errors import InputError, SourceError

ItemKind = Literal["text", "image", "triples", "tokens", "prompt", "passages"]
Item = str | tuple[str, str, str] | list[str] | Path | Any  # Any: a PIL picture of a built-in set

KNOWN_FILE: Final = Path(__file__).with_name("known_data.json")
UNLABELLED: Final = ("triples", "passages")
"""Kinds without a label column: labels of triples are made when they are shown, passages need none."""
LARGEST_ITEMS: Final = 200_000
LARGEST_TEXT_CHARS: Final = 100_000
_SHOWN_LABELS: Final = 8


@dataclass(frozen=True)
class LabelledSet:
    """Items and their right labels, in one order.

    An item is a text (`text`, `prompt`, `passages`), a picture or its file (`image`), three texts (`triples`), or the
    words of a sentence (`tokens`, whose label is their tags, joined by one blank). Triples have no label column: their
    labels are made when they are shown (see `inference.probes.embedding`); passages have none; `labels` is empty for
    both. `digest` is of the content, whatever the file format. `warnings` say what is odd about it, a line each.
    `whole` is the size of the known set of which this is a part.
    """

    name: str
    kind: ItemKind
    items: Sequence[Item]
    labels: tuple[str, ...]
    digest: str
    declared_by: Literal["known", "operator"]
    warnings: tuple[str, ...] = ()
    whole: int | None = None

    @functools.cached_property
    def _counts(self) -> Counter[str]:
        """How often each label occurs; each tag of `tokens`."""
        if self.kind == "tokens":
            return Counter(tag for label in self.labels for tag in label.split(" "))
        return Counter(self.labels)

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct labels (of `tokens`: the distinct tags), sorted."""
        return tuple(sorted(self._counts))

    @property
    def majority(self) -> float:
        """The share, 0..1, of the most frequent label or tag; ½ for triples, which are shown in random order.

        0 for passages, where nothing can be guessed.
        """
        if self._counts:
            return max(self._counts.values()) / self._counts.total()
        return 0.5 if self.kind == "triples" else 0.0

    @property
    def triples(self) -> list[tuple[str, str, str]]:
        """Anchor, paraphrase and unrelated text of each item; empty for the other kinds."""
        return [item for item in self.items if isinstance(item, tuple)]

    def used(self) -> DataUsed:
        """The set as an evidence record names it."""
        return DataUsed(
            name=self.name, digest=self.digest, declared_by=self.declared_by, items=len(self.items), whole=self.whole
        )


def finished(
    name: str, kind: ItemKind, items: Sequence[Item], labels: tuple[str, ...], digests: Sequence[bytes], file: str = ""
) -> LabelledSet:
    """The set of these items, after checking that there are some, and more than one label.

    `digests` are the SHA-256 of the items' contents (see `digests_of`), in the same order.

    Raises
    ------
    SourceError
        It has no items, or one label only.
    """
    if not items:
        raise SourceError(f"labelled set {name}: it has no items: add some rows", file=file, code="empty")
    data = LabelledSet(name, kind, items, labels, _content_digest(kind, digests, labels), "operator")
    if kind not in UNLABELLED and len(data.classes) < 2:
        what = f"labelled set {name}: only one label ({data.classes[0][:40]!r}): add items of another"
        raise SourceError(what, file=file, code="one_class")
    known: Literal["known", "operator"] = "known" if known_sets().get(data.digest) == name else "operator"
    return replace(data, declared_by=known, warnings=_oddities(kind, digests, labels))


def digests_of(pieces: Iterable[bytes]) -> list[bytes]:
    """The SHA-256 of each piece, in order."""
    return [hashlib.sha256(piece).digest() for piece in pieces]


def sample(data: LabelledSet, limit: int | None, seed: int = 0) -> LabelledSet:
    """At most `limit` items of a set, drawn without replacement by `seed`, in the set's own order.

    The same set where it is not larger than that. A part has a digest of its own and nobody vouches for it.

    Raises
    ------
    InputError
        `limit` is below 2, or leaves a single label.
    """
    if limit is None or limit >= len(data.items):
        return data
    if limit < 2:
        raise InputError(f"--limit {limit}: at least 2 items are needed")
    drawn = sorted(random.Random(seed).sample(range(len(data.items)), limit))
    digest = hashlib.sha256(f"part 1 {data.digest} {limit} {seed}\n".encode()).hexdigest()
    labels = tuple(data.labels[place] for place in drawn) if data.labels else ()
    part = LabelledSet(data.name, data.kind, [data.items[place] for place in drawn], labels, digest, "operator")
    if data.labels and len(part.classes) < 2:
        raise InputError(f"--limit {limit}: the items drawn have one label only: draw more, or with another --seed")
    whole = len(data.items) if data.declared_by == "known" else None
    return replace(part, warnings=data.warnings, whole=whole)


def same_name(one: str, other: str) -> bool:
    """Whether two names of a labelled set mean the same: case, blanks and underscores aside."""
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    return name.strip().casefold().replace("_", "-").replace(" ", "-")


def shown_labels(labels: Sequence[str]) -> str:
    """Labels for a message: the first eight, and how many more there are."""
    words = ", ".join(label[:40] for label in labels[:_SHOWN_LABELS])
    more = len(labels) - _SHOWN_LABELS
    return f"{words} and {more} more" if more > 0 else words or "none"


def _content_digest(kind: str, digests: Sequence[bytes], labels: Sequence[str]) -> str:
    """SHA-256 over the digests of all items, each with its label, in order."""
    total = hashlib.sha256(f"labelled set 1 {kind}\n".encode())
    for place, digest in enumerate(digests):
        label = labels[place] if labels else ""
        total.update(digest + hashlib.sha256(label.encode("utf-8", "replace")).digest())
    return total.hexdigest()


def _oddities(kind: ItemKind, digests: Sequence[bytes], labels: Sequence[str]) -> tuple[str, ...]:
    """What is odd about the items: some are there more than once, some with different labels.

    A prompt may be asked again: each time gives another picture.
    """
    seen: dict[bytes, set[str]] = {}
    for place, digest in enumerate(digests):
        seen.setdefault(digest, set()).add(labels[place] if labels else "")
    repeated, quarrel = len(digests) - len(seen), sum(len(given) > 1 for given in seen.values())
    warnings = []
    if repeated and kind != "prompt":
        warnings.append(f"{repeated} of {len(digests)} items are repeated: intervals look narrower than they are")
    if quarrel:
        warnings.append(f"{quarrel} items have more than one label: no model can be right on all of them")
    return tuple(warnings)


@functools.cache
def known_sets() -> dict[str, str]:
    """Names of the committed table's sets by content digest."""
    return dict(json.loads(KNOWN_FILE.read_text(encoding="utf-8"))) if KNOWN_FILE.exists() else {}
