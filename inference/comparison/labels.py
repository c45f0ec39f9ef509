"""Labels of a set and labels of a model that mean the same: by name, or as the user says with `--map`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graph.errors import InputError
from inference.data.sets import LabelledSet, shown_labels
from inference.probes.base import same_label


@dataclass(frozen=True)
class LabelMap:
    """Pairs of a label of the set and a label of a model, as the user gave them.

    One map serves all models: a model uses the pairs whose model label it has. Several labels of a model may mean one
    of the set, never the other way round.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    def for_model(self, data: LabelledSet, labels: Sequence[str]) -> dict[str, str]:
        """What each label of a model means in the set, keyed by the label's plain form (see `same_label`).

        Raises
        ------
        InputError
            A label of the set has no counterpart in the model, or one of the model would mean two; names both lists.
        """
        own = {same_label(label) for label in labels}
        given = {(same_label(theirs), ours) for ours, theirs in self.pairs if same_label(theirs) in own}
        spoken_for = {theirs for theirs, _ in given}
        meant = given | {(same_label(ours), ours) for ours in data.classes if same_label(ours) in own - spoken_for}
        missing = [label for label in data.classes if label not in {ours for _, ours in meant}]
        if missing:
            raise InputError(
                f"labels of {data.name}: {shown_labels(data.classes)}; of the model: {shown_labels(labels)}; "
                f"nothing of the model's means {missing[0]!r}: say it with --map {missing[0]}=MODELLABEL"
            )
        found: dict[str, str] = {}
        for theirs, ours in sorted(meant):
            if found.setdefault(theirs, ours) != ours:
                raise InputError(f"--map: {theirs!r} would mean both {found[theirs]!r} and {ours!r}: keep one of them")
        return found

    def check(self, data: LabelledSet) -> None:
        """Refuse pairs whose first half is no label of the set.

        Raises
        ------
        InputError
            Names the label and those that there are.
        """
        for ours, _ in self.pairs:
            if data.kind != "passages" and ours not in data.classes:
                raise InputError(f"--map {ours}=…: {data.name} has no such label: it has {shown_labels(data.classes)}")


def read_map(pairs: Iterable[str]) -> LabelMap:
    """The map of options written LABEL=MODELLABEL.

    Raises
    ------
    InputError
        One has no "=", or nothing on one side of it.
    """
    read = []
    for pair in pairs:
        ours, sign, theirs = (part.strip() for part in pair.partition("="))
        if not (ours and sign and theirs):
            raise InputError(f"--map {pair!r}: write it LABEL=MODELLABEL, the label of your data first")
        read.append((ours, theirs))
    return LabelMap(tuple(dict.fromkeys(read)))


def is_plain(meaning: dict[str, str]) -> bool:
    """Whether every label means itself, so that nothing has to be translated."""
    return all(theirs == same_label(ours) for theirs, ours in meaning.items())


def translated_data(data: LabelledSet, meaning: dict[str, str]) -> LabelledSet:
    """The set as read through a map: the same items and labels under a digest of its own, declared by the user."""
    if is_plain(meaning):
        return data
    told = json.dumps(sorted(meaning.items()))
    digest = hashlib.sha256(f"mapped 1 {data.digest}\n{told}".encode()).hexdigest()
    return replace(data, digest=digest, declared_by="operator")


def translated_answer(raw: bytes, meaning: dict[str, str]) -> bytes:
    """A child's answer with the model's labels turned into those of the set; labels without a meaning stay.

    An answer of another shape is left as it is: the probe that scores it refuses it.
    """
    if is_plain(meaning):
        return raw
    content = json.loads(raw)
    for part in ("answers", "tags"):
        if isinstance(content, dict) and part in content:
            content[part] = _translated(content[part], meaning)
    return json.dumps(content).encode()


def _translated(value: Any, meaning: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_translated(part, meaning) for part in value]
    return meaning.get(same_label(value), value) if isinstance(value, str) else value
