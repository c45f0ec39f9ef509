"""Claims without a number: formats, interfaces, what a licence permits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from graph.claims import Scope
from indexer.claims.sentences import is_hedged
from indexer.claims.stated import Statement

_FORMATS: Final = (
    ("onnx", r"ONNX"), ("coreml", r"Core ?ML"), ("tflite", r"TF ?Lite|TensorFlow Lite|LiteRT"),
    ("tensorrt", r"TensorRT"), ("torchscript", r"TorchScript"), ("gguf", r"GGUF"), ("openvino", r"OpenVINO(?: IR)?"),
    ("tensorflow", r"TensorFlow(?! Lite)"), ("safetensors", r"safetensors"), ("savedmodel", r"SavedModel"),
)  # fmt: skip
_EXPORT: Final = re.compile(
    r"\b(?:export(?:s|ed|able|ing)?|conver(?:t|ts|ted|tible|ting|sion)|deploy(?:ed|ment|able)?|"
    r"available (?:in|as)|provided (?:in|as)|ported|"
    r"support(?:s|ed)?(?: more)? (?:target )?formats|formats?)\b",
    re.IGNORECASE,
)
_INSTRUCTION: Final = re.compile(
    r"^\W{0,5}(?:\d+\.)?\s*(?:run|download|use|install|execute|convert|clone|see|to convert|follow|go)\b|"
    r"\byou can (?:\w+ ){0,6}(?:download|convert)|convert them",
    re.IGNORECASE,
)
_PATTERNS: Final = tuple(
    (name, re.compile(rf"(?<![\w.])(?:{pattern})(?![\w.]*\w)", re.IGNORECASE)) for name, pattern in _FORMATS
)
_LIBRARIES: Final = (
    "transformers|diffusers|torch|torchvision|torchaudio|tensorflow|keras|sentence_transformers|timm|onnxruntime|onnx|"
    "sklearn|scipy|numpy|huggingface_hub|datasets|tokenizers|accelerate|peft|safetensors|optimum|fastapi|networkx"
)
_DOTTED: Final = re.compile(rf"(?<![\w./-])(?P<name>(?:{_LIBRARIES})(?:\.[A-Za-z_]\w{{1,60}}){{1,5}})(?![\w/])")
_IMPORT: Final = re.compile(
    rf"^[ \t>]*from[ \t]+(?P<module>(?:{_LIBRARIES})(?:\.\w{{1,60}}){{0,5}})[ \t]+import"
    rf"[ \t]+\(?(?P<names>[A-Za-z_]\w{{0,60}}(?:[ \t]*,[ \t]*[A-Za-z_]\w{{0,60}}){{0,20}})",
    re.MULTILINE,
)
_VERSION: Final = re.compile(
    rf"\b(?P<library>{_LIBRARIES})[ ]?(?:==|>=|v|version )\s?(?P<version>\d+(?:\.\d+){{1,2}})", re.IGNORECASE
)
_FILE_ENDS: Final = (".py", ".json", ".bin", ".txt", ".md", ".safetensors", ".js")
_NO_COMMERCE: Final = re.compile(
    r"\b(?:non-?commercial|not? (?:for )?commercial|no commercial)\b[\w ]{0,20}", re.IGNORECASE
)
_COMMERCE: Final = re.compile(
    r"\bcommercial(?:ly)?\b(?: (?:use|usage|applications?|purposes?|licen[sc]e|integration))?", re.IGNORECASE
)
_PERMITS: Final = re.compile(

        r"\b(?:permit(?:s|ted)?|allow(?:s|ed|ing)?|free(?:ly)? (?:for|to)|enabl(?:es|ing)|licen[sc](?:e|ed)|"
        r"can be used|explicit|for|open for|grants?)\b"
        , re.IGNORECASE
)  # fmt: skip
_RESTRICTS: Final = re.compile(r"\b(?:restrict(?:s|ed)?|prohibit(?:s|ed)?|forbid(?:s|den)?|without)\b", re.IGNORECASE)


_OF_A_RIVAL: Final = re.compile(
    r"\([^)]{0,60}$|\b(?:than|compared (?:to|with)|unlike|versus|vs\.?)\b[^.;]{0,80}$", re.IGNORECASE
)
_UNIT: Final = (
    r"(?:image|request|call|token|minute|second|hour|month|seat|user|1k|1m|million|megapixel|run|generation)s?"
)
_PRICED: Final = (
    re.compile(rf"\b(?:pric|bill|cost|charg|fee)\w{{0,6}}\b[^;()]{{0,40}}?\b(?P<said>per[- ]{_UNIT})\b", re.IGNORECASE),
    re.compile(rf"\b(?P<said>per[- ]{_UNIT})[- ](?:pric|bill|cost|charg|fee)\w{{0,6}}", re.IGNORECASE),
    re.compile(r"\b(?P<said>paid) (?:api|tiers?|plans?|access|only)\b", re.IGNORECASE),
)


def read_facts(sentence: str, offset: int) -> Iterator[Statement]:
    """The formats, interfaces and permissions that a sentence states, in that order."""
    yield from _exports(sentence, offset)
    for found in _DOTTED.finditer(sentence):
        if not found["name"].endswith(_FILE_ENDS):
            yield _api(found["name"], offset + found.start(), offset + found.end(), sentence)
    yield from _license(sentence, offset)
    yield from _price(sentence, offset)


def read_code(code: str, offset: int) -> Iterator[Statement]:
    """The names that a piece of Python code imports from known libraries."""
    for found in _IMPORT.finditer(code):
        for name in re.finditer(r"[A-Za-z_]\w*", found["names"]):
            start = offset + found.start("names") + name.start()
            yield _api(
                f"{found['module']}.{name.group()}", start, start + len(name.group()), found.group().strip(), code
            )


def _api(name: str, start: int, end: int, text: str, around: str = "") -> Statement:
    library = name.partition(".")[0]
    version = next(
        (found["version"] for found in _VERSION.finditer(around or text) if found["library"].lower() == library), None
    )
    note = f"{library} {version}" if version else None
    return Statement("api_exists", name, start, end, text, scope=Scope(note=note))


def _exports(sentence: str, offset: int) -> Iterator[Statement]:
    if not _EXPORT.search(sentence) or _INSTRUCTION.search(sentence):
        return
    named = [(name, pattern.search(sentence)) for name, pattern in _PATTERNS]
    places = [(name, found) for name, found in named if found is not None]
    for name, found in places:
        if name == "tensorflow" and len(places) == 1:  # where it comes from, not what it is exported to
            continue
        said = _EXPORT.search(sentence[max(0, found.start() - 110) : found.end() + 50])
        if said is not None:
            start, end = found.span()
            hedged = is_hedged(sentence, start, end)
            yield Statement("exports", name, offset + start, offset + end, sentence, hedged=hedged)


def _price(sentence: str, offset: int) -> Iterator[Statement]:
    """A price by its unit ("per image"), or "paid"; one of a rival in brackets is none of the artifact's."""
    for pattern in _PRICED:
        found = pattern.search(sentence)
        if found is not None and not _OF_A_RIVAL.search(sentence[: found.start()]):
            start, end = found.span("said")
            value = re.sub(r"[-\s]+", " ", found["said"].lower())
            yield Statement("price", value, offset + start, offset + end, sentence)
            return


def _license(sentence: str, offset: int) -> Iterator[Statement]:
    found = _NO_COMMERCE.search(sentence)
    if found is not None:
        start, end = offset + found.start(), offset + found.start() + len(found.group().rstrip())
        yield Statement("license_allows", "non-commercial", start, end, sentence)
        return
    found = _COMMERCE.search(sentence)
    if (
        found is None
        or not _PERMITS.search(sentence)
        or _RESTRICTS.search(sentence[max(0, found.start() - 25) : found.start()])
    ):
        return
    if not re.search(r"licen[sc]|permit|allow|use\b|usage", sentence, re.IGNORECASE):
        return
    yield Statement(
        "license_allows", "commercial", offset + found.start(), offset + found.end(), sentence,
        hedged=is_hedged(sentence, found.start(), found.end()),
    )  # fmt: skip
