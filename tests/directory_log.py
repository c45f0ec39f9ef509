"""A directory's log of which everything is known: generated with its truth, which is counted while it is written.

Nothing here calls the code that is judged: the truth follows from what was planted. Seeded: the same log every time.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from graph.artifacts import Artifact, Capability
from graph.event_responses import DemandResponse, ImportResponse

DAYS: Final = 56
WINDOW: Final = 28
START_S: Final = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
END_S: Final = START_S + DAYS * 86_400
TOPICS: Final = (
    "estimate depth from one image", "translate german contracts", "write down spoken words",
    "tell code from prose", "remove the background of portraits", "detect spam in mail",
    "summarise long legal documents", "find similar sentences", "draw pictures of cats",
    "recognise handwritten digits", "separate singing and drums", "forecast electricity demand",
    "extract tables out of invoices", "generate unit tests", "moderate hateful comments",
    "segment medical scans", "answer questions about charts", "clone a voice",
    "upscale old photographs", "rank job applications",
)  # fmt: skip
"""What visitors ask for; each has two artifacts that some choose and one that nobody does."""
RISING: Final = (TOPICS[3], TOPICS[11])
UNANSWERED: Final = ("brew espresso remotely", "predict lottery numbers", "fold origami swans")
COLUMNS: Final = (
    "when", "what", "term", "visitor", "sid", "shown", "page_start", "target", "place", "browser", "robot", "note",
)  # fmt: skip
MAPPED: Final = (
    "time=when", "event=what", "query=term", "actor=visitor", "search=sid", "results=shown", "offset=page_start",
    "artifact=target", "position=place", "user_agent=browser", "bot=robot",
)  # fmt: skip
_BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
_BOT: Final = "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://bots.example)"


@dataclass
class Truth:
    """What a log holds: what became of its rows, and what its searches and outcomes add up to."""

    rows: int = 0
    accepted: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    unknown_results: int = 0
    searches: int = 0
    pages: int = 0
    implied: int = 0
    alone: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    times: Counter[str] = field(default_factory=Counter)
    actors: dict[str, set[str]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    asked_before: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    taken: set[str] = field(default_factory=set)

    @property
    def never_chosen(self) -> dict[str, int]:
        """Artifacts that the last weeks showed and nobody chose, and how often they were shown."""
        return {artifact: n for artifact, n in self.shown.items() if n and artifact not in self.taken}


def directory_artifacts() -> tuple[Artifact, ...]:
    """The directory's artifacts, three a topic."""
    return tuple(
        Artifact(
            id=name, slug=name.replace("/", "--"), name=name.partition("/")[2], type="model",
            url=f"https://models.example/{name}",
            capabilities=(Capability(id="main", name=topic, task="other.other", description=f"Can {topic}."),),
            source={"kind": "manifest", "file": "made up"},
        )
        for topic, names in zip(TOPICS, names_of_topics(), strict=True)
        for name in names
    )  # fmt: skip


def names_of_topics() -> list[tuple[str, str, str]]:
    """The ids of each topic's artifacts: first, second, and the one that nobody ever chooses."""
    return [(f"north/t{n:02}-first", f"south/t{n:02}-second", f"west/t{n:02}-never") for n in range(len(TOPICS))]


class DirectoryLog:
    """Writes visits row by row, and counts the truth beside them."""

    def __init__(self, seed: int, rows: int) -> None:
        self._draw = random.Random(seed)
        self._size = rows
        self.lines: list[dict[str, Any] | bytes] = []
        self.truth = Truth()
        self._free_s: dict[str, int] = {}
        self._searches = 0
        self._visits = (
            (30, self._listed), (12, self._unlisted), (12, self._implied), (4, self._alone), (6, self._nothing),
            (5, self._pages), (8, self._bot), (3, self._marked), (4, self._again), (4, self._wrong),
            (2, self._stranger),
        )  # fmt: skip
        self._make()

    def _make(self) -> None:
        weights = [weight for weight, _ in self._visits]
        while len(self.lines) < self._size - 8:
            visit = self._draw.choices([each for _, each in self._visits], weights)[0]
            visit()
        while len(self.lines) < self._size - 1:
            self._bot()
        self.lines.append(b'{"what": "search", "term": "cut off in the mid')
        self.truth.rejected["truncated"] += 1
        self.truth.rows = len(self.lines)

    # Drawing ------------------------------------------------------------------------------------------
    def _topic(self, time_s: int) -> int:
        late = time_s >= END_S - WINDOW * 86_400
        weights = [(8.0 if late else 1.0) if topic in RISING else 3.0 for topic in TOPICS]
        return self._draw.choices(range(len(TOPICS)), weights)[0]

    def _visitor(self) -> tuple[str, int]:
        """Who visits, and when: nobody again within two hours, and nobody at a border of the windows."""
        while True:
            time_s = self._draw.randrange(START_S + 60, END_S - 4_000)
            name = f"v{self._draw.randrange(700):03}@{'mail' if self._draw.random() < 0.5 else 'web'}.example"
            taken = self._free_s.setdefault(name, 0)
            near_border = abs(time_s - (END_S - WINDOW * 86_400)) < 4_000
            slot = time_s // 7_200
            if taken & (7 << (slot - 1 - START_S // 7_200 + 2)) == 0 and not near_border:
                self._free_s[name] = taken | (1 << (slot - START_S // 7_200 + 2))
                return name, time_s

    def _words(self, topic: int) -> str:
        return self._draw.choice([TOPICS[topic], TOPICS[topic].capitalize() + "!", f"  {TOPICS[topic].upper()} "])

    def _called(self, artifact: str) -> str:
        """One of the ways in which logs name an artifact."""
        slug = artifact.replace("/", "--")
        return self._draw.choice([
            artifact, slug, f"https://www.models.example/{artifact}/?utm_source=news",
            f"http://Models.example/{artifact}#files", f"https://directory.example/tools/{slug}",
            f"https://directory.example/tools/{artifact}/tree/main",
        ])  # fmt: skip

    def _results(self, topic: int) -> list[str]:
        own = list(names_of_topics()[topic])
        other = names_of_topics()[(topic + 1) % len(TOPICS)][2]
        self._draw.shuffle(own)
        return [*own, other] if self._draw.random() < 0.5 else own

    def _time(self, time_s: int) -> Any:
        moment = datetime.fromtimestamp(time_s, UTC)
        forms = (
            time_s, time_s * 1_000, str(time_s), moment.strftime("%Y-%m-%d %H:%M:%S"),
            moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        )  # fmt: skip
        return self._draw.choice(forms)

    def _row(self, visitor: str, time_s: int, what: str, **fields: Any) -> None:
        row = {"when": self._time(time_s), "what": what, "visitor": visitor, "browser": _BROWSER, **fields}
        self.lines.append(row)

    # Counting -----------------------------------------------------------------------------------------
    def _count_search(self, visitor: str, time_s: int, topic: str, delivered: Sequence[str], rows: int = 1) -> None:
        truth = self.truth
        truth.accepted += rows
        truth.searches += 1
        late = time_s >= END_S - WINDOW * 86_400
        (truth.asked if late else truth.asked_before)[topic] += 1
        for artifact in delivered:
            truth.times[artifact] += 1
            truth.actors.setdefault(artifact, set()).add(visitor)
            truth.shown[artifact] += late

    def _count_outcome(self, artifact: str, kind: str, time_s: int) -> None:
        self.truth.accepted += 1
        self.truth.outcomes[kind] += 1
        if time_s >= END_S - WINDOW * 86_400 and kind != "failure":
            self.truth.taken.add(artifact)

    def _sid(self) -> str:
        self._searches += 1
        return f"q{self._searches:05}"

    # Visits -------------------------------------------------------------------------------------------
    def _listed(self) -> None:
        """A search with its results and its id; outcomes name the id alone. Clocks of click servers run behind."""
        visitor, time_s = self._visitor()
        topic, sid = self._topic(time_s), self._sid()
        results = self._results(topic)
        self._row(visitor, time_s, "search", term=self._words(topic), sid=sid, shown=[self._called(a) for a in results])
        self._count_search(visitor, time_s, TOPICS[topic], results)
        for artifact in results:
            if not artifact.startswith("west/") and self._draw.random() < 0.4:
                behind = self._draw.choice([20, 40, -3])
                place = results.index(artifact) + 1
                self._row(visitor, time_s + behind, "click", sid=sid, target=self._called(artifact), place=place)
                self._count_outcome(artifact, "click", time_s)
                if self._draw.random() < 0.3:
                    kind = self._draw.choice(["success", "failure"])
                    self._row(visitor, time_s + 600, kind, sid=sid, target=self._called(artifact))
                    self._count_outcome(artifact, kind, time_s)

    def _unlisted(self) -> None:
        """A search without its results; clicks repeat its words."""
        visitor, time_s = self._visitor()
        topic = self._topic(time_s)
        words = self._words(topic)
        self._row(visitor, time_s, "search", term=words)
        taken = [a for a in names_of_topics()[topic][:2] if self._draw.random() < 0.5]
        for artifact in taken:
            self._row(visitor, time_s + 30, "click", term=words, target=self._called(artifact))
            self._count_outcome(artifact, "click", time_s)
        self._count_search(visitor, time_s, TOPICS[topic], taken)

    def _implied(self) -> None:
        """Clicks that repeat the words of a search that the log does not have."""
        visitor, time_s = self._visitor()
        topic = self._topic(time_s)
        words = self._words(topic)
        taken = list(names_of_topics()[topic][: self._draw.choice([1, 2])])
        for number, artifact in enumerate(taken):
            self._row(visitor, time_s + 60 * number, "click", term=words, target=self._called(artifact))
            self._count_outcome(artifact, "click", time_s)
        self._count_search(visitor, time_s, TOPICS[topic], taken, rows=0)
        self.truth.implied += 1

    def _alone(self) -> None:
        """An outcome that names neither words nor a search."""
        visitor, time_s = self._visitor()
        artifact = self._draw.choice(names_of_topics())[0]
        self._row(visitor, time_s, "install", target=self._called(artifact))
        self._count_outcome(artifact, "select", time_s)
        self.truth.alone += 1

    def _nothing(self) -> None:
        """A search that found nothing."""
        visitor, time_s = self._visitor()
        words = self._draw.choices(UNANSWERED, [5, 3, 1])[0]
        self._row(visitor, time_s, "search", term=words, shown=[])
        self._count_search(visitor, time_s, words, ())
        if time_s >= END_S - WINDOW * 86_400:
            self.truth.unanswered[words] += 1

    def _pages(self) -> None:
        """A search with a second page, which repeats one result."""
        visitor, time_s = self._visitor()
        topic, sid = self._topic(time_s), self._sid()
        first, second, never = names_of_topics()[topic]
        words = self._words(topic)
        self._row(visitor, time_s, "search", term=words, sid=sid, shown=[self._called(a) for a in (never, first)])
        self._row(visitor, time_s + 9, "search", term=words, sid=sid, page_start=2,
                  shown=[self._called(a) for a in (first, second)])  # fmt: skip
        self._count_search(visitor, time_s, TOPICS[topic], (never, first, second), rows=2)
        self.truth.pages += 1

    def _bot(self) -> None:
        visitor, time_s = self._visitor()
        topic = self._topic(time_s)
        what = self._draw.choice(["search", "click"])
        fields: dict[str, Any] = (
            {"shown": self._results(topic)} if what == "search" else {"target": names_of_topics()[0][0]}
        )
        self._row(visitor, time_s, what, term=TOPICS[topic], **{**fields, "browser": _BOT})
        self.truth.skipped["bot"] += 1

    def _marked(self) -> None:
        """What the directory itself marks as no user's."""
        visitor, time_s = self._visitor()
        self._row(visitor, time_s, "search", term=TOPICS[0], shown=self._results(0), robot=1)
        self.truth.skipped["synthetic"] += 1

    def _again(self) -> None:
        """The same row twice, a click twice, success after failure."""
        visitor, time_s = self._visitor()
        topic, sid = self._topic(time_s), self._sid()
        artifact = names_of_topics()[topic][0]
        self._row(visitor, time_s, "search", term=TOPICS[topic], sid=sid, shown=[artifact])
        self.lines.append(dict(self.lines[-1]))  # type: ignore[arg-type]
        self._count_search(visitor, time_s, TOPICS[topic], [artifact])
        for seconds, kind in ((5, "click"), (8, "click"), (60, "failure"), (90, "success")):
            self._row(visitor, time_s + seconds, kind, sid=sid, target=artifact)
        self._count_outcome(artifact, "click", time_s)
        self._count_outcome(artifact, "failure", time_s)
        self.truth.skipped.update(duplicate=1, repeated_outcome=1, contradicting_outcome=1)

    def _wrong(self) -> None:
        """One row that is wrong in one way."""
        visitor, time_s = self._visitor()
        good = names_of_topics()[0][0]
        wrong: dict[str, dict[str, Any]] = {
            "bad_time": {"when": "some time in spring", "what": "click", "target": good},
            "future_time": {"when": "2199-01-01T00:00:00Z", "what": "click", "target": good},
            "no_time": {"when": None, "what": "click", "target": good},
            "unknown_event": {"what": "teleport", "target": good},
            "unknown_artifact": {"what": "click", "target": "https://directory.example/tools/nobody"},
            "no_artifact": {"what": "click"},
            "no_query": {"what": "search", "term": " - "},
            "bad_position": {"what": "click", "target": good, "place": "top"},
        }
        code = self._draw.choice(sorted(wrong))
        self._row(visitor, time_s, **wrong[code] if "when" not in wrong[code] else {"what": wrong[code]["what"]})
        row = self.lines[-1]
        assert isinstance(row, dict)
        row.update(wrong[code])
        self.truth.rejected[code] += 1

    def _stranger(self) -> None:
        """A result that no artifact of the directory is."""
        visitor, time_s = self._visitor()
        topic, sid = self._topic(time_s), self._sid()
        artifact = names_of_topics()[topic][2]
        self._row(visitor, time_s, "search", term=TOPICS[topic], sid=sid, shown=["old/retired-thing", artifact])
        self._count_search(visitor, time_s, TOPICS[topic], [artifact])
        self.truth.unknown_results += 1

    # Writing ------------------------------------------------------------------------------------------
    def write_lines(self, path: Path) -> None:
        """The log as JSON Lines; rows of one kind lack the fields of others."""
        parts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in self.lines]
        path.write_bytes(b"\n".join(parts))

    def write_csv(self, path: Path) -> None:
        """The same log as CSV; an empty list of results is an empty cell, an unknown one `?` in a column of its own."""
        stream = io.StringIO()
        writer = csv.DictWriter(stream, [*COLUMNS], delimiter=";", lineterminator="\n")
        writer.writeheader()
        for line in self.lines:
            if isinstance(line, dict):
                shown = line.get("shown")
                writer.writerow({**line, "shown": json.dumps(shown) if shown is not None else "null"})
        path.write_text(stream.getvalue() + "2026-09-", encoding="utf-8")


def differences(truth: Truth, told: ImportResponse) -> list[str]:
    """Where a report of an import is not the truth."""
    pairs = [
        ("rows", truth.rows, told.rows), ("accepted", truth.accepted, told.accepted),
        ("skipped", dict(truth.skipped), {s.reason: s.rows for s in told.skipped}),
        ("rejected", dict(truth.rejected), told.rejected), ("searches", truth.searches, told.searches),
        ("pages", truth.pages, told.pages), ("implied", truth.implied, told.implied),
        ("alone", truth.alone, told.alone), ("outcomes", dict(truth.outcomes), told.outcomes),
        ("unknown results", truth.unknown_results, told.unknown_results),
    ]  # fmt: skip
    return _differing(pairs)


def demand_differences(truth: Truth, told: DemandResponse) -> list[str]:
    """Where a demand report is not the truth; it must list everything."""
    plain = {_plain(topic): topic for topic in (*TOPICS, *UNANSWERED)}
    slugs = {artifact.replace("/", "--"): n for artifact, n in truth.never_chosen.items()}
    pairs: list[tuple[str, Any, Any]] = [
        ("searches", truth.asked.total(), told.searches),
        ("searches before", truth.asked_before.total(), told.searches_before),
        ("top", dict(truth.asked), {plain[_plain(i.label)]: i.searches for i in told.top}),
        ("order of top", sorted(truth.asked.values(), reverse=True), [i.searches for i in told.top]),
        ("rising", sorted(RISING), sorted(plain[_plain(i.label)] for i in told.rising)),
        ("no answer", dict(truth.unanswered), {plain[_plain(i.label)]: i.searches for i in told.no_answer}),
        ("never chosen", slugs, {i.slug: i.shown for i in told.never_chosen}),
    ]
    return _differing(pairs)


def _differing(pairs: Sequence[tuple[str, Any, Any]]) -> list[str]:
    return [f"{name}: planted {planted}, reported {told}" for name, planted, told in pairs if planted != told]


def _plain(words: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in words.lower()).split())
