"""What tells two jobs of one task apart beyond how alike their texts sound: languages, label sets, other media.

A sentence encoder puts "translates English to German" beside "translates German to English" (cosine .97 with
MiniLM) and a detector of hard hats beside one of forklifts. Canonical capabilities must not unite those, so what
can be read off plainly decides first and similarity only among what remains (`docs/decisions`, number 7).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from graph.artifacts import Artifact, Capability
from graph.claims import Claim
from graph.constants import (
    CANONICAL_SIMILARITY,
    CANONICAL_SIMILARITY_SAME_JOB,
    CANONICAL_SIMILARITY_STRICT,
)
from graph.taxonomy import OTHER
from indexer.sentences import allowed_sentences, allowed_text

# Tasks whose name is already the job: the labels come with the question, or there are none.
OPEN_TASKS: Final = frozenset(
    {
        "text.zero-shot-classification", "vision.zero-shot-image-classification", "vision.zero-shot-object-detection",
        "text.sentence-similarity", "text.feature-extraction", "text.question-answering",
    }
)  # fmt: skip
# Tasks whose job is their label set: the same words about another set are another job.
LABEL_TASKS: Final = frozenset(
    {
        "vision.image-classification", "vision.object-detection", "vision.image-segmentation",
        "vision.video-classification", "vision.keypoint-detection", "text.text-classification",
        "text.token-classification", "audio.audio-classification", "tabular.tabular-classification",
        "tabular.tabular-regression", "control.reinforcement-learning", "vision.unconditional-image-generation",
    }
)  # fmt: skip
TRANSLATION: Final = "text.translation"
_SAME_SET_LABELS: Final = 50
"""As many labels or more, and equally many, are taken for one label set; two sets of ten are common."""

_CODES: Final = {
    "ar": "arabic", "bg": "bulgarian", "bn": "bengali", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german",
    "el": "greek", "en": "english", "es": "spanish", "et": "estonian", "fa": "persian", "fi": "finnish",
    "fr": "french", "he": "hebrew", "hi": "hindi", "hr": "croatian", "hu": "hungarian", "id": "indonesian",
    "it": "italian", "ja": "japanese", "jap": "japanese", "ko": "korean", "lt": "lithuanian", "lv": "latvian",
    "mr": "marathi", "ms": "malay", "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sk": "slovak", "sl": "slovenian", "sr": "serbian", "sv": "swedish",
    "sw": "swahili", "ta": "tamil", "te": "telugu", "th": "thai", "tl": "tagalog", "tr": "turkish", "uk": "ukrainian",
    "ur": "urdu", "vi": "vietnamese", "zh": "chinese",
}  # fmt: skip
_ALSO: Final = {"mandarin": "chinese", "farsi": "persian", "hokkien": "hokkien", "basque": "basque", "welsh": "welsh"}
_LANGUAGES: Final = {**{name: name for name in _CODES.values()}, **_ALSO}
_LANGUAGE: Final = re.compile(rf"\b({'|'.join(sorted(_LANGUAGES))})\b", re.IGNORECASE)
# A lookahead, so that "mt-en-de" gives both pairs, mt-en and en-de.
_PAIR: Final = re.compile(r"(?<![a-z0-9])(?=([a-z]{2,3})[-_](?:to[-_])?([a-z]{2,3})(?![a-z0-9]))")

_SETS: Final = {
    "ade20k": r"ade[- ]?20k", "ag-news": r"ag[ _-]?news", "audioset": r"audio[ -]?set", "beans": r"beans",
    "cifar-10": r"cifar-?10", "cifar-100": r"cifar-?100", "cityscapes": r"cityscapes", "coco": r"(?:ms[- ]?)?coco",
    "conll": r"conll(?:[- ]?20\d\d)?", "digits": r"digits?|mnist", "food-101": r"food-?101",
    "goemotions": r"go-?emotions",
    "imagenet": r"imagenet(?![- ]?2[12]k)", "imagenet-21k": r"imagenet[- ]?2[12]k",
    "imdb": r"imdb", "kinetics": r"kinetics", "ontonotes": r"ontonotes", "open-images": r"open ?images",
    "pascal-voc": r"(?:pascal[- ])?voc", "places": r"places-?365", "speech-commands": r"speech commands",
    "sst-2": r"sst-?2", "voxlingua": r"voxlingua\d*", "wikineural": r"wikineural", "yelp": r"yelp",
}  # fmt: skip
_SET: Final = {name: re.compile(rf"\b(?:{pattern})(?!\w)", re.IGNORECASE) for name, pattern in _SETS.items()}
_MEDIA: Final = {
    "image": re.compile(r"\b(?:images?|pictures?|photos?|visual|vision)\b", re.IGNORECASE),
    "audio": re.compile(r"\b(?:audio|speech|spoken|sounds?|voices?|music)\b", re.IGNORECASE),
    "video": re.compile(r"\b(?:videos?|clips?|films?)\b", re.IGNORECASE),
}
_OWN_MEDIA: Final = {"text": (), "vision": ("image", "video"), "audio": ("audio",)}


@dataclass(frozen=True)
class Job:
    """What can be read off a capability plainly: all of it must fit before similarity is asked.

    `languages` is the direction (from, into, …) of a translation, else the set of languages besides English;
    `media` are those foreign to the task's domain; `sets` the label sets named; `labels` their number where claimed.
    """

    languages: tuple[str, ...] = ()
    media: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    labels: int | None = None


def job_of(artifact: Artifact, capability: Capability, refuted: list[Claim]) -> Job:
    """The job of a capability, from its name and description without refuted sentences, and its `labels` claim."""
    description = allowed_text(capability.description, refuted)
    first = next(iter(allowed_sentences(capability.description, refuted)), "")
    domain = capability.task.partition(".")[0]
    is_labelled = capability.task in LABEL_TASKS
    found = {name for name, pattern in _SET.items() if pattern.search(f"{capability.name}. {description}")}
    return Job(
        languages=_languages(artifact, capability, description if domain == "audio" else first),
        media=frozenset(
            name for name, pattern in _MEDIA.items() if domain in _OWN_MEDIA and name not in _OWN_MEDIA[domain]
            and pattern.search(f"{capability.name}. {first}")
        ),
        sets=frozenset(found) if is_labelled else frozenset(),
        labels=_claimed_labels(artifact, capability, refuted) if is_labelled else None,
    )  # fmt: skip


def fits(one: Job, other: Job) -> bool:
    """Whether nothing plain tells the two jobs apart."""
    if one.languages != other.languages or one.media != other.media:
        return False
    if one.labels is not None and other.labels is not None and one.labels != other.labels:
        return False
    return not (one.sets and other.sets) or bool(one.sets & other.sets)


def united(one: Job, other: Job) -> Job:
    """What is known of a canonical capability once a second fitting job is in it."""
    sets = one.sets & other.sets if one.sets and other.sets else one.sets | other.sets
    return Job(one.languages, one.media, sets, one.labels if one.labels is not None else other.labels)


def least_similarity(task: str, one: Job, other: Job) -> float:
    """The cosine from which two fitting jobs of a task are one."""
    if task == OTHER:
        return CANONICAL_SIMILARITY_STRICT
    if task in OPEN_TASKS:
        return CANONICAL_SIMILARITY_SAME_JOB
    if task in LABEL_TASKS:
        equally_many = one.labels is not None and one.labels == other.labels and one.labels >= _SAME_SET_LABELS
        is_one_set = bool(one.sets & other.sets) or equally_many
        return CANONICAL_SIMILARITY_SAME_JOB if is_one_set else CANONICAL_SIMILARITY_STRICT
    return CANONICAL_SIMILARITY


def _languages(artifact: Artifact, capability: Capability, text: str) -> tuple[str, ...]:
    named = [_LANGUAGES[match.lower()] for match in _LANGUAGE.findall(f"{capability.name}. {text}")]
    if capability.task != TRANSLATION:
        return tuple(sorted(set(named) - {"english"}))
    if not named:
        for one, other in _PAIR.findall(f"{artifact.id} {artifact.name} {capability.id}".lower()):
            if one in _CODES and other in _CODES:
                return (_CODES[one], _CODES[other])
    return tuple(dict.fromkeys(named))


def _claimed_labels(artifact: Artifact, capability: Capability, refuted: list[Claim]) -> int | None:
    gone = {claim.id for claim in refuted}
    numbers = {
        int(claim.value)
        for claim in artifact.claims
        if claim.metric == "labels" and claim.capability in (None, capability.id) and claim.id not in gone
        and isinstance(claim.value, float | int) and float(claim.value).is_integer()
    }  # fmt: skip
    return numbers.pop() if len(numbers) == 1 else None
