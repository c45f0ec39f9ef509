"""What the words of a query say about its results: one pattern a row, each with the conditions that it states.

A pattern is here only where its words leave no doubt: "under 10M parameters" is a limit, "images under 10 MB" is not
about the model, and "offline reinforcement learning" is a job. What is not understood stays a word to search for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from search.query.conditions import Where, read_number
from search.query.words import licence_id

Read = Callable[[re.Match[str]], list[Where]]


@dataclass(frozen=True)
class Pattern:
    """Words and the conditions that they state; an empty list states none, and the words stay."""

    words: re.Pattern[str]
    read: Read


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE | re.VERBOSE)


# Limits -------------------------------------------------------------------------------------------------
_AMOUNT: Final = r"(\d[\d,]{0,17}(?:\.\d{1,9})?)"
_SCALE: Final = {"thousand": "k", "million": "m", "mio": "m", "billion": "b", "bn": "b"}
_BELOW: Final = (
    r"under|below|less\s+than|fewer\s+than|smaller\s+than|lower\s+than|at\s+most|no\s+more\s+than|not\s+more\s+than|"
    r"not\s+over|up\s+to|a\s+maximum\s+of|max(?:imum)?(?:\s+of)?|within|no\s+larger\s+than|not\s+exceeding|faster\s+than|"
    r"<=?|≤"
)
_ABOVE: Final = (
    r"over|above|more\s+than|greater\s+than|larger\s+than|bigger\s+than|higher\s+than|at\s+least|no\s+less\s+than|"
    r"not\s+less\s+than|not\s+under|a\s+minimum\s+of|min(?:imum)?(?:\s+of)?|exceeding|better\s+than|>=?|≥"
)
_STRICT: Final = re.compile(
    r"under|below|(?:less|fewer|smaller|lower|faster|greater|larger|bigger|higher|better|more)\s+than|over|above|"
    r"exceeding|[<>]", re.IGNORECASE
)  # fmt: skip
_COMPARISON: Final = rf"(?P<op>{_BELOW}|{_ABOVE})\s*"
_IS_BELOW: Final = re.compile(_BELOW, re.IGNORECASE)
_OF_DATA: Final = (
    r"(?<!files\s)(?<!file\s)(?<!images\s)(?<!image\s)(?<!videos\s)(?<!video\s)(?<!clips\s)(?<!documents\s)"
    r"(?<!texts\s)(?<!dataset\s)(?<!datasets\s)(?<!articles\s)(?<!recordings\s)(?<!photos\s)(?<!data\s)(?<!sales\s)"
)
"""Not a limit on the artifact: "images under 10 MB"."""


def operator_of(words: str) -> str:
    """The operator that a comparison in words stands for.

    Examples
    --------
    >>> operator_of("at most"), operator_of("under"), operator_of("at least"), operator_of("not over")
    ('<=', '<', '>=', '<=')
    """
    is_strict = _STRICT.fullmatch(words.strip()) is not None
    return ("<" if _IS_BELOW.fullmatch(words.strip()) else ">") + ("" if is_strict else "=")


def _limits(field: str, scale: float = 1.0, dataset: str | None = None) -> Read:
    """One comparison, or two for "between"; `dataset` names the group that holds the data set."""

    def read(match: re.Match[str]) -> list[Where]:
        said = match.groupdict()
        where = (said.get(dataset) or "").lower().strip(".-") if dataset else ""
        unit = said.get("scale") or ""
        if said.get("low") is not None:
            low = _amount(said["low"], said.get("low_scale") or unit) * scale
            high = _amount(said["high"], unit) * scale
            return [Where(field, ">=", low, where), Where(field, "<=", high, where)]
        return [Where(field, operator_of(said["op"]), _amount(said["amount"], unit) * scale, where)]

    return read


def _amount(number: str, scale: str) -> float:
    return read_number(number + _SCALE.get(scale.lower(), scale))


def _comparisons(
    field: str, unit: str, *, scale: str = "", must: str = "?", factor: float = 1.0, after: str = ""
) -> list[Pattern]:
    """A limit below or above, and "between A and B", on numbers with one unit; `must` is empty where a scale is due."""
    scaled = rf"\s*(?P<scale>{scale}){must}" if scale else ""
    low_scaled = rf"\s*(?P<low_scale>{scale})?" if scale else ""
    one = rf"{_OF_DATA}(?<!\w){_COMPARISON}(?P<amount>{_AMOUNT}){scaled}\s*-?{unit}{after}"
    two = rf"{_OF_DATA}\bbetween\s+(?P<low>{_AMOUNT}){low_scaled}\s*(?:{unit})?\s*and\s+(?P<high>{_AMOUNT}){scaled}\s*-?{unit}{after}"
    back = rf"{_OF_DATA}(?<![\w.])(?P<amount>{_AMOUNT}){scaled}\s*-?{unit}\s*(?P<op>or\s+less|or\s+fewer|or\s+more|at\s+most|at\s+least|max|min|tops){after}"
    return [
        Pattern(_pattern(two), _limits(field, factor)),
        Pattern(_pattern(back), lambda m: _limits(field, factor)(_Turned(m))),
        Pattern(_pattern(one), _limits(field, factor)),
    ]


class _Turned:
    """A match whose operator stands behind its number: "or less" is "at most"."""

    _OPS: Final = {"or less": "at most", "or fewer": "at most", "tops": "at most", "or more": "at least"}

    def __init__(self, match: re.Match[str]) -> None:
        self._match = match

    def groupdict(self) -> dict[str, str]:
        said = self._match.groupdict()
        op = " ".join(said["op"].lower().split())
        return said | {"op": self._OPS.get(op, op)}


_BIG: Final = r"k|m|b|bn|mio|thousand|million|billion"
_PARAMETERS: Final = r"(?:trainable\s+)?(?:parameters?|params?)\b(?:\s+in\s+size)?"
_PERCENT: Final = r"(?P<percent>\s*%|\s*per\s?cent\b)"
_MEASURE: Final = r"(?P<measure>top-1\s+accuracy|accuracy|acc\.?|f1(?:[\s-]?score)?)"
_DATASET: Final = r"\s+on\s+(?:the\s+)?(?P<dataset>(?=[\w.-]*[A-Z0-9])\w[\w.-]{1,40})(?:\s+(?:dataset|data\s+set|benchmark|val(?:idation)?(?:\s+set)?|test(?:\s+set)?))?"


def _measured(match: re.Match[str]) -> list[Where]:
    said = match.groupdict()
    measure, dataset = said.get("measure") or "accuracy", said.get("dataset") or ""
    if not (said.get("measure") or dataset) or (dataset and not any(c.isupper() or c.isdigit() for c in dataset)):
        return []
    field = "f1" if measure.lower().startswith("f1") else "accuracy"
    amount = read_number(said["amount"])
    percent = 100 * amount if amount <= 1 and not said.get("percent") else amount
    return [Where(field, operator_of(said["op"]), percent, dataset.lower().strip(".-"))]


def _bare_scale(match: re.Match[str]) -> list[Where]:
    return _limits("params")(match)


LIMITS: Final = (
    *_comparisons("params", _PARAMETERS, scale=_BIG),
    *_comparisons("size", r"(?:bytes)?\b", scale="kib|mib|gib|kb|mb|gb", must="", after=r"(?:\s+(?:in\s+size|of\s+weights|on\s+disk|large|big|download))"),
    *_comparisons("memory", r"\b", scale="kib|mib|gib|kb|mb|gb", must="", after=r"(?:\s+(?:of\s+)?(?:ram|v?ram|memory|gpu\s+memory))"),
    *_comparisons("size", r"\b", scale="mib|gib|mb|gb", must=""),
    *_comparisons("latency", r"(?:milliseconds?|ms)\b", factor=1e-3, after=r"(?:\s+(?:of\s+)?(?:latency|inference|per\s+\w+|response(?:\s+time)?|an?\s+(?:image|item|query|sentence)))"),
    *_comparisons("latency", r"(?:seconds?|s)\b", after=r"(?:\s+(?:of\s+)?(?:latency|inference|per\s+(?:image|item|query|sentence|request)|response(?:\s+time)?))"),
    Pattern(_pattern(rf"\b(?:latency|inference(?:\s+time)?|response\s+time)\s+(?:of\s+|is\s+)?{_COMPARISON}(?P<amount>{_AMOUNT})\s*(?:milliseconds?|ms)\b"), _limits("latency", 1e-3)),
    Pattern(_pattern(rf"\b(?:latency|inference(?:\s+time)?|response\s+time)\s+(?:of\s+|is\s+)?{_COMPARISON}(?P<amount>{_AMOUNT})\s*(?:seconds?|s)\b"), _limits("latency")),
    *_comparisons("context", r"(?:tokens?)?\b", scale="k", after=r"(?:\s+(?:of\s+)?context(?:\s+(?:window|length))?)"),
    Pattern(_pattern(rf"\bcontext(?:\s+(?:window|length))?\s+(?:of\s+)?{_COMPARISON}(?P<amount>{_AMOUNT})\s*(?P<scale>k)?\s*(?:tokens?)?\b"), _limits("context")),
    *_comparisons("dimensions", r"(?:dimensions?|dims?)\b"),
    *_comparisons("downloads", r"downloads\b", scale=_BIG),
    *_comparisons("likes", r"likes\b", scale=_BIG),
    *_comparisons("stars", r"(?:github\s+)?stars\b", scale=_BIG),
    Pattern(_pattern(rf"(?<!\w)(?:an?\s+)?(?:{_MEASURE}\s+(?:of\s+|is\s+)?)?{_COMPARISON}(?P<amount>{_AMOUNT}){_PERCENT}(?:{_DATASET})"), _measured),
    Pattern(_pattern(rf"(?<!\w)(?:an?\s+)?{_MEASURE}\s+(?:of\s+|is\s+)?{_COMPARISON}(?P<amount>{_AMOUNT}){_PERCENT}?(?![\w%])"), _measured),
    Pattern(_pattern(rf"(?<!\w){_COMPARISON}(?P<amount>{_AMOUNT}){_PERCENT}\s+{_MEASURE}(?:{_DATASET})?"), _measured),
    Pattern(_pattern(rf"{_OF_DATA}(?<!\w){_COMPARISON}(?P<amount>{_AMOUNT})\s*(?P<scale>m|b|million|billion)\b(?=\s*(?:$|[,.;)]|and\b|or\b|with\b|that\b|but\b))"), _bare_scale),
)  # fmt: skip
"""Limits in words, the more particular ones first."""

MAYBE_LIMIT: Final = _pattern(rf"(?:{_BELOW}|{_ABOVE}|\bbetween)\s*\d|\b(?:or\s+(?:less|fewer|more)|at\s+(?:most|least)|max|min|tops)\b")
"""Without such words and a digit, no limit is looked for: most queries have none."""

# Words --------------------------------------------------------------------------------------------------
_LICENCE_NAMES: Final = (
    r"(?:mit|apache(?:[\s-]?(?:license[\s-])?2(?:\.0)?)?|(?:2|3)-clause\s+bsd|bsd(?:[\s-][23](?:-clause)?)?|"
    r"a?gpl(?:[\s-]?v?[23](?:\.0)?)?|lgpl(?:[\s-]?v?[23](?:\.0)?)?|mpl(?:[\s-]?2(?:\.0)?)?|"
    r"cc0|cc[\s-]by(?:-(?:nc|sa|nd)){0,2}(?:[\s-]4\.0)?|isc|openrail(?:-m|\+\+)?|unlicense)"
)
FORMATS: Final = {
    "onnx": "onnx", "gguf": "gguf", "ggml": "ggml", "safetensors": "safetensors", "tflite": "tflite",
    "openvino": "openvino", "coreml": "coreml", "core ml": "coreml", "torchscript": "torchscript", "mlx": "mlx",
    "tensorrt": "tensorrt", "saved model": "savedmodel", "savedmodel": "savedmodel",
}  # fmt: skip
LIBRARIES: Final = (
    "transformers", "diffusers", "sentence-transformers", "pytorch", "tensorflow", "keras", "jax", "flax", "fairseq",
    "espnet", "speechbrain", "nemo", "scikit-learn", "sklearn", "xgboost", "lightgbm", "spacy", "flair", "timm",
    "ultralytics", "stable-baselines3", "onnxruntime", "paddlepaddle", "mxnet", "open_clip", "asteroid", "joblib",
    "pyannote.audio", "ctranslate2", "llama.cpp", "vllm", "peft", "adapter-transformers", "allennlp", "stanza",
    "fasttext", "gensim", "rasa", "ml-agents", "tensorflow hub", "torchvision",
)  # fmt: skip
"""Libraries that load models, as queries name them."""
FAMILIES: Final = (
    "albert", "bart", "beit", "bert", "bigbird", "blenderbot", "blip", "bloom", "chatglm", "clap", "clip",
    "codebert", "codegen", "convnext", "controlnet", "deberta", "deit", "detr", "dialogpt", "distilbert",
    "distilroberta", "donut", "dpt", "efficientnet", "electra", "falcon", "flan-t5", "flux", "gemma", "glpn", "gpt",
    "gpt2", "gpt-2", "gpt-j", "gpt-neo", "hubert", "layoutlm", "layoutlmv2", "layoutlmv3", "llama", "longformer",
    "mamba", "marian", "maskformer", "mbart", "minilm", "mistral", "mixtral", "mobilenet", "mobilevit", "mpnet",
    "mt5", "nllb", "opt", "opus-mt", "owlvit", "pegasus", "phi", "pythia", "qwen", "resnet", "roberta", "sam",
    "segformer", "sepformer", "speecht5", "stable diffusion", "swin", "t5", "tacotron", "tapas", "tapex",
    "timesformer", "trocr", "vicuna", "videomae", "vilt", "vit", "vits", "wav2vec2", "wavlm", "whisper", "xlm",
    "xlm-roberta", "xlnet", "yolo", "yolov5", "yolov8", "yolos",
)  # fmt: skip
"""Families of models, as names carry them; only where they are negated or asked to differ is one taken for a limit."""
_TYPES: Final = {
    "mcp server": "mcp", "mcp servers": "mcp", "mcp": "mcp", "dataset": "dataset", "datasets": "dataset",
    "data set": "dataset", "data sets": "dataset", "benchmark": "benchmark", "benchmarks": "benchmark",
    "browser extension": "extension", "browser extensions": "extension", "command-line tool": "cli",
    "command line tool": "cli", "prompt template": "prompt", "web app": "webapp",
}  # fmt: skip
_SORTED_TYPES: Final = "|".join(sorted((re.escape(t).replace(r"\ ", r"\s+") for t in _TYPES), key=len, reverse=True))
_POLITE: Final = r"(?:(?:please|find|show|give|get|recommend|suggest|i\s+(?:need|want)|looking\s+for|which|what|me|us|an?|the|any|some|good|best|free)\s+){0,6}"
_ENDS: Final = r"(?=\s*(?:$|[,.;:!?)]|and\b|or\b|but\b|with\b|under\b|that\b|which\b))"


def _is(field: str, value: str) -> Read:
    return lambda _: [Where(field, "=", value)]


def _licence(match: re.Match[str]) -> list[Where]:
    name = match["name"].lower()
    name = re.sub(r"^([23])-clause\s+bsd$", r"bsd-\1", name)
    return [Where("license", "=", licence_id(re.sub(r"\s+", "-", name)))]


def _named_type(match: re.Match[str]) -> list[Where]:
    return [Where("type", "=", _TYPES[" ".join(match["type"].lower().split())])]


def _modality(field: str) -> Read:
    from search.query.fields import modality

    return lambda match: [Where(field, "=", modality(match["what"]))]


_MODALITY: Final = r"(?P<what>images?|pictures?|photos?|videos?|text|audio|speech|documents?|tables?)"
_FORMAT_WORDS: Final = "|".join(sorted(FORMATS, key=len, reverse=True)).replace(" ", r"\s+")
WORDS: Final = (
    Pattern(_pattern(r"\b(?:permissive(?:ly)?[\s-]+licen[cs]ed?|(?:under|with)\s+an?\s+permissive\s+licen[cs]e|permissive\s+licen[cs]es?)\b"), _is("permissive", "true")),
    Pattern(_pattern(rf"\b(?:licen[cs]ed?\s+(?:under|as|is)|licen[cs]e:?|under)\s+(?:the\s+|an?\s+)?(?P<name>{_LICENCE_NAMES})\b(?:\s+licen[cs]e)?{_ENDS}"), _licence),
    Pattern(_pattern(rf"\b(?P<name>{_LICENCE_NAMES})[\s-]+licen[cs]ed?\b"), _licence),
    Pattern(_pattern(r"\b(?:with\s+)?(?:open|downloadable|public)[\s-]weights?\b"), _is("offline", "true")),
    Pattern(_pattern(r"\b(?:self[\s-]host(?:ed|able)|can\s+be\s+self[\s-]hosted|on[\s-]prem(?:ises?)?|without\s+(?:an\s+)?internet(?:\s+(?:access|connection))?)\b"), _is("offline", "true")),
    Pattern(_pattern(rf"\b(?:(?:that\s+|which\s+)?(?:runs?|running|works?|working|usable|available|used)\s+(?:fully\s+|completely\s+)?(?:offline|locally)|(?:for\s+)?offline\s+use|(?:and|but|,)\s+offline{_ENDS}|offline(?=\s*[,.!?]?\s*$))"), _is("offline", "true")),
    Pattern(_pattern(rf"\b(?:free\s+of\s+charge|for\s+free{_ENDS}|(?:that\s+is\s+|which\s+is\s+)?free\s+to\s+use|(?:at\s+)?no\s+cost|(?:and|but|,)\s+free{_ENDS})"), _is("free", "true")),
    Pattern(_pattern(r"^(?:(?:find|show|give|i\s+need|i\s+want|looking\s+for)\s+(?:me\s+)?)?(?:an?\s+|any\s+|some\s+)?free\s+(?!text|form|space|speech|throw|of\b|hand|response|will|flow|energy|fall|kick)(?=[\w-]+)"), _is("free", "true")),
    Pattern(_pattern(r"\b(?:only\s+verified|verified\s+only|(?:that\s+(?:is|are)\s+)?verified\s+to\s+(?:run|work))\b|^verified(?=\s)"), _is("verified", "true")),
    Pattern(_pattern(rf"\b(?:(?:available\s+|exported\s+|weights\s+)?(?:in|as)\s+(?:the\s+)?(?P<format>{_FORMAT_WORDS})(?:\s+(?:format|weights|files?|model))?{_ENDS}|(?:in\s+)?(?P<other>{_FORMAT_WORDS})\s+(?:format|weights))"),
            lambda m: [Where("format", "=", FORMATS[" ".join((m["format"] or m["other"]).lower().split())])]),
    Pattern(_pattern(rf"\b(?:with|takes|taking|accepts|accepting)\s+(?:an?\s+)?{_MODALITY}\s+inputs?\b"), _modality("input")),
    Pattern(_pattern(rf"\b(?:with|gives|giving)\s+(?:an?\s+)?{_MODALITY}\s+outputs?\b"), _modality("output")),
    Pattern(_pattern(rf"^{_POLITE}(?P<type>{_SORTED_TYPES})(?=\s+(?:for|of|to|that|which|with|about)\b|\s*$)"), _named_type),
    Pattern(_pattern(r"(?<=\S\s)(?P<type>mcp(?:\s+servers?)?)(?=\s*$|\s+for\b)"), lambda _: [Where("type", "=", "mcp")]),
)  # fmt: skip
"""Facts in words."""
