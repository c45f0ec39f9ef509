"""Token classification: right tags, entities found whole, and whether it tags better than guessing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from graph.constants import RUNS_ABOVE_CHANCE
from inference.data.sets import LabelledSet
from inference.probes.base import (
    ANSWER_LIMIT,
    LOAD_SAFELY,
    Measured,
    Measurement,
    ProbeFailure,
    ProbeInfo,
    RunTask,
    Seconds,
    Subject,
    load_seconds,
    loading,
    shuffled_control,
)
from inference.probes.classification import staged_items
from inference.probes.entities import Tags, dealt_control, drawn_words, entity_counts, entity_f1
from inference.probes.lengths import tokens_read
from inference.verdicts.clustered import clustered_share_interval
from inference.verdicts.intervals import scaled

TASK: Final = "text.token-classification"
NOT_READ: Final = "-"
_LONGEST_TAG: Final = 100


class _RawTags(BaseModel):
    """The child's answer: the tags of each sentence, NOT_READ for a word that was not read; times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tags: list[list[str]] = Field(max_length=ANSWER_LIMIT)
    load_s: Seconds
    run_s: Seconds


class TokensProbe:
    """The tag of each word: what the model says of the word's first piece.

    A word that the model did not read (beyond its length, or without a piece) has a wrong tag and is in no entity.
    """

    info = ProbeInfo(
        name="token-classification",
        version="1",
        metrics=("accuracy", "f1", "runs"),
        tasks=(TASK,),
        needs="tokens",
        control="the same tags against shuffled right ones must be chance",
        declared="runs: of one word inside an entity, drawn from each sentence, the share with the right tag is above "
        f"the most frequent such tag's by {RUNS_ABOVE_CHANCE:.0%} of the way from there to all right",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load and to tag every sentence; None where tags of the set are not the model's."""
        if data is None or data.kind != "tokens" or subject.task != TASK:
            return None
        if not set(data.classes) <= set(subject.labels):
            return None
        words = sum(len(label.split(" ")) for label in data.labels)
        item_s = 0.003 * len(data.items)
        return load_seconds(subject) + item_s + 2 * 2 * words * (subject.parameters or 0) / 2e10

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: the predicted tags of each sentence, in order."""
        import torch

        torch.manual_seed(task.seed)
        started = time.perf_counter()
        with loading("tags"):
            model, tokenizer = load_tagger(task.folder)
        loaded = time.perf_counter()
        tags = list(tag_sentences(model, tokenizer, staged_items(task)))
        return {"tags": tags, "load_s": loaded - started, "run_s": time.perf_counter() - loaded}

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Right tags and whole entities, each with its interval over sentences, and `runs`."""
        if data is None:
            raise ValueError("a labelled set is needed")
        answer, right = _RawTags.model_validate_json(raw), [label.split(" ") for label in data.labels]
        if [len(tags) for tags in answer.tags] != [len(tags) for tags in right]:
            raise ValueError(f"{len(answer.tags)} sentences of tags to {len(right)}, or not one tag a word")
        if any(len(tag) > _LONGEST_TAG for tags in answer.tags for tag in tags):
            raise ValueError(f"a tag longer than {_LONGEST_TAG} characters")
        return Measured(
            loads=True,
            finite=True,
            measurements=(
                *_runs(answer.tags, right),
                *_accuracy(answer.tags, right),
                *_entities_found(answer.tags, right),
                Measurement(metric="load_s", value=answer.load_s),
                Measurement(metric="seconds_per_item", value=answer.run_s / len(right)),
            ),
        )


def load_tagger(folder: Path) -> tuple[Any, Any]:
    """Model in evaluation mode and fast tokenizer, each from the folder alone.

    Raises
    ------
    ProbeFailure
        The tokenizer cannot say which piece belongs to which word.
    """
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, **LOAD_SAFELY)
    if not tokenizer.is_fast:
        raise ProbeFailure("missing_dependency", "its tokenizer does not say which piece belongs to which word")
    model = AutoModelForTokenClassification.from_pretrained(folder, use_safetensors=True, **LOAD_SAFELY)
    model.config.return_dict = True  # a configuration may ask for tuples
    return model.eval(), tokenizer


def tag_sentences(model: Any, tokenizer: Any, sentences: Iterator[Sequence[str]]) -> Iterator[list[str]]:
    """One tag a word of each sentence, in order; NOT_READ for a word that was not read.

    Raises
    ------
    ProbeFailure
        A score is not finite.
    """
    import torch

    names = {int(number): str(name)[:_LONGEST_TAG] for number, name in model.config.id2label.items()}
    longest = tokens_read(tokenizer, model)
    cut = {"truncation": True, "max_length": longest} if longest else {}
    for words in sentences:
        inputs = tokenizer(list(words), is_split_into_words=True, return_tensors="pt", **cut)
        with torch.inference_mode():
            scores = model(**inputs).logits[0]
        if not bool(torch.isfinite(scores).all()):
            raise ProbeFailure("non_finite", "a tag's score is not a finite number")
        best, tags = scores.argmax(-1).tolist(), [NOT_READ] * len(words)
        for place, word in reversed(list(enumerate(inputs.word_ids(0)))):
            if word is not None:  # backwards, so that a word's first piece has the last say
                tags[word] = names[best[place]]
        yield tags


def _runs(given: Sequence[Tags], right: Sequence[Tags]) -> Iterator[Measurement]:
    """The share of right tags over one word inside an entity of each sentence: such words are independent.

    Nothing where only one tag is drawn: guessing it would always be right.
    """
    drawn = drawn_words(right)
    answers, wanted = [given[row][word] for row, word in drawn], [right[row][word] for row, word in drawn]
    if len(set(wanted)) < 2:
        return
    hits, n = sum(map(str.__eq__, answers, wanted)), len(wanted)
    yield Measurement(
        metric="runs",
        value=hits / n,
        successes=hits,
        n=n,
        chance=max(Counter(wanted).values()) / n,
        control=shuffled_control(answers, wanted),
    )


def _accuracy(given: Sequence[Tags], right: Sequence[Tags]) -> Iterator[Measurement]:
    """The share of right tags over all words, in percent; `n` counts sentences, which are what is independent."""
    hits = [sum(map(str.__eq__, one, other)) for one, other in zip(given, right, strict=True)]
    words = [len(tags) for tags in right]
    if len(words) < 2:
        return
    yield Measurement(
        metric="accuracy",
        value=100 * sum(hits) / sum(words),
        n=len(words),
        interval=scaled(clustered_share_interval(hits, words), 100),
        control=shuffled_control([tag for tags in given for tag in tags], [tag for tags in right for tag in tags]),
        detail=f"{sum(hits)} of {sum(words)} words have the right tag; the interval is over sentences",
    )


def _entities_found(given: Sequence[Tags], right: Sequence[Tags]) -> Iterator[Measurement]:
    """Micro F1 of whole entities in percent, as a share: twice those found among those given and those there are."""
    counts = entity_counts(given, right)
    sizes = [one + other for _, one, other in counts]
    if sum(size > 0 for size in sizes) < 2:
        return
    interval = clustered_share_interval([2 * hits for hits, _, _ in counts], sizes)
    yield Measurement(
        metric="f1",
        value=100 * entity_f1(given, right),
        n=len(right),
        interval=scaled(interval, 100),
        control=dealt_control(given, right),
        detail="micro F1 of whole entities (kind and both ends right), as CoNLL-2003 counts it",
    )
