"""Claims from sentences: each printed number with the words that say which metric it is, and whose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from graph.claims import Comparator, Scope
from indexer.claims import between, counts, pictures, ratios
from indexer.claims.conditions import kept_wider, scope_of, smallest_format
from indexer.claims.entities import Names, datasets_in, names_in, nearest_dataset
from indexer.claims.metric_words import PERCENT, Named, metric_words
from indexer.claims.quantities import Quantity, quantities
from indexer.claims.sentences import is_hedged
from indexer.claims.stated import Statement
from indexer.claims.tables import value_of

_QUALITY: Final = PERCENT | {"score", "perplexity"}
_NEAR: Final = 60
"""Characters within which a name belongs to a number."""
_MOST_NUMBERS: Final = 100
"""Of one sentence; more are data."""


@dataclass(frozen=True)
class Read:
    """A number of a sentence and what it was read as."""

    quantity: Quantity
    metric: str
    value: float
    note: str | None = None
    subject: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Around:
    """What surrounds a sentence: the artifact's names, the data set that its section names, the whole passage."""

    names: Names
    dataset: str | None = None
    passage: str = ""
    seen: list[str] = field(default_factory=list)


def read_sentence(sentence: str, offset: int, around: Around) -> Iterator[Statement]:
    """The statements of one sentence that begins at `offset` of its passage, in order.

    Examples
    --------
    >>> from graph.artifacts import Artifact, Source
    >>> names = Names(Artifact(id="m", slug="m", name="m", source=Source(kind="page", file="f")))
    >>> [(s.metric, s.comparator, s.value) for s in read_sentence("It has 5.6M parameters.", 0, Around(names))]
    [('parameters', '=', 5600000.0)]
    """
    for read in _numbers(sentence, around):
        yield from _statements(read, sentence, offset, around)
    for found in counts.LABELS_IN_WORDS.finditer(sentence):
        count = float(counts.NUMBER_WORDS[found["number"].lower()])
        yield Statement("labels", count, offset + found.start("number"), offset + found.end("number"), sentence)
    for start, end, value in pictures.sizes(sentence):
        yield Statement(
            "resolution", value, offset + start, offset + end, sentence, hedged=is_hedged(sentence, start, end)
        )


def _numbers(sentence: str, around: Around) -> list[Read]:
    """The numbers of a sentence that say something of a metric, each with whom it is about."""
    printed = quantities(sentence)[:_MOST_NUMBERS]
    if not printed:
        return []
    shapes = pictures.shapes(sentence)
    found = [q for q in printed if not any(a <= q.start < b for a, b in shapes)]
    words = metric_words(sentence)
    names = [name for name in names_in(sentence) if not any(w.start <= name[0] and name[1] <= w.end for w in words)]
    read: list[Read | None] = []
    for place, quantity in enumerate(found):
        before = found[place - 1] if place else None
        named = _metric(sentence, quantity, words, found)
        if named is None and before is not None and read[-1] is not None and _joined(sentence, before, quantity):
            named = replace(read[-1], quantity=quantity, value=_converted(read[-1], quantity))
        read.append(named)
    for place in range(len(found) - 2, -1, -1):  # "4B and 9B parameters": the first is what the last is
        following = read[place + 1]
        if read[place] is None and following is not None and _listed(sentence, found[place], found[place + 1]):
            read[place] = replace(following, quantity=found[place], value=_converted(following, found[place]))
    kept = _paired(sentence, [each for each in read if each is not None], words)
    return [replace(each, subject=_whose(sentence, each, kept, names, around)) for each in kept]


def _paired(sentence: str, read: list[Read], words: list[Named]) -> list[Read]:
    """The same, where two names and then two numbers are joined by a slash: "top-1/top-5 of 76.1/92.9"."""
    for place in range(len(read) - 1):
        first, second = read[place], read[place + 1]
        names = [named for named in words if named.end <= first.quantity.start][-2:]
        slash = between.SLASH.fullmatch(sentence, first.quantity.end, second.quantity.start)
        if slash and len(names) == 2 and between.SLASH.fullmatch(sentence, names[0].end, names[1].start):
            both = [(first, names[0]), (second, names[1])]
            read[place : place + 2] = [replace(each, metric=n.metric, note=n.note) for each, n in both]
    return read


def _converted(read: Read, quantity: Quantity) -> float:
    if read.metric in _QUALITY:
        return value_of(Named(read.metric, None, 0, 0), quantity) or quantity.value
    return quantity.value


# Which metric ---------------------------------------------------------------------------------------------
def _metric(sentence: str, q: Quantity, words: list[Named], found: list[Quantity]) -> Read | None:
    """What a number is, by its unit and by the words beside it; None where they do not say."""
    before, after = sentence[max(0, q.start - 90) : q.start], sentence[q.end : q.end + 70]
    if q.sign in "$€£" and q.sign:
        return Read(q, "price", q.value) if q.sign == "$" and counts.PRICE.search(before + "|" + after) else None
    if q.unit in ("count", "plain"):
        metric = counts.counted(before, after, q)
        if metric is not None:
            return Read(q, metric, q.value)
    if q.unit == "operations" or (q.unit in ("count", "plain") and counts.OPERATIONS.match(after)):
        return Read(q, "flops", q.value)
    if q.unit == "ratio" or (q.unit == "percent" and _name_behind(sentence, q, words) is None):
        relative = ratios.ratio(before, after, q)
        if relative is not None:
            return Read(q, relative[0], relative[1])
    if q.unit in counts.BY_UNIT:
        metric = counts.by_unit(before, after, q, sentence)
        return Read(q, metric, q.value) if metric is not None else None
    if q.unit in ("percent", "plain", "points"):
        return _quality(sentence, q, words, found)
    return None


def _quality(sentence: str, q: Quantity, words: list[Named], found: list[Quantity]) -> Read | None:
    """A measured quality, by the metric's name that belongs to the number."""
    if between.VARIABLE.search(sentence, max(0, q.start - 6), q.start):
        return None
    if q.unit == "percent" and between.KEPT.search(sentence, 0, q.start) and between.KEPT_OF.match(sentence, q.end):
        kept: Comparator = "<" if q.comparator in (">", ">=") else "="
        return Read(replace(q, comparator=kept), "loss_relative", round(100 - q.value, 6))
    if between.DIFFERENCE.match(sentence, q.end) or between.DIFFERENT.search(sentence, max(0, q.start - 40), q.start):
        return None
    named = _name_behind(sentence, q, words) or _name_before(sentence, q, words, found)
    if named is None and q.unit == "percent":
        named = _name_anywhere(sentence, q, words, found)
        if (
            named is None
            and between.BRACKET_OF_NAME.search(sentence[: q.start])
            and between.NOTHING_MORE.match(sentence, q.end)
        ):
            return Read(q, "accuracy", q.value, flags=("ambiguous_scope",))
    if named is None:
        return None
    if named.metric == "loss":
        if q.unit == "plain" or between.TRAINING_LOSS.search(sentence):
            return Read(q, "score", q.value, "loss") if q.unit == "plain" else None
        return Read(q, "loss_points" if q.unit == "points" else "loss_relative", q.value)
    if named.note == "MMLU" and q.unit == "percent":  # a benchmark of right answers
        named = replace(named, metric="accuracy")
    value = value_of(named, q)
    return None if value is None else Read(q, named.metric, value, named.note)


def _name_behind(sentence: str, q: Quantity, words: list[Named]) -> Named | None:
    """The metric named right behind a number: "78.3% ImageNet-1k accuracy", "28.4 BLEU"."""
    for named in words:
        if q.end <= named.start <= q.end + 40 and between.BETWEEN_NUMBER_AND_NAME.fullmatch(
            sentence, q.end, named.start
        ):
            return named
    return None


def _name_before(sentence: str, q: Quantity, words: list[Named], found: list[Quantity]) -> Named | None:
    """The metric named before a number: "accuracy of 92 %", "top-1 on ImageNet: 76.1", `"accuracy": 0.93`."""
    for named in reversed(words):
        if named.end > q.start:
            continue
        gap = sentence[named.end : q.start]
        others = [other for other in found if named.end <= other.start < q.start]
        if others and not between.ONLY_LIST.fullmatch(sentence[others[-1].end : q.start]):
            return None
        if others:
            gap = sentence[named.end : others[0].start]
        is_close = between.BETWEEN_NAME_AND_NUMBER.fullmatch(gap) is not None
        return named if is_close and len(gap) <= 90 else None
    return None


def _name_anywhere(sentence: str, q: Quantity, words: list[Named], found: list[Quantity]) -> Named | None:
    """For a number in percent: the nearest name with no other number between."""
    if between.OTHER_NOUN.match(sentence, q.end):  # "100% depth"
        return None
    close = [named for named in words if min(abs(named.start - q.end), abs(q.start - named.end)) <= _NEAR]
    others = [other for other in found if other is not q and abs(other.start - q.start) <= 2 * _NEAR]
    near = [
        named
        for named in close
        if not any(min(named.end, q.end) <= other.start < max(named.start, q.start) for other in others)
        and not (named.end <= q.start and between.BRACKETS_APART.search(sentence, named.end, q.start))
    ]
    return min(near, key=lambda named: min(abs(named.start - q.end), abs(q.start - named.end)), default=None)


def _joined(sentence: str, first: Quantity, second: Quantity) -> bool:
    """Whether a number goes on with what the one before it was: "77.2% vs 75.2%", "78.3 → 77.2"."""
    if first.unit != second.unit:
        return False
    gap = sentence[first.end : second.start]
    goes_on = between.AND_ON.match(sentence, first.end)
    return between.AGAINST.fullmatch(gap) is not None or (goes_on is not None and goes_on.end() == second.start)


def _listed(sentence: str, first: Quantity, second: Quantity) -> bool:
    gap = sentence[first.end : second.start]
    return first.unit == second.unit and first.unit != "plain" and between.LISTED.fullmatch(gap) is not None


# Whose ----------------------------------------------------------------------------------------------------
def _whose(sentence: str, read: Read, all_read: list[Read], names: list[tuple[int, int, str]], around: Around) -> str:
    """The name of the other artifact that a number is about; "" where it is the page's own."""
    q = read.quantity
    bracket = between.open_bracket(sentence, q.start)
    if between.KEPT.search(sentence, 0, q.start):
        return ""
    if read.metric == "parameters":
        if q.low is not None:
            return "its family"
        part = counts.PART_OF_MODEL.match(sentence, q.end)
        if part is not None:
            return f"its {part['before'] or part['after']}"
        if counts.SIZES_BEFORE.search(sentence, 0, q.start) and not around.names.has_word(sentence[q.start : q.end]):
            return "its family"
    if bracket is not None and between.FOR_COMPARISON.match(sentence, bracket + 1):
        return rival_of(sentence, q, names, around)
    another = between.ANOTHER.search(sentence, 0, q.start)
    if another is not None:
        return f"the {another['name'].lower()}"
    sibling = around.names.sibling_in(sentence[: q.start])
    if sibling:
        return sibling
    rival = rival_of(sentence, q, names, around)
    for other in all_read:
        if 0 <= q.start - other.quantity.end <= _NEAR and between.VERSUS.fullmatch(
            sentence, other.quantity.end, q.start
        ):
            return rival
    behind = between.FOR_NAME.match(sentence, q.end)
    if behind is not None:
        named = next((name for start, _, name in names if start == behind.end()), None)
        if named is not None and not around.names.is_own(named):
            return named
    if bracket is not None:
        named = next((name for start, end, name in names if start < bracket and end >= bracket - 1), None)
        return named if named is not None and not around.names.is_own(named) else ""
    close = [(start, end, name) for start, end, name in names if end <= q.start]
    if close and between.NAME_HAS.fullmatch(sentence, close[-1][1], q.start):
        is_ours = sentence[: close[-1][0]].lower().endswith("our ")
        return "" if is_ours or around.names.is_own(close[-1][2]) else close[-1][2]
    return ""


def rival_of(sentence: str, q: Quantity, names: list[tuple[int, int, str]], around: Around) -> str:
    """Whom a sentence compares with, nearest to a number: "than X", "vs X", "for X"; "another" where it has no name."""
    others = [(start, name) for start, _, name in names if not around.names.is_own(name)]
    near = sorted(others, key=lambda each: abs(each[0] - q.start))
    return near[0][1] if near else "another"


# Statements -----------------------------------------------------------------------------------------------
def _statements(read: Read, sentence: str, offset: int, around: Around) -> Iterator[Statement]:
    q = read.quantity
    start, end = offset + q.start, offset + q.end
    base = Statement(
        read.metric, read.value, start, end, sentence, q.comparator, _scope(read, sentence, around), read.subject,
        is_hedged(sentence, q.start, q.end), read.flags,
    )  # fmt: skip
    if q.low is not None:
        low = _converted(read, replace(q, value=q.low)) if read.metric in _QUALITY else q.low
        ends = sorted((_other_end(read, q, low), read.value))
        yield replace(base, value=ends[0], comparator=">=")
        yield replace(base, value=ends[1], comparator="up_to")
    else:
        yield base
    if read.subject and q.low is None:
        yield from _comparison(read, sentence, base)


def _other_end(read: Read, q: Quantity, low: float) -> float:
    """The low end of a range in the unit of its metric: "40-50 % less" are ratios."""
    if q.unit == "percent" and read.metric in ratios.RATIOS:
        turned = ratios.ratio("", "", replace(q, value=low), metric=read.metric, like=read.value)
        return turned[1] if turned is not None else low
    return low


def _scope(read: Read, sentence: str, around: Around) -> Scope:
    q, metric = read.quantity, read.metric
    dataset = None
    if metric in _QUALITY or metric in ("loss_points", "loss_relative"):
        dataset = nearest_dataset(sentence, q.start, q.end) or around.dataset
    note = read.note
    if metric in ("size_ratio", "speedup", "memory_ratio"):
        note = kept_wider(sentence)
    if metric == "steps" and "train" in sentence.lower():
        note = "training"
    scope = scope_of(metric, sentence, dataset=dataset, note=note)
    if metric == "size_ratio" and (note or scope.precision is None) and ratios.QUANTIZED.search(sentence):
        scope = scope.model_copy(update={"precision": smallest_format(around.passage)})
    return scope


def _comparison(read: Read, sentence: str, base: Statement) -> Iterator[Statement]:
    """The artifact's own claim in "lighter than X (5.3M)": fewer parameters than X has."""
    direction = between.comparative(sentence[: read.quantity.start], read.metric, read.subject)
    if direction is None:
        return
    more: Comparator = ">" if direction > 0 else "<"
    scope = base.scope.model_copy(update={"reference": read.subject})
    yield replace(base, comparator=more, scope=scope, subject="")


def dataset_of(text: str) -> str | None:
    """The data set that a text names last: what the numbers of its section are taken on."""
    found = datasets_in(text)
    return found[-1][2] if found else None
