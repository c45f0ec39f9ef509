"""Whom a number is about, and on which data set: names as pages write them."""

from __future__ import annotations

import re
from typing import Final

from graph.artifacts import Artifact

# A name of a model: a word with a capital or digit inside, and the words of version and size behind it.
_WORD: Final = (
    r"(?:[A-Z][A-Za-z]{0,30}[A-Z0-9][\w.+]{0,30}|"
    r"[A-Z]{2,12}[\w.+]{0,20}|[A-Z][a-z]{2,20}(?=[- ]?[A-Z0-9])|"
    r"[A-Z][a-z]{3,20})"
)
_TAIL: Final = (
    r"(?:[- ](?:[A-Z0-9][\w.+]{0,20}|v\d[\w.]{0,8}|"
    r"base|small|tiny|large|huge|nano|medium|xl|mini|lite|pro|max|turbo)){0,4}"
)
NAME: Final = re.compile(rf"(?<![\w-]){_WORD}{_TAIL}(?![\w])")
_ORDINARY: Final = """
vram ram bleu rouge psnr ssim fid the this that these those it its on in at with for from and or but our we they
model models top accuracy image net fp fp16 fp32 int8 int4 bf16 gpu cpu npu tpu arm nvidia intel api json rgb
bgr map ap wer cer eer f1 em iou miou params mparams gflops flops gops macs qat cnn rnn lstm unlike compared
outperforms achieves provides supports reduces requires enables performs uses superior lighter smaller faster
lower higher more average mean note table figure section paper performance when while based using trained
training
"""
_NO_NAMES: Final = frozenset(_ORDINARY.split())
_SETS: Final = (
    r"ImageNet(?:[- ]?(?:1[kK]|21[kK]|22[kK]|V2|A|R|Sketch|ReaL))?", r"ILSVRC[- ]?\d{0,4}",
    r"(?:MS[- ]?)?COCO(?:[- ]?20\d\d)?(?: (?:val|test|validation)[\w-]{0,8})?", r"CIFAR-?10{1,2}", r"MNIST",
    r"Fashion-MNIST", r"SVHN", r"SQuAD(?:[ -]?v?[12](?:\.[01])?)?", r"GLUE", r"SuperGLUE", r"MNLI", r"SST-?[25]",
    r"CoLA", r"QQP", r"QNLI", r"RTE", r"MRPC", r"STS-?B", r"CoNLL[- ]?(?:20)?\d{2}(?:\+\+)?",
    r"OntoNotes[ \d.]{0,4}", r"LibriSpeech(?: (?:test|dev)[- ](?:clean|other))?", r"Common ?Voice(?: [\d.]+)?",
    r"TED-?LIUM[ \d]{0,2}", r"WIDER[ -]?FACE", r"LFW", r"IJB-?[ABC]", r"VGGFace2?", r"CelebA(?:-?HQ)?",
    r"(?:PASCAL )?VOC[- ]?(?:20)?(?:07|12)?(?:\+12)?", r"Cityscapes", r"ADE20[kK]", r"CamVid", r"KITTI",
    r"NYU[ -]?(?:Depth)?[ -]?V2", r"Kinetics[- ]?\d{0,3}", r"UCF-?101", r"HMDB-?51",
    r"Something-Something[ -]?V?2?", r"Market-?1501", r"MSMT17", r"DukeMTMC", r"VeRi-?776", r"AFLW", r"300-?W",
    r"WFLW", r"ICDAR[ -]?(?:20)?\d{2}", r"IIIT-?5[kK]", r"SVT", r"Flickr30[kK]?", r"VQA(?:v2)?", r"GQA", r"NLVR2",
    r"TriviaQA", r"Natural Questions", r"HotpotQA", r"MS ?MARCO", r"BEIR", r"MTEB", r"WikiText-?(?:2|103)",
    r"Penn Treebank", r"PTB", r"LAMBADA", r"The Pile", r"C4", r"XNLI", r"ANLI", r"SNLI", r"CNN/?(?: )?Daily ?Mail",
    r"XSum", r"SAMSum", r"Gigaword", r"WMT ?(?:20)?\d{2}", r"FLORES(?:-?\d{3})?", r"AudioSet", r"ESC-?50",
    r"Speech Commands", r"VoxCeleb\d?", r"MPII", r"Human3\.6M", r"DAVIS", r"DOTA", r"LVIS", r"Objects365",
    r"OpenImages", r"Places365", r"iNaturalist(?:[ -]?20\d\d)?", r"Food-?101", r"DocVQA", r"FUNSD", r"RVL-?CDIP",
    r"TextVQA", r"MMLU", r"HumanEval", r"GSM8[kK]", r"HellaSwag", r"ARC", r"WinoGrande", r"Vimeo-?90[kK]?", r"Set5",
    r"Set14", r"BSD(?:S)?\d{0,3}",
)  # fmt: skip
_DATASETS: Final = re.compile(rf"(?<![\w-])(?:{'|'.join(_SETS)})(?![\w])")
_ON: Final = re.compile(
    r"\b(?:on|over|for|against|@)\s+(?:the\s+)?(?P<name>[A-Za-z0-9][\w.+/'&-]{0,40}"
    r"(?: [A-Za-z0-9(][\w.+/'&)-]{0,30}){0,5}?)"
    r"[\s'\"`]{1,3}(?:data ?set|test[ -]?set|validation(?: set)?|"
    r"val(?:idation)?[ -]?(?:set|split)|"
    r"dev(?: set)?|benchmark|evaluation set|corpus|test data|testing set|images? set)\b"
)  # fmt: skip
_NO_SETS: Final = frozenset(
    {"the", "a", "an", "our", "its", "this", "that", "each", "all", "both", "various", "other", "unknown"}
)
_AT: Final = re.compile(r"@ ?(?P<name>[A-Za-z][\w .-]{2,40}$)")

_SIZE_WORDS: Final = frozenset({"nano", "tiny", "mini", "small", "medium", "base", "large", "huge", "giant"})
_SIZED: Final = re.compile(rf"\b(?P<size>{'|'.join(sorted(_SIZE_WORDS))})-sized\b", re.IGNORECASE)


class Names:
    """Which names are the artifact's own."""

    def __init__(self, artifact: Artifact) -> None:
        own = (artifact.id, artifact.name, artifact.id.rpartition("/")[2], artifact.family or "")
        self._own = sorted({plain_name(name) for name in own if len(plain_name(name)) > 1})
        self._words = frozenset(word for name in own for word in re.split(r"[^a-z0-9.]+", name.lower()))

    def is_exactly(self, name: str) -> bool:
        """Whether a name is the artifact's, letter by letter and digit by digit."""
        return plain_name(name) in self._own

    def has_word(self, word: str) -> bool:
        """Whether a word stands by itself in one of the artifact's names: "2B" in "codegen-2b-multi"."""
        return word.lower() in self._words

    def sibling_in(self, text: str) -> str:
        """The size of a sibling that a text speaks of, where the artifact's own name says another; else "".

        Examples
        --------
        >>> from graph.artifacts import Artifact, Source
        >>> source = Source(kind="page", file="f")
        >>> Names(Artifact(id="a", slug="a", name="yolos-tiny", source=source)).sibling_in("a base-sized YOLOS gets")
        'the base-sized one'
        """
        own = self._words & _SIZE_WORDS
        found = _SIZED.search(text)
        return f"the {found['size'].lower()}-sized one" if own and found and found["size"].lower() not in own else ""

    def is_sibling(self, name: str) -> bool:
        """Whether a name begins with the same four letters and digits as one of the artifact's."""
        start = plain_name(name)[:4]
        return len(start) == 4 and any(own.startswith(start) for own in self._own)

    def is_own(self, name: str) -> bool:
        """Whether a name is the artifact's: the same letters and digits, or the beginning of either by the other."""
        plain = plain_name(name)
        return not plain or any(
            plain == own or (len(plain) > 3 and own.startswith(plain)) or (len(own) > 3 and plain.startswith(own))
            for own in self._own
        )


def plain_name(name: str) -> str:
    """The letters and digits of a name, lower case.

    Examples
    --------
    >>> plain_name("EfficientNet-B0"), plain_name("FLUX.1 Pro")
    ('efficientnetb0', 'flux1pro')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def names_in(text: str) -> list[tuple[int, int, str]]:
    """Names of models in a text as (start, end, name): data sets, units and ordinary words left out."""
    sets = [found.span() for found in _DATASETS.finditer(text)]
    found = (_without_ordinary(match.start(), match.group()) for match in NAME.finditer(text))
    return [
        (start, start + len(name), name)
        for start, name in found
        if name and not any(a < start + len(name) and start < b for a, b in sets)
    ]


def _without_ordinary(start: int, name: str) -> tuple[int, str]:
    """A name without the ordinary words before it ("Outperforms MobileNetV3"); "" where nothing else is left."""
    words = name.split(" ")
    while words and (words[0].lower().strip("-") in _NO_NAMES or re.fullmatch(r"[A-Z][a-z]+ing", words[0])):
        start += len(words.pop(0)) + 1
    rest = " ".join(words).rstrip(".,")
    first = re.split(r"[- ]", rest)[0].lower()
    is_name = re.search(r"\d|[a-z][A-Z]|[A-Z]{2}", rest) or " " in rest
    return start, rest if is_name and first not in _NO_NAMES else ""


def datasets_in(text: str) -> list[tuple[int, int, str]]:
    """Data sets that a text names as (start, end, name), in order: known names, and "on X dataset"."""
    known = [(found.start(), found.end(), found.group().strip()) for found in _DATASETS.finditer(text)]
    said = [(found.start("name"), found.end("name"), found["name"].strip("'\" ")) for found in _ON.finditer(text)]
    at = [(found.start("name"), found.end("name"), found["name"].strip()) for found in _AT.finditer(text)]
    kept = list(known)
    for start, end, name in (*said, *at):
        if not any(start < b and a < end for a, b, _ in kept):
            kept.append((start, end, name))
    return sorted(each for each in kept if each[2].lower() not in _NO_SETS)


def nearest_dataset(text: str, start: int, end: int) -> str | None:
    """The data set that stands nearest to [start, end) of a sentence; of two as near the later one."""
    found = datasets_in(text)
    return min(found, key=lambda each: _distance(each, start, end))[2] if found else None


def _distance(found: tuple[int, int, str], start: int, end: int) -> int:
    """Characters between; what stands before counts double, for "on X" follows its number."""
    return found[0] - end if found[0] >= end else 2 * max(0, start - found[1])
