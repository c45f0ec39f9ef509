"""From a row of a log to what it says happened: a search, results shown, outcomes; or why it is passed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, get_args

from graph.errors import QueryError, SourceError
from graph.events import OUTCOME_KINDS, Operation, OutcomeKind
from search.bots import is_bot
from search.query import read_query
from search.replay.fields import (
    Reading,
    Wrong,
    count_of,
    items_of,
    name_of,
    plain_word,
    position_of,
    score_of,
    time_of,
    truth_of,
    word_of,
)
from search.replay.names import ArtifactNames

EVENT_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "search": ("query", "searched", "results", "view_search_results", *get_args(Operation)),
    "shown": ("shown", "show", "impression", "impressions"),
    "click": ("click", "clicked", "open", "opened", "visit", "outbound", "view", "view_item", "select_item"),
    "select": ("select", "selected", "choose", "chosen", "use", "used", "copy", "download", "install", "installed"),
    "success": ("success", "succeeded", "worked", "solved", "thumbs_up", "upvote"),
    "failure": ("failure", "failed", "fail", "thumbs_down", "downvote"),
    "dismiss": ("dismiss", "dismissed", "hide", "hidden", "skip", "skipped"),
    "ignore": ("catalogue", "tombstone"),
}
"""The words that a log's events are known by; `--event WORD=KIND` adds to them."""
_KIND_OF: Final = {word: kind for kind, words in EVENT_WORDS.items() for word in words}
_OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)
MOST_RESULTS: Final = 1_000


class Skipped(Exception):
    """A row that is meant to be passed over; `reason` is bot, synthetic or ignored_event."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Shown:
    """One result as a log names it, with the artifact that it is; positions count from 1 over all pages."""

    artifact: str
    position: int
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """What happened to an artifact; `position` None where the log does not say."""

    artifact: str
    outcome: OutcomeKind
    position: int | None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What one row says.

    `row` numbers it over all files of an import. `kind` is search, shown or outcome. `results` None where the row lists
    none, () where it says that there were none; `unknown` are names in it that no artifact has. `query`, `actor`,
    `search` (the log's id of the search) and `event` (its id of the row) are "" where it has none.
    """

    row: int
    time_us: int
    kind: str
    query: str
    redacted: tuple[str, ...]
    actor: str
    search: str
    operation: Operation
    offset: int
    results: tuple[Shown, ...] | None
    chosen: tuple[Chosen, ...]
    unknown: tuple[str, ...]
    event: str


def read_event_words(given: Sequence[str]) -> dict[str, str]:
    """The kinds of a log's own event words, from entries `WORD=KIND`.

    Raises
    ------
    QueryError
        An entry is malformed, or its kind is none of `EVENT_WORDS`.
    """
    kinds = {}
    for entry in given:
        word, sign, kind = entry.rpartition("=")
        if not sign or kind.strip() not in EVENT_WORDS:
            raise QueryError(f"--event {entry[:80]!r}: write WORD=KIND, KIND one of {', '.join(EVENT_WORDS)}")
        kinds[plain_word(word)] = kind.strip()
    return kinds


def read_entry(
    said: Mapping[str, Any], names: ArtifactNames, reading: Reading, place: tuple[str, int, int]
) -> LogEntry:
    """What the fields of a row say; `place` is its file, its line, and its number over all files.

    Raises
    ------
    Skipped
        It is a bot's, synthetic, or neither search nor outcome.
    SourceError
        It is malformed, or names what nobody knows; `code` says which.
    """
    file, line, row = place
    try:
        _pass_over_bots(said)
        kind = _kind(said, reading)
        results, chosen, unknown = _artifacts(said, kind, names, reading)
        query, redacted = _query(said, needed=kind not in OUTCOME_KINDS)
        return LogEntry(
            row, time_of(said, reading), "outcome" if kind in OUTCOME_KINDS else kind, query, redacted,
            word_of(said, "actor"), word_of(said, "search"), _operation(said), count_of(said, "offset") or 0,
            results, chosen, unknown, word_of(said, "id"),
        )  # fmt: skip
    except Wrong as wrong:
        raise SourceError(wrong.what, file=file, line=line, code=wrong.code) from wrong


def _pass_over_bots(said: Mapping[str, Any]) -> None:
    if is_bot(word_of(said, "user_agent")):
        raise Skipped("bot")
    if truth_of(said.get("bot")):
        raise Skipped("synthetic")


def _kind(said: Mapping[str, Any], reading: Reading) -> str:
    """search, shown or an outcome's kind: by the event's word, else by what the row has."""
    word = plain_word(word_of(said, "event"))
    if word in ("", "outcome") and "outcome" in said:
        word = plain_word(word_of(said, "outcome"))
    one = "artifact" in said and not said.get("results")
    if not word:
        return "search" if not one else "shown" if "clicked" in said else "click"
    kind = reading.events.get(word) or _KIND_OF.get(word)
    if kind is None:
        what = f"event {word[:60]!r} is not known: say --event {word[:60]}=KIND, KIND one of {', '.join(EVENT_WORDS)}"
        raise Wrong("unknown_event", what)
    if kind == "ignore":
        raise Skipped("ignored_event")
    return "search" if kind == "shown" and not one else kind


def _artifacts(
    said: Mapping[str, Any], kind: str, names: ArtifactNames, reading: Reading
) -> tuple[tuple[Shown, ...] | None, tuple[Chosen, ...], tuple[str, ...]]:
    """Results shown (None where none are listed), outcomes, and names that no artifact has."""
    position = position_of(said.get("position"), reading)
    if kind == "search":
        results, strange = _results(said, names, reading)
        chosen, stranger = _clicked(said, names, results or (), position)
        return results, chosen, (*strange, *stranger)
    artifact = _artifact(said, names)
    if kind != "shown":
        return None, (Chosen(artifact, _outcome(kind), position),), ()
    if position is None:
        raise Wrong("no_position", "a result was shown at no position: map it with --map position=COLUMN")
    clicked = (Chosen(artifact, "click", position),) if truth_of(said.get("clicked")) else ()
    return (Shown(artifact, position),), clicked, ()


def _results(
    said: Mapping[str, Any], names: ArtifactNames, reading: Reading
) -> tuple[tuple[Shown, ...] | None, list[str]]:
    if truth_of(said.get("abstained")) or count_of(said, "count") == 0:
        return (), []
    nothing_known = "abstained" in said and not said.get("results")  # it was answered, but with what is not listed
    if "results" not in said or nothing_known or truth_of(said.get("partial")):
        return None, []
    shown: dict[str, Shown] = {}
    unknown = []
    first = 1 + (count_of(said, "offset") or 0)
    for number, item in enumerate(items_of(said["results"])[:MOST_RESULTS], start=first):
        found = names.resolve(name_of(item))
        if len(found) != 1:
            unknown.append(name_of(item))
            continue
        detail = item if isinstance(item, Mapping) else {}
        position = position_of(detail.get("position"), reading) or number
        shown.setdefault(found[0], Shown(found[0], position, score_of(detail.get("score"))))
    return tuple(shown.values()), unknown


def _clicked(
    said: Mapping[str, Any], names: ArtifactNames, results: Iterable[Shown], position: int | None
) -> tuple[tuple[Chosen, ...], list[str]]:
    """The clicks that a search's own row holds, and names in it that no artifact has."""
    truth = truth_of(said.get("clicked"))
    if truth is None:
        listed = [name_of(item) for item in items_of(said["clicked"])]
    else:  # its artifact is the one that was clicked, unless the row says that none was, or that it is a search alone
        alone = "event" in said or "clicked" in said
        listed = [word_of(said, "artifact")] if "artifact" in said and (truth or not alone) else []
    places = {shown.artifact: shown.position for shown in results}
    chosen, unknown = {}, []
    for name in listed:
        found = names.resolve(name)
        if len(found) == 1:
            chosen[found[0]] = Chosen(found[0], "click", places.get(found[0], position if len(listed) == 1 else None))
        else:
            unknown.append(name)
    return tuple(chosen.values()), unknown


def _artifact(said: Mapping[str, Any], names: ArtifactNames) -> str:
    text = word_of(said, "artifact")
    if not text:
        raise Wrong("no_artifact", "it names no artifact: map it with --map artifact=COLUMN")
    found = names.resolve(text)
    if not found:
        raise Wrong("unknown_artifact", f"no artifact {text[:80]!r}: ingest it first, then import again")
    if len(found) > 1:
        raise Wrong("ambiguous_artifact", f"{text[:80]!r} may be {', '.join(found[:3])}: write the id")
    return found[0]


def _query(said: Mapping[str, Any], *, needed: bool) -> tuple[str, tuple[str, ...]]:
    found = _redacted(word_of(said, "query"))
    if found is None and needed:
        raise Wrong("no_query", "a search without words: map them with --map query=COLUMN")
    return found or ("", ())


@lru_cache(maxsize=65_536)
def _redacted(text: str) -> tuple[str, tuple[str, ...]] | None:
    """A query as it may be stored, and what was taken out; None where there is no word in it."""
    try:
        query = read_query(text)
    except QueryError:
        return None
    return query.text, query.redacted


def _operation(said: Mapping[str, Any]) -> Operation:
    words = [plain_word(word_of(said, name)) for name in ("operation", "event")]
    return next((operation for word in words for operation in _OPERATIONS if word == operation), "search")


def _outcome(kind: str) -> OutcomeKind:
    return next(known for known in OUTCOME_KINDS if known == kind)
