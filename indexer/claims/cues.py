"""The words beside a number that say what it counts. Fixed lists; every repetition is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from indexer.claims.conditions import smallest_format
from indexer.claims.quantities import Quantity

RATIOS: Final = frozenset({"speedup", "size_ratio", "memory_ratio"})
BY_UNIT: Final = frozenset({"bytes", "seconds", "throughput", "pixels"})
_I: Final = re.IGNORECASE

# Counts ---------------------------------------------------------------------------------------------------
_PARAMETERS_BEHIND: Final = re.compile(
    r"[\s-]*(?:[a-z-]{1,12}\s){0,2}param(?:eter)?s?\b(?! (?:space|tuning|sharing))", _I
)
_PARAMETERS_BEFORE: Final = re.compile(
    r"param(?:eter)?s?(?: (?:count|size|number))?[\"']?\s{0,2}(?:\(?(?:of|is|are|with|at|to|about|around|approximately|total(?:ing|s)?|[:=~])\s{0,2}){0,3}[\"'({~]{0,2}$",
    _I,
)
_LABELS_BEHIND: Final = re.compile(
    r"[\s-]*(?:(?!and |or |of |per |with |images |training )[a-z0-9-]{1,20}\s){0,3}?(?:classes|categories|labels|classifications|tags|class(?=[ ,.-]))(?! of (?:images|data))\b|"
    r"\s?(?:is|-|–) the number of (?:\w+ )?classes",
    _I,
)
_LABELS_BEFORE: Final = re.compile(
    r"number of (?:\w+ )?(?:classes|labels|categories)\s{0,2}(?:is|of|[:=-])?\s{0,2}$", _I
)
_THESE: Final = re.compile(r"\b(?:these|those|first|other|following)\s$", _I)
NUMBER_WORDS: Final = {
    word: number for number, word in enumerate("two three four five six seven eight nine ten eleven twelve".split(), 2)
}
LABELS_IN_WORDS: Final = re.compile(
    rf"\b(?P<number>{'|'.join(NUMBER_WORDS)})[ -](?:(?!of |and |or )[a-z]{{2,12}} ){{0,2}}?(?:classes|categories|class(?=[ -](?:detect|classif|segment)))",
    _I,
)
_DIMENSIONS_BEHIND: Final = re.compile(
    r"[\s-]*(?:dim(?:ension(?:al|s)?)?\b|-?[dD]\b(?= (?:dense |sentence )?(?:embedding|vector|feature)))", _I
)
_NO_DIMENSIONS: Final = re.compile(
    r"[\s-]*dim\w*,? (?:and \d+ heads|hidden|model|inner|feed|space with|images?|conv|graph|data|pose|face)|[\s-]*dimension(?:al|s)? (?:intermediate|hidden)",
    _I,
)
_DIMENSIONS_BEFORE: Final = re.compile(
    r"(?:embeddings?|vectors?|features?|descriptors?|representations?)(?: \w{1,10}){0,2} (?:dim(?:ension)?(?:ality|s)?|size|length)\s{0,2}(?:of|is|[:=])?\s{0,2}$|"
    r"(?:vectors?|embeddings?) (?:of|with) (?:the )?(?:size|length|dimension(?:ality)?)?\s{0,2}$|embedding (?:size|dimension) \(?$",
    _I,
)
_TOKENS_BEHIND: Final = re.compile(
    r"[\s-]*(?:input |sub-?word |word)?\s?(?:tokens?|pieces|word ?pieces|positions)\b", _I
)
_CONTEXT: Final = re.compile(r"context(?: (?:length|window|size))?", _I)
_LENGTH_BEFORE: Final = re.compile(
    r"(?:max(?:imum)?[ _]?(?:\w{1,12}[ _]){0,2}(?:length|len|tokens)|(?:sequence|query|question|input|premise|context|token) length|max_seq_len(?:gth)?|max_length)"
    r"[\"']?\s{0,2}(?:of|is|was|set to|equal to|[:=])?\s{0,2}[\"'(]{0,2}$",
    _I,
)
_LIMIT: Final = re.compile(r"max|limit|truncat|up to|longer|longest|at most|handle|sequence|length", _I)
_STEPS_BEHIND: Final = re.compile(
    r"[\s-]*(?P<kind>inference |denoising |sampling |diffusion |generation )?steps?\b", _I
)
_STEPS_ABOUT: Final = re.compile(r"inference|denois|sampl|diffusion|generat|distill|latency", _I)
_STEPS_OTHER: Final = re.compile(r"train|fine-?tun|epoch|warm-?up|resum|checkpoint|gradient|batch", _I)
OPERATIONS: Final = re.compile(
    r"[\s-]*(?:billion |million )?(?:G?FLOPs?|MACs|multiply-adds|floating[- ]point operations)\b", _I
)
PRICE: Final = re.compile(r"per |/|price|cost|\bfrom\b|month|image|token|request|hour|paid", _I)

# By unit --------------------------------------------------------------------------------------------------
_BYTES_MEMORY: Final = re.compile(r"\bv?ram\b|memory|footprint while", _I)
_BYTES_SIZE: Final = re.compile(
    r"model|quanti[sz]ed|weights?|checkpoint|\bsize|compressed|binary|file|download|on disk|int8|fp16|onnx|small(?:er)?\b|weigh",
    _I,
)
_BYTES_OTHER: Final = re.compile(
    r"dataset|data set|corpus|corpora|of (?:text|data|code)|texts?\b|audio|images|storage|disk space|training data|crawl|tokens",
    _I,
)
_BUDGET: Final = re.compile(r"\s{0,2}(?:latency |time )?budgets?", _I)
_LATENCY: Final = re.compile(
    r"latency|per (?:image|item|frame|token|sentence|request|query)|inference|runs? in|takes|response|processing time|real-?time|speed",
    _I,
)
_TIME_OTHER: Final = re.compile(
    r"\b(?:clips?|segments?|chunks?|audio|recordings?|speech|window|training|trained|long|video|music|every|utterance)\b",
    _I,
)

# Ratios ---------------------------------------------------------------------------------------------------
_SIZE: Final = r"(?:smaller|lighter|compress(?:ion|ed)?|model size|size|fewer param(?:eter)?s|less param(?:eter)?s|(?:size|parameter) reduction)"
_MEMORY: Final = r"(?:(?:less|lower|smaller|reduced|fewer)?\s?(?:peak |gpu |v?ram )?memory|memory (?:reduction|savings?|footprint|overhead))"
_SPEED: Final = r"(?:faster|speed-?ups?|quicker|throughput|(?:higher|better|more|improved) throughput|lower latency|less time|speed\b)"
_RATIO_BEHIND: Final = tuple(
    (metric, re.compile(rf"\s*(?:more |better |inference |model )?{words}", _I))
    for metric, words in (("memory_ratio", _MEMORY), ("size_ratio", _SIZE), ("speedup", _SPEED))
)
_RATIO_BEFORE: Final = tuple(
    (metric, re.compile(words, _I))
    for metric, words in (
        ("memory_ratio", r"memory(?: (?!with|and|while|at)\w{1,12}){0,3}(?: by| of)?\s{0,2}$"),
        (
            "size_ratio",
            r"(?:compress(?:ion|ed|es)?|(?:model )?size|param(?:eter)?s)(?: (?!with|and|while|at)\w{1,12}){0,3}(?: by| of)?\s{0,2}$",
        ),
        (
            "speedup",
            r"(?:speed-?ups?|throughput|faster|latency|inference time)(?: (?!with|and|while|at)\w{1,12}){0,2}(?: by| of)?\s{0,2}$",
        ),
    )
)
_LESS: Final = re.compile(r"reduc|less|lower|fewer|smaller|lighter|decreas|sav(?:es?|ing)|cut|shrink|compress", _I)
_OTHER_RATIO: Final = re.compile(
    r"\s*(?:fewer|less|more|lower|higher)\s(?:training|data|steps|comput|flops|energy|errors?|labels?|examples)", _I
)
QUANTIZED: Final = re.compile(r"quanti[sz]|int8|int4|8-bit|4-bit|compress", _I)

# Between a name and a number ------------------------------------------------------------------------------
BETWEEN_NUMBER_AND_NAME: Final = re.compile(
    r"[\s\"'*(-]{0,3}(?:(?!and\b|or\b|of\b|on\b|in\b|with\b|vs\b|for\b|to\b|at\b|than\b|over\b|is\b|the\b)[\w@.+/'-]{1,20}[\s-]{1,2}){0,3}",
    _I,
)
_VERB: Final = (
    r"(?:of|is|was|are|were|at|to|by|reach(?:es|ed|ing)?|achiev(?:es|ed|ing)|obtain(?:s|ed)?|gets?|around|about|approximately|approx\.?|over|under|than|"
    r"above|equals?|from|nearly|almost|only|up|more|less|better|least|scores?|values?|rates?|results?|measured|reported|=|:|~|@)"
)
BETWEEN_NAME_AND_NUMBER: Final = re.compile(
    rf"[\s\"'*:=({{\[~|\])}},/-]*|(?:[\s\"'*(\[{{),:@-]{{1,3}}[^;!?\n]{{0,70}}?)?(?:[\s\"'*):]{{0,3}}{_VERB}[\s\"'*:=({{\[~<>≤≥]{{1,4}}){{1,3}}",
    _I,
)
ONLY_LIST: Final = re.compile(r"\s*(?:,|/|and|or|&|,\s*and|%\s*/|\+/-|±)\s*", _I)
AGAINST: Final = re.compile(
    r"\s*(?:vs\.?|versus|compared (?:to|with)|against|→|->|to|down to|up to|drops? to|falls? to)\s*(?:only |just )?", _I
)
VERSUS: Final = re.compile(r"[^.;()]{0,25}?\s*(?:vs\.?|versus|compared (?:to|with)|against)\s*(?:only |just )?", _I)
LISTED: Final = re.compile(r"\s*(?:,|/|and|or|&|vs\.?|versus|to|,\s*(?:and|or))\s*(?:a |the )?", _I)
FOR_NAME: Final = re.compile(r"[^.;,()\d]{0,25}?(?<!and )\b(?:for|of|by|with the|from)\s+(?:the )?", _I)
FOR_COMPARISON: Final = re.compile(r"\s*(?:for comparison|compared (?:to|with)|versus|vs\.?)\b", _I)
ANOTHER: Final = re.compile(r"\b(?P<name>original|teacher|uncompressed|full-size)\s$", _I)
DIFFERENCE: Final = re.compile(
    r"[\s)]{0,2}(?:top-?\s?\d )?(?:accuracy |absolute |relative )?(?:improvements?|gains?|increases?|boosts?|higher|better|more|worse|lower)\b|\s?top-?\d\) than",
    _I,
)
DIFFERENT: Final = re.compile(
    r"(?:more accurate|better|improv\w+|increas\w+|drawback|higher|boost\w*|gain\w*)(?: by| of)? ?\(?[~<>]?\s?$", _I
)
KEPT: Final = re.compile(r"(?:preserv|retain|keep|maintain)\w*(?: \w{1,10}){0,2}\s$", _I)
KEPT_OF: Final = re.compile(r"\s(?:of|from) [^.;]{0,60}?(?:performance|accuracy|quality|capabilit)", _I)
NAME_HAS: Final = re.compile(
    r"(?:'s)?\s*(?:\w{1,12} ){0,1}(?:has|have|with|achiev(?:es|ed)|reach(?:es|ed)|gets|scores?|at|is|=|:|only|,)?\s*(?:only |a |an |top-1 |accuracy |of ){0,3}",
    _I,
)
BRACKET_OF_NAME: Final = re.compile(r"[A-Z][\w.+-]{1,40} \(\s?[~<>]?\s?$")
NOTHING_MORE: Final = re.compile(r"\s?[,)]")
TRAINING_LOSS: Final = re.compile(r"\b(?:training|train|validation|evaluation|eval|test) loss\b", _I)

_SHAPES: Final = re.compile(
    r"@ ?\[? ?(?:IoU ?= ?)?\d?\.\d{1,3}(?: ?[:-] ?\d?\.\d{1,3}){0,2}(?: ?IoU)?\]?|IoU ?[=@] ?\d?\.\d{1,3}(?: ?[:-] ?\d?\.\d{1,3}){0,2}|"
    r"[\[(]\s*\d{1,5}(?:\.\d{1,6})?(?:\s*[,x×]\s*-?\d{1,5}(?:\.\d{1,6})?){1,6}\s*[\])]|(?<![\d.])\d{1,5}(?:\s*,\s+\d{1,5}){2,6}(?![\d%])|"
    r"(?<![\w.])\d{1,5}(?:\s?[x×]\s?\d{1,5}){2,6}|(?:mean|scale|std|std\.?|shape|channel)[\w ]{0,20}(?:values?|factors?)?\s*[-:=]?\s*[\[(]?\d[\d., ]{0,40}",
    _I,
)
_SIZES: Final = re.compile(
    r"(?<![\w.×-])(\d{2,5})\s?(?:[x×]|\\times)\s?(\d{2,5})(?:\s?[x×]\s?3)?(?![\w×]|\s?[x×]\s?\d)"
)
_SIZE_OTHER: Final = re.compile(
    r"(?:kernel|patch(?:es)?(?: size)?|conv|filter|grid|stride|window|cells?|matrix|map)\w*[\s\w(,]{0,25}$", _I
)
_SIZE_OTHER_BEHIND: Final = re.compile(
    r"\s*(?:conv|kernel|patch|filter|grid|cells?|max|pool|feature|anchors?|px patch|x\b)", _I
)
_LEAST_SIZE: Final = re.compile(
    r"(?:bigger|larger|smaller|less|more|at least|min(?:imum|imal)?(?: \w+)?)(?: than)?\s*$", _I
)


def shapes(sentence: str) -> list[tuple[int, int]]:
    """Where a sentence prints shapes of tensors and lists of channel values: no number there claims anything."""
    return [found.span() for found in _SHAPES.finditer(sentence)]


def sizes(sentence: str) -> Iterator[tuple[int, int, str]]:
    """Sizes of pictures as (start, end, "256x256")."""
    outside = [found.span() for found in _SHAPES.finditer(sentence)]
    for found in _SIZES.finditer(sentence):
        if any(a <= found.start() < b for a, b in outside):
            continue
        if _LEAST_SIZE.search(sentence[: found.start()][-30:]):
            continue
        if _SIZE_OTHER.search(sentence[: found.start()][-40:]) or _SIZE_OTHER_BEHIND.match(sentence, found.end()):
            continue
        yield found.start(), found.end(), f"{int(found[1])}x{int(found[2])}"


def counted(before: str, after: str, q: Quantity) -> str | None:
    """What a count counts, by the words beside it; None where they do not say."""
    if _PARAMETERS_BEHIND.match(after) or (_PARAMETERS_BEFORE.search(before) and q.unit == "count"):
        return "parameters"
    if q.value < 1 or q.value != int(q.value):
        return None
    if _DIMENSIONS_BEHIND.match(after) and not _NO_DIMENSIONS.match(after) and q.value > 3 and q.unit == "plain":
        return "dimensions"
    if (
        _DIMENSIONS_BEFORE.search(before)
        and q.unit == "plain"
        and not (q.value < 32 and re.match(r" (?:floating|values|coord|elem|prob|numbers|float)", after))
    ):
        return "dimensions"
    if _TOKENS_BEHIND.match(after) and _LIMIT.search(before + after) and q.value < 1e7:
        return "context" if _CONTEXT.search(before[-40:] + after) else "max_tokens"
    if _LENGTH_BEFORE.search(before) and q.value < 1e7:
        return "context" if re.search(r"context (?:length|window)\W{0,6}\w{0,3}\W{0,3}$", before, _I) else "max_tokens"
    if re.search(r"context (?:window|length|size)(?: of| is|:)?\s*$", before, _I):
        return "context"
    steps = _STEPS_BEHIND.match(after)
    if steps is not None and q.value <= 1_000 and q.unit == "plain":
        about = before + after
        if steps["kind"] or (_STEPS_ABOUT.search(about) and not _STEPS_OTHER.search(about)):
            return "steps"
        return None
    if q.value >= 2 and (_LABELS_BEFORE.search(before) or (_LABELS_BEHIND.match(after) and not _THESE.search(before))):
        return "labels"
    return None


def by_unit(before: str, after: str, q: Quantity, sentence: str) -> str | None:
    """What a number of bytes, seconds, items a second or pixels is; None where the words do not say."""
    near = before[-45:] + " | " + after[:35]
    if q.unit == "throughput":
        return "throughput" if not re.search(r"video|camera|record|captur|input", near, _I) else None
    if q.unit == "pixels":
        return "max_pixels"
    if q.unit == "bytes":
        if _BYTES_MEMORY.search(near):
            return "memory_bytes"
        return "size_bytes" if _BYTES_SIZE.search(near) and not _BYTES_OTHER.search(near) else None
    if _BUDGET.match(after) or _TIME_OTHER.search(near):
        return None
    return "latency_s" if _LATENCY.search(near) else None


def ratio(
    before: str, after: str, q: Quantity, *, metric: str | None = None, like: float | None = None
) -> tuple[str, float] | None:
    """The ratio that "4x smaller" or "40 % less memory" states, as (metric, ratio); None where it states none."""
    if metric is not None:
        less = like is not None and q.value < 100 and like > 1 + q.value / 100
        return metric, _of_percent(q.value, less=less)
    if _OTHER_RATIO.match(after):
        return None
    found = next((name for name, pattern in _RATIO_BEHIND if pattern.match(after)), None)
    found = found or next((name for name, pattern in _RATIO_BEFORE if pattern.search(before[-60:])), None)
    if found is None:
        return None
    if q.unit == "ratio":
        return found, q.value
    said = after[:30] if any(pattern.match(after) for _, pattern in _RATIO_BEHIND) else before[-60:]
    less = _LESS.search(said) is not None
    if not less and not re.search(r"faster|speed-?up|higher|more|improv|increas", said, _I):
        return None
    return found, _of_percent(q.value, less=less)


def _of_percent(value: float, *, less: bool) -> float:
    return round(1 / (1 - value / 100), 6) if less and value < 100 else round(1 + value / 100, 6)


def beside(q: Quantity, sentence: str) -> tuple[str, str]:
    """What stands before and behind a number."""
    return sentence[: q.start], sentence[q.end :]


def open_bracket(sentence: str, position: int) -> int | None:
    """Where the bracket opens in which a place stands; None where it stands in none."""
    opened = sentence.rfind("(", 0, position)
    return opened if opened >= 0 and ")" not in sentence[opened:position] else None


_COMPARATIVE: Final = re.compile(
    r"\b(?P<less>lighter|smaller|fewer|less|lower|shorter|cheaper)\b|\b(?P<more>larger|bigger|more|higher|heavier|better|superior|outperform(?:s|ed|ing)?|beats?|"
    r"exceeds?|surpass(?:es|ed)?|faster)\b", _I
)  # fmt: skip
_SIZES_OF: Final = frozenset({"parameters", "size_bytes", "flops", "memory_bytes", "latency_s"})
_GOODNESS: Final = frozenset({"accuracy", "f1", "precision", "recall", "average_precision", "mean_iou", "throughput"})


def comparative(before: str, metric: str, rival: str) -> int | None:
    """+1 where the artifact is said to have more of a metric than a rival named at the end of `before`, -1 less."""
    place = before.rfind(rival.split()[0]) if rival else -1
    if place < 0 or len(before) - place > len(rival) + 30:
        return None
    said = list(_COMPARATIVE.finditer(before, max(0, place - 45), place))
    if not said or re.search(r"[;,]", before[said[-1].end() : place]):
        return None
    words = said[-1].group().lower()
    less = said[-1]["less"] is not None
    if metric in _SIZES_OF:
        if words in ("lighter", "smaller", "fewer", "less", "lower", "cheaper", "shorter"):
            return -1
        if words == "faster" and metric == "latency_s":
            return -1
        return 1 if words in ("larger", "bigger", "more", "heavier") else None
    if metric in _GOODNESS:
        return -1 if less and words in ("lower", "less") else None if less else 1
    if metric == "error_rate":
        return -1 if less or words.startswith(("outperform", "better", "superior", "beat", "surpass")) else None
    return None


def smallest_of(passage: str) -> str | None:
    """The number format of fewest bits that a passage names."""
    return smallest_format(passage)
