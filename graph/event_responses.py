"""The answers of `events …`: imports, exports, what was forgotten, and the demand report."""

from __future__ import annotations

from pydantic import Field

from graph.responses import Document
from graph.work_responses import Problem


class SkippedRows(Document):
    """Rows of a log that were meant to be passed over, and where the first ones are (`file:line`)."""

    reason: str
    rows: int
    examples: tuple[str, ...] = ()


class UnknownName(Document):
    """A name in a log that no artifact has: in how many results and clicks, where first, and what it may have meant."""

    name: str
    results: int
    first: str
    suggestions: tuple[str, ...] = ()


class ImportResponse(Document):
    """The answer of `events import`: accepted + skipped + rejected = rows; `problems` are the first 1,000 rejected."""

    files: tuple[str, ...]
    dry_run: bool
    batch: str = Field(description="digest of the files; `events forget --batch` takes the import back")
    trust: float
    rows: int
    accepted: int
    skipped: tuple[SkippedRows, ...]
    rejected: dict[str, int] = Field(description="rows by what is wrong with them")
    problems: tuple[Problem, ...]
    unknown_results: int = Field(description="results and clicks in accepted rows that name no artifact; left out")
    unknown_names: tuple[UnknownName, ...] = Field(description="the 20 most frequent of these names")
    searches: int
    pages: int = Field(description="further pages of searches")
    implied: int = Field(description="of the searches those that are known from outcomes alone")
    outcomes: dict[str, int]
    alone: int = Field(description="of the outcomes those that belong to no search")
    actors: int
    intents: int | None = Field(description="intents that these searches are of; null in a dry run")
    new_intents: int | None
    first_us: int | None
    last_us: int | None
    backwards: int = Field(description="accepted rows that are earlier than the row before")
    columns: dict[str, str] = Field(description="which column each field was read from")
    unused_columns: tuple[str, ...]
    notes: tuple[str, ...]
    event_seq: int


class ExportResponse(Document):
    """The answer of `events export`: how many events were written, and where (null: standard output)."""

    file: str | None
    events: int


class ForgetResponse(Document):
    """The answer of `events forget`; `vectors` and `intents` are those of queries that nobody else asked."""

    dry_run: bool
    searches: int
    outcomes: int
    vectors: int
    intents: int
    event_seq: int


class IntentDemand(Document):
    """An intent by demand: searches and their actors, those without an answer, those in which something was chosen."""

    intent: str
    label: str
    searches: int
    actors: int
    unanswered: int
    chosen: int


class RisingIntent(Document):
    """An intent whose share of all searches grew: by `growth` (null: it is new), for certain by `at_least`."""

    intent: str
    label: str
    searches: int
    before: int
    actors: int
    growth: float | None
    at_least: float


class Unanswered(Document):
    """An intent with searches that were given no answer, `of` all its searches."""

    intent: str
    label: str
    searches: int
    of: int
    actors: int
    last_us: int


class Unchosen(Document):
    """An artifact that was shown and never clicked, selected or used with success.

    `expected`: how often results at its positions are chosen on average, added up; null positions are not in it.
    `at_most`: its true share of choices, one-sided 95 %. `refused`: dismissals and failures.
    """

    artifact: str
    slug: str
    shown: int
    actors: int
    refused: int
    best_position: int | None
    expected: float
    at_most: float


class DemandResponse(Document):
    """The answer of `events demand`; the lists are cut to the limit, the counts are not."""

    since_us: int
    until_us: int
    searches: int
    searches_before: int
    intents: int
    unanswered_searches: int
    artifacts_shown: int
    artifacts_never_chosen: int
    top: tuple[IntentDemand, ...]
    rising: tuple[RisingIntent, ...]
    no_answer: tuple[Unanswered, ...]
    never_chosen: tuple[Unchosen, ...]
    message: str = ""
