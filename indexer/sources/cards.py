"""Model cards: what a `README.md` and `.eval_results/*.yaml` say, read through huggingface_hub. All of it is claim."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import yaml

from graph.claims import Claim, Scope, claim_id
from graph.errors import SourceError
from graph.taxonomy import full_task
from indexer.passages import Markup, Passage
from indexer.sources.findings import LONGEST_LINE, clean_text
from indexer.sources.nodes import has_aliases, read_documents
from inference.models.files import Listing, ModelFile

LARGEST_CARD_BYTES: Final = 1_000_000
LARGEST_METADATA_CHARS: Final = 200_000
MOST_RESULTS: Final = 1_000
LONGEST_DESCRIPTION: Final = 1_000
_FRONT: Final = re.compile(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
_METRIC_OF: Final = {
    "accuracy": "accuracy", "acc": "accuracy", "top-1 accuracy": "accuracy", "top_1_accuracy": "accuracy",
    "top1": "accuracy", "f1": "f1", "f1_macro": "f1", "f1_micro": "f1", "perplexity": "perplexity", "ppl": "perplexity",
}  # fmt: skip
_TITLES: Final = ("title", "model_name", "name")
_HEADING: Final = re.compile(r"^ {0,3}#{1,2}[ \t]+([^\n]{1,500})|^([^\n]{1,500})\n={3,}[ \t]*$", re.MULTILINE)
_NO_PROSE: Final = re.compile(r"#|[-*+] |\d+[.)] |>|\||!\[|\[!|={3}|-{3}|:::|<")


@dataclass(frozen=True)
class Result:
    """One published measurement: metric of the metric table, value in its unit, on which data."""

    metric: str
    value: float
    dataset: str | None
    note: str | None
    text: str


@dataclass(frozen=True)
class Card:
    """What a model's card says; None or () where it does not say it.

    `body` is its text behind the metadata, as it is, from character `body_start` of the file on; `title` is its first
    heading, or the name that its metadata gives.
    """

    has_card: bool = False
    description: str = ""
    license: str | None = None
    task: str | None = None
    library: str | None = None
    base_model: str | None = None
    tags: tuple[str, ...] = ()
    results: tuple[Result, ...] = ()
    warnings: tuple[str, ...] = ()
    title: str | None = None
    body: str = ""
    body_start: int = 0

    def passage(self, file: str, markup: Markup = "markdown") -> tuple[Passage, ...]:
        """Its text as the one passage about the artifact; () where there is none."""
        return (Passage(self.body, file, self.body_start, markup=markup),) if self.body.strip() else ()


def read_card(listing: Listing) -> Card:
    """The card among a model's files; an empty one where there is none. What cannot be read is a warning."""
    warnings: list[str] = []
    card = Card()
    readme = listing.named("README.md")
    if readme is not None:
        card = _read_readme(readme, warnings)
    results = list(card.results)
    for file in listing.files:
        if re.fullmatch(r"\.eval_results/[^/]+\.ya?ml", file.name):
            results += _read_eval_results(file, warnings)
    known = tuple(dict.fromkeys(results))[:MOST_RESULTS]
    return replace(card, results=known, warnings=tuple(warnings))


def claims_of_results(artifact: str, results: Iterable[Result], capability: str) -> tuple[Claim, ...]:
    """Published measurements as claims about one capability, each once."""
    claims: dict[str, Claim] = {}
    for result in results:
        scope = Scope(dataset=result.dataset, note=result.note)
        identity = claim_id(artifact, "", result.metric, "=", result.value, _unit(result.metric), scope)
        claims[identity] = Claim(
            id=identity, artifact=artifact, capability=capability, metric=result.metric, value=result.value,
            unit=_unit(result.metric), conditions=scope, text=result.text,
        )  # fmt: skip
    return tuple(claims.values())


def _unit(metric: str) -> str:
    return "none" if metric == "perplexity" else "percent"


def _read_readme(file: ModelFile, warnings: list[str]) -> Card:
    return card_of_text(_text(file, warnings), file.name, warnings)


def card_of_text(text: str, name: str, warnings: list[str]) -> Card:
    """What the text of a card says, without the results beside it; what cannot be read is a warning that names it."""
    front = _FRONT.match(text)
    start = front.end() if front else 0
    body = text[start:]
    card = Card(
        has_card=bool(text.strip()), description=first_paragraph(body), title=first_heading(body), body=body,
        body_start=start,
    )  # fmt: skip
    if front is None or not _is_plain(front[1], name, warnings):
        return card
    from huggingface_hub import ModelCard

    try:
        with _quiet():
            data = ModelCard(f"---\n{front[1]}\n---\n", ignore_metadata_errors=True).data
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        warnings.append(f"{name}: its metadata cannot be read ({clean_text(str(error))[:200]})")
        return card
    metadata = vars(data)
    tags = metadata.get("tags")
    license_name = _word(metadata.get("license"))
    if license_name == "other":
        license_name = _word(metadata.get("license_name")) or license_name
    tag = _word(metadata.get("pipeline_tag"))
    listed = metadata.get("eval_results")
    return replace(
        card, license=license_name, task=full_task(tag) if tag else None, library=_word(metadata.get("library_name")),
        base_model=_word(metadata.get("base_model")),
        tags=tuple(word for word in map(_word, tags[:50]) if word) if isinstance(tags, list) else (),
        results=tuple(_index_results(listed if isinstance(listed, list) else [], name, warnings)),
        title=next((w for key in _TITLES if (w := _word(metadata.get(key)))), card.title),
    )  # fmt: skip


def _text(file: ModelFile, warnings: list[str]) -> str:
    """The file's text, cut where it is too large; undecodable bytes are replaced."""
    try:
        with file.path.open("rb") as stream:
            data = stream.read(LARGEST_CARD_BYTES + 1)
    except OSError as error:
        warnings.append(f"{file.name}: {error.strerror or error}")
        return ""
    if len(data) > LARGEST_CARD_BYTES:
        warnings.append(f"{file.name} is larger than {LARGEST_CARD_BYTES:,} bytes: the rest was not read")
    return data[:LARGEST_CARD_BYTES].decode("utf-8-sig", "replace")


def _is_plain(metadata: str, name: str, warnings: list[str]) -> bool:
    """True if metadata is small, shallow and unfolds into no more than it says, so that a library may read it."""
    if len(metadata) > LARGEST_METADATA_CHARS:
        warnings.append(f"{name}: its metadata is larger than {LARGEST_METADATA_CHARS:,} characters and was not read")
        return False
    for document in read_documents(metadata, name):
        if isinstance(document, SourceError):
            warnings.append(f"{name}: its metadata cannot be read ({document.what})")
            return False
    if has_aliases(metadata):
        warnings.append(f"{name}: its metadata uses aliases and was not read")
        return False
    return True


@contextmanager
def _quiet() -> Iterator[None]:
    """The library logs what it does not like about a card; we say it ourselves."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _word(value: Any) -> str | None:
    """One line of text from a text or from the first text of a list; None where there is none."""
    if isinstance(value, list):
        value = value[0] if value else None
    return clean_text(value)[:LONGEST_LINE].strip() or None if isinstance(value, str) else None


def _index_results(listed: list[Any], name: str, warnings: list[str]) -> Iterator[Result]:
    """`model-index` results with a metric that we know; the names of the others go into one warning."""
    from huggingface_hub import EvalResult

    others: set[str] = set()
    for entry in listed[:MOST_RESULTS]:
        if not isinstance(entry, EvalResult):  # a card may set the library's own field to anything
            continue
        kind = _word(entry.metric_type) or ""
        metric = _METRIC_OF.get(kind.lower())
        if metric is None:
            others.add(kind)
            continue
        value = _in_unit(entry.metric_value, metric)
        if value is None:
            warnings.append(f"{name}: the value of {kind} is no number and was kept out")
            continue
        parts = [_word(entry.dataset_config), _word(entry.dataset_split), _word(entry.task_type)]
        dataset = _word(entry.dataset_type) or _word(entry.dataset_name)
        where = _word(entry.dataset_name) or dataset
        text = f"{_word(entry.metric_name) or kind} {_printed(entry.metric_value)} on {where}"[:2_000]
        yield Result(metric, value, dataset, ", ".join(part for part in parts if part)[:500] or None, text)
    if others:
        shown = ", ".join(sorted(others))[:200]
        warnings.append(f"{name}: results of metrics that are not checked here were kept out ({shown})")


def _read_eval_results(file: ModelFile, warnings: list[str]) -> list[Result]:
    """The results of an `.eval_results` file: a score on a benchmark, read as an accuracy."""
    from huggingface_hub import parse_eval_result_entries

    text = _text(file, warnings)
    if not _is_plain(text, file.name, warnings):
        return []
    try:
        with _quiet():
            entries = parse_eval_result_entries(yaml.safe_load(text) or [])
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        warnings.append(f"{file.name} cannot be read ({clean_text(str(error))[:200]})")
        return []
    results = []
    for entry in entries[:MOST_RESULTS]:
        value, dataset = _in_unit(entry.value, "accuracy"), _word(entry.dataset_id)
        if value is None or dataset is None:
            warnings.append(f"{file.name}: a result without a number or a data set was kept out")
            continue
        parts = [_word(entry.task_id), _word(entry.notes)]
        note = ", ".join(part for part in parts if part)[:500] or None
        results.append(Result("accuracy", value, dataset, note, f"{_printed(entry.value)} on {dataset}"))
    return results


def _in_unit(value: Any, metric: str) -> float | None:
    """A finite value in the metric's unit: shares of 1 become percent; None where it is no number."""
    if isinstance(value, str):
        match = re.match(r"\s*(\d{1,6}(?:\.\d{1,12})?)\s*%?\s*(?:$|±)", value)
        value = float(match[1]) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    if metric == "perplexity":
        return float(value)
    if value > 100:
        return None
    return float(Decimal(repr(value)).scaleb(2)) if value <= 1 else float(value)


def _printed(value: Any) -> str:
    """The value as published, and in percent where it was a share: the digits say how precise it is."""
    shown = clean_text(str(value))[:40]
    if isinstance(value, float) and 0 < value <= 1:
        return f"{Decimal(repr(value)).scaleb(2)}% ({shown})"
    return shown


def first_heading(markdown: str) -> str | None:
    """The first heading of the first or second level, without its markup; None where there is none.

    Examples
    --------
    >>> first_heading("# **Small** [model](https://example.org)")
    'Small model'
    """
    match = _HEADING.search(markdown[:LARGEST_CARD_BYTES])
    return _without_markup(match[1] or match[2]).strip(" #")[:LONGEST_LINE] or None if match else None


def first_paragraph(markdown: str) -> str:
    """The first paragraph of prose in a Markdown text, without its markup, at most 1,000 characters; "" where none.

    Headings, lists, tables, quotes, pictures, badges, HTML and code are passed over.

    Examples
    --------
    >>> first_paragraph("A **small** [model](https://example.org) that works.")
    'A small model that works.'
    """
    fenced = False
    lines: list[str] = []
    for line in markdown[:LARGEST_CARD_BYTES].splitlines():
        stripped = line.strip()
        if stripped.startswith(("```", "~~~")):
            fenced = not fenced
            stripped = ""
        if fenced or not stripped or _NO_PROSE.match(stripped):
            if lines and len(" ".join(lines)) > 20:
                break
            lines = []
            continue
        lines.append(stripped)
    text = _without_markup(" ".join(lines)[:4_000])
    if len(text) <= LONGEST_DESCRIPTION:
        return text
    cut = text[:LONGEST_DESCRIPTION]
    return cut[: cut.rfind(". ") + 1] or cut


def _without_markup(text: str) -> str:
    text = re.sub(r"!?\[([^\]]{0,300})\]\([^)]{0,500}\)", r"\1", text)
    text = re.sub(r"<[^>]{0,500}>|(?<!\\)[*_`]{1,3}(?=\S)|(?<=[^\s\\])[*_`]{1,3}", "", text)
    return clean_text(re.sub(r"\\([*_`#\[\]()<>|.!+-])", r"\1", text))
