"""What a count or a number with a unit says, by the words beside it. Fixed lists; every repetition is bounded."""

from __future__ import annotations

import re
from typing import Final

from indexer.claims.quantities import Quantity

_I: Final = re.IGNORECASE
BY_UNIT: Final = frozenset({"bytes", "seconds", "throughput", "pixels"})
"""Units that say much of the metric."""
_PARAMETERS_BEHIND: Final = re.compile(
    r"[\s-]*(?:[a-z-]{1,12}\s){0,2}param(?:eter)?s?\b(?! (?:space|tuning|sharing))|"
    r"\s(?:refers to|denotes|is) the number of (?:\w{1,12} )?param(?:eter)?s",
    _I,
)
SIZES_BEFORE: Final = re.compile(
    r"\b(?:model sizes?|size variants?|sizes)(?: variants?)?[\s:(]{0,3}(?:of |from |are )?"
    r"(?:[\d.]{1,6}[MB](?: ?, ?(?:and |or )?| and | or )){0,8}$",
    _I,
)
"""A list of sizes of models, of whose numbers only the scale says that they are parameters."""
PART_OF_MODEL: Final = re.compile(
    r"[\s-]*(?P<before>backbone|embedding|encoder|decoder|vision|text|head) param(?:eter)?s|"
    r"[\s-]*(?:[a-z-]{1,12}\s){0,2}param(?:eter)?s (?:in|of|for) (?:the|its) (?P<after>(?:[A-Za-z]{2,12} )?"
    r"(?:layers?|backbone|embeddings?|encoder|decoder|head))\b",
    _I,
)
"""Parameters of a part, not of the whole."""
_PARAMETERS_BEFORE: Final = re.compile(
    r"param(?:eter)?s?(?: (?:count|size|number))?[\"']?\s{0,2}(?:\(?(?:of|is|are|with|at|to|about|around|"
    r"approximately|total(?:ing|s)?|[:=~])\s{0,2}){0,3}[\"'({~]{0,2}$",
    _I,
)
_LABELS_BEHIND: Final = re.compile(
    r"[\s-]*(?:(?!and |or |of |per |with |images |training )[a-z0-9-]{1,20}\s){0,3}?(?:classes|categories|"
    r"labels|classifications|tags|class(?=[ ,.-]))(?! of (?:images|data))\b|"
    r"\s?(?:is|-|–) the number of (?:\w+ )?classes|\s(?:types|kinds) of (?:named )?entit(?:y|ies)",
    _I,
)
_LABELS_BEFORE: Final = re.compile(
    r"number of (?:\w+ )?(?:classes|labels|categories)\s{0,2}(?:is|of|[:=-])?\s{0,2}$", _I
)
_KINDS_BEFORE: Final = re.compile(
    r"\b(?:support|recogni[sz]e|classif(?:y|ie)|distinguish(?:e)?|predict)s?\s(?:the |all |among |between )?$", _I
)
_KINDS_BEHIND: Final = re.compile(
    r"\s(?:[a-z-]{2,16}\s){0,3}?(?:gestures|emotions|actions|activities|species|breeds|expressions)\b"
    r"(?! and (?:an?|one)\b)",
    _I,
)
_TUNED_AFTERWARDS: Final = re.compile(r"[^.]{0,40}\b(?:and )?then (?:fine-?tuned|retrained)\b", _I)
_THESE: Final = re.compile(r"\b(?:these|those|first|other|following)\s$", _I)
NUMBER_WORDS: Final = {
    word: number
    for number, word in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], 2
    )
}
LABELS_IN_WORDS: Final = re.compile(
    rf"\b(?P<number>{'|'.join(NUMBER_WORDS)})[ -](?:(?!of |and |or )[a-z]{{2,12}} ){{0,2}}?(?:classes|"
    rf"categories|(?:types|kinds) of (?:named )?entit(?:y|ies)|class(?=[ -](?:detect|classif|segment)))",
    _I,
)
_DIMENSIONS_BEHIND: Final = re.compile(
    r"[\s-]*(?:dim(?:ension(?:al|s)?)?\b|-?[dD]\b(?= (?:dense |sentence )?(?:embedding|vector|feature)))", _I
)
_NO_DIMENSIONS: Final = re.compile(
    r"[\s-]*dim\w*,? (?:and \d+ heads|hidden|model|inner|feed|space with|images?|conv|graph|data|pose|"
    r"face)|[\s-]*dimension(?:al|s)? (?:intermediate|hidden)",
    _I,
)
_DIMENSIONS_BEFORE: Final = re.compile(
    r"(?:embeddings?|vectors?|features?|descriptors?|"
    r"representations?)(?: \w{1,10}){0,2} (?:dim(?:ension)?(?:ality|s)?|size|length)\s{0,2}(?:of|is|"
    r"[:=])?\s{0,2}$|"
    r"(?:vectors?|embeddings?) (?:of|with) (?:the )?(?:size|length|dimension(?:ality)?)?\s{0,2}$|"
    r"embedding (?:size|dimension) \(?$",
    _I,
)
_TOKENS_BEHIND: Final = re.compile(
    r"[\s-]*(?:input |sub-?word |word)?\s?(?:tokens?|pieces|word ?pieces|positions)\b", _I
)
_CONTEXT: Final = re.compile(r"context(?: (?:length|window|size))?", _I)
_LENGTH_BEFORE: Final = re.compile(
    r"(?:max(?:imum)?[ _]?(?:\w{1,12}[ _]){0,2}(?:length|len|tokens)|(?:sequence|query|question|input|"
    r"premise|context|token) length|max_seq_len(?:gth)?|max_length)"
    r"[\"']?\s{0,2}(?:of|is|was|set to|equal to|[:=])?\s{0,2}[\"'(]{0,2}$",
    _I,
)
_SEQUENCES_BEFORE: Final = re.compile(
    r"sequences? (?:of |with )?(?:up to )?(?:an? )?(?:max(?:imum)? )?length (?:of )?$", _I
)
_CONTEXT_BEHIND: Final = re.compile(r"[ -]?(?:tokens? )?(?:of )?context\b", _I)
_LIMIT: Final = re.compile(r"max|context|limit|truncat|up to|longer|longest|at most|handle|sequence|length", _I)
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
    r"model|quanti[sz]ed|weights?|checkpoint|\bsize|compressed|binary|file|download|on disk|int8|fp16|"
    r"onnx|small(?:er)?\b|weigh",
    _I,
)
_BYTES_OTHER: Final = re.compile(
    r"dataset|data set|corpus|corpora|of (?:text|data|code)|texts?\b|audio|images|storage|disk space|"
    r"training data|crawl|tokens",
    _I,
)
_MACHINE_BEHIND: Final = re.compile(
    r"\s?(?:of )?v?ram (?:raspberry|jetson|device|machine|phone|laptop|computer|gpu|card|server)", _I
)
_DATA_BEHIND: Final = re.compile(r"\s?(?:of )?(?:[\w-]{2,16} ){0,2}data\b", _I)
_BUDGET: Final = re.compile(r"\s{0,2}(?:latency |time )?budgets?", _I)
_LATENCY: Final = re.compile(
    r"latency|per (?:image|item|frame|token|sentence|request|query)|inference|runs? in|takes|response|"
    r"processing time|real-?time|speed",
    _I,
)
_TIME_OTHER: Final = re.compile(
    r"\b(?:clips?|segments?|chunks?|audio|recordings?|speech|window|training|trained|long|video|music|"
    r"every|utterance)\b",
    _I,
)


def counted(before: str, after: str, q: Quantity) -> str | None:
    """What a count counts, by the words beside it; None where they do not say."""
    if _PARAMETERS_BEHIND.match(after) or (
        q.unit == "count" and (_PARAMETERS_BEFORE.search(before) or SIZES_BEFORE.search(before))
    ):
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
    if _SEQUENCES_BEFORE.search(before) and q.value >= 16:
        return "max_tokens"
    if _CONTEXT_BEHIND.match(after) and q.value >= 256:
        return "context"
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
    return "labels" if q.value >= 2 and _counts_labels(before, after) else None


def _counts_labels(before: str, after: str) -> bool:
    if _LABELS_BEFORE.search(before) or (_KINDS_BEFORE.search(before) and _KINDS_BEHIND.match(after)):
        return True
    behind = _LABELS_BEHIND.match(after)
    return behind is not None and not _THESE.search(before) and not _TUNED_AFTERWARDS.match(after, behind.end())


def by_unit(before: str, after: str, q: Quantity, sentence: str) -> str | None:
    """What a number of bytes, seconds, items a second or pixels is; None where the words do not say."""
    near = before[-45:] + " | " + after[:35]
    if q.unit == "throughput":
        return "throughput" if not re.search(r"video|camera|record|captur|input|frame rate|sampl", near, _I) else None
    if q.unit == "pixels":
        return "max_pixels"
    if q.unit == "bytes":
        if _BYTES_MEMORY.search(near):
            return "memory_bytes" if not _MACHINE_BEHIND.match(after) else None
        is_data = _BYTES_OTHER.search(near) or _DATA_BEHIND.match(after)
        return "size_bytes" if _BYTES_SIZE.search(near) and not is_data else None
    if _BUDGET.match(after) or _TIME_OTHER.search(near):
        return None
    return "latency_s" if _LATENCY.search(near) else None
