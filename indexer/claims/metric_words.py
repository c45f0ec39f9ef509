"""The words by which pages name metrics: in headers of tables, and beside numbers of prose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

PERCENT: Final = frozenset({
    "accuracy", "f1", "precision", "recall", "average_precision", "mean_iou", "error_rate", "loss_relative",
    "adherence",
})  # fmt: skip
"""Metrics printed as percent or as a share."""
_SCORES: Final = (
    r"(?:Sacre)?BLEU(?:-?\d)?|RO[UG]{2}E[-_ ]?(?:\d|L(?:sum)?|Lsum)?|METEOR|CIDEr|SPICE|SARI|COMET|chr-?F\+*|"
    r"BERT-?Score|"
    r"BLEURT|PSNR|SSIM|MS-SSIM|LPIPS|PSIM|r?FID|KID|inception score|CLIP[- ]?score|R?MSE|MAE|MAPE|MPJPE|"
    r"PA-MPJPE|NME|PESQ|STOI|(?:SI[- ]?)?S[DNIA]R(?:I| imp)?|Pearson(?:'s)?(?: r| correlation)?|Spearman(?:'s)?(?: rho|"
    r" correlation)?|"
    r"correlation|STS-?B|GLUE(?: score)?|MTEB|Dice|DSC|[nN]DCG(?:@\d+)?|MRR(?:@\d+)?|AU(?:RO)?C|ROC[- ]AUC|"
    r"kappa|Matthews|MCC|(?:mean )?norm(?:ali[sz])?ed error|log10|log ?r?mae|log ?rmse|RMSLE|(?<!\()R2|R²|"
    r"ANLS|(?:log-?)?likelihood|NLL|"
    r"delta ?\d(?:\.\d+)?|abs rel|success rate|ratio of correct \w+|mean success|x-?ent|"
    r"cross[- ]?entropy|abs(?:olute)? rel(?:ative)?|"
    r"bits? per (?:byte|character)|"
    r"bpc|(?:avg\.?|average|mean) (?:[\w-]{2,20} )?error|angle error|AEE|EPE|RTF|V-?measure|human ?eval|MMLU|"
    r"MT-?Bench|quality score"
)
# Name, pattern, whether letters must be as written. The first that matches at a place wins.
_WORDS: Final = tuple(
    (name, re.compile(rf"(?<![A-Za-z\d])(?:{pattern})(?![A-Za-z])", 0 if exact else re.IGNORECASE))
    for name, pattern, exact in (
        ("loss",
        r"(?:accuracy |precision |quality |performance )?(?:loss|drop|degradation|decrease|"
        r"deterioration)(?:es|s)?|"

                 r"lose|loses|losing", False),
        ("error_rate", r"(?:word|character|equal|phoneme|phone|token|sentence|top-?\s?[15]|classification|detection|"
                       r"test|average classification) error(?: rates?)?|error rates?|"
                       r"(?:top-?[15]|classification) errors?|misclassification(?: rate)?|false (?:positive|alarm|"
                       r"negative|acceptance|rejection) rate", False),
        ("error_rate", r"WER|CER|Wer|Cer|EER|PER|DER|JER|ACER|FPR|FNR|FAR|FRR|BPCER|APCER", True),
        ("average_precision", r"mean average[- ]precision|average[- ]precision|coco(?: orig)?(?: (?:segm|bbox|"
                              r"keypoints?))? (?:precision|map)|[a-z-]+-map", False),
        ("average_precision", r"mAP(?:val|test|box|bbox|mask|segm)?|(?<!A)AP(?:s|m|l|75|50)?|APs?|OKS AP", True),
        ("mean_iou", r"m(?:ean)?[_ -]?io?u|"
                     r"mean intersection[- ]over[- ]union|intersection[- ]over[- ]union|miou", False),
        ("mean_iou", r"(?<![@\d.])(?<![\d@] )IoU(?! ?=)", False),
        ("f1",
        r"(?:macro |micro |weighted |mag-|mesh-|macro-|micro-)?F-?1(?:[- ]?(?:scores?|measure))?|F-?(?:score|"
        r"measure)s?|"

               r"[a-z]+[-_]f1", False),
        ("accuracy",
        r"(?:top|rank)[- _@]?\d+(?: (?:accuracy|acc|acc\.))?|(?:[a-z]+[- ])?accurac(?:y|ies)(?: score)?|"
        r"accurate|"

                     r"acc\.?(?:@\d+)?|exact[- ]match(?: \(EM\))?|hits?@\d+|classification rate|"
                     r"EM", False),
        ("recall", r"(?:localization[_ ])?recall(?:@\d+)?|sensitivity|true positive rate|detection rate", False),
        ("recall", r"R@\d+|TPR", True),
        ("precision", r"precision(?:@\d+)?", False),
        ("perplexity", r"perplexit(?:y|ies)|ppl", False),
        ("score", _SCORES, False),
        ("score", r"IS|AQ|PQ|CLS|LAS|UAS|MAD|MOS|ROC|STS|Elo|rel", True),
        ("score", r"(?:pearson|spearman)(?:['’]?s)?(?: (?:rank )?correlation)?(?: coefficient)?|spearmanr?|pearsonr?|"
                  r"dice(?: coefficient| score)?|mean opinion score|"
                  r"root[- ]mean[- ]square(?:d)?(?:[- ](?:error|deviation))?|mean (?:absolute|squared?) error|"
                  r"[a-z-]*ndcg(?:@\d+)?|rouge-?[\dl]+|bleu", False),
    )
)  # fmt: skip
_TABLE_WORDS: Final = tuple(
    (name, factor, re.compile(rf"(?<![A-Za-z])(?:{pattern})(?![A-Za-z])", re.IGNORECASE))
    for name, factor, pattern in (
        ("parameters", 1e6, r"m ?params?|params? ?\(?m\)|"
                            r"param(?:eter)?s?[,:]? ?\(?(?:m|millions?|10\^?6)\)?|#params? ?\(m\)"),
        ("parameters", 1e9, r"b ?params?|param(?:eter)?s? ?\((?:b|billions?)\)"),
        ("parameters", 1.0, r"#? ?(?:of )?param(?:eter)?s?(?: count)?|number of param(?:eter)?s|param_count"),
        ("flops", 1e9, r"g ?(?:flops?|ops|macs?)|(?:flops?|ops|macs?) ?\((?:g|b|billions?)\)"),
        ("flops", 1e6, r"m ?(?:flops?|macs?)|(?:flops?|macs?) ?\((?:m|millions?)\)"),
        ("flops", 1e12, r"t ?(?:flops?|ops|macs?)"),
        ("size_bytes", 1e6, r"(?:model |file )?size ?\(?(?:mb)\)?"),
        ("size_bytes", 1e9, r"(?:model |file )?size ?\(?(?:gb)\)?"),
        ("latency_s", 1e-3, r"(?:latency|time|inference(?: time)?|speed)[^|]{0,30}\(?\bms\)?"),
        ("latency_s", 1.0, r"latency ?\(?s\)?"),
        ("throughput", 1.0, r"(?:speed|inference) ?\(fps\)|fps|"
                             r"frames per second|(?:images|samples)(?: per second|/s(?:ec)?)|throughput"),
        ("memory_bytes", 1e6, r"(?:v?ram|memory) ?\(?mb\)?"),
        ("memory_bytes", 1e9, r"(?:v?ram|memory) ?\(?gb\)?"),
        ("resolution", 1.0, r"(?:image|input|output)?[ _]?(?:size|resolution)(?: ?\(?(?:px|pixels)\)?)?|img_size"),
        ("dimensions", 1.0, r"(?:embedding |output )?dim(?:ension)?s?(?:ality)?|embedding size"),
        ("max_tokens", 1.0, r"max(?:imum)?[ _.]*(?:seq(?:uence)?[ _]?)?(?:len(?:gth)?|tokens)"),
        ("context", 1.0, r"context(?: (?:length|window|size))?"),
        ("labels", 1.0, r"(?:number of |num[ _]|# ?)?(?:classes|labels|categories)"),
    )
)  # fmt: skip

_OWN_METRIC: Final = re.compile(r"(?P<name>[\w-]{3,40}) metric\s{0,3}$", re.IGNORECASE)


@dataclass(frozen=True)
class Named:
    """A metric that words name: `note` keeps the words where they say more than its name, `start`, `end` their place.

    `factor` turns a plain number under it into the metric's unit. `loss` is not a metric yet: points or relative.
    """

    metric: str
    note: str | None
    start: int
    end: int
    factor: float = 1.0


def metric_words(text: str) -> list[Named]:
    """The quality metrics that a text names, in order, none inside another.

    Examples
    --------
    >>> [(named.metric, named.note) for named in metric_words("top-1 accuracy, WER and 28 BLEU")]
    [('accuracy', None), ('error_rate', 'WER'), ('score', 'BLEU')]
    """
    found: list[Named] = []
    text = text.replace("_", " ")
    for metric, pattern in _WORDS:
        for match in pattern.finditer(text):
            if all(match.end() <= other.start or match.start() >= other.end for other in found):
                found.append(Named(metric, note_of(metric, match.group()), match.start(), match.end()))
    return sorted(found, key=lambda named: named.start)


def metric_of_header(text: str) -> Named | None:
    """The metric that a header of a table names, with the factor of its unit; None where it names none.

    Examples
    --------
    >>> metric_of_header("MParams").factor, metric_of_header("AP @ [ IoU=0.50:0.95 ]").metric
    (1000000.0, 'average_precision')
    """
    text = " ".join(text.split())  # an escaped underscore was left as two blanks
    quality = [named for named in metric_words(text) if named.metric != "loss"]
    if quality:
        first = quality[0]
        note = " ".join(text.split())[:100] if _says_more(text, first) else first.note
        return Named(first.metric, note, first.start, first.end)
    for metric, factor, pattern in _TABLE_WORDS:
        match = pattern.search(text)
        if match is not None and (match.start() == 0 or len(match.group()) >= len(text.strip(" :*%")) / 2):
            return Named(metric, None, match.start(), match.end(), factor)
    own = _OWN_METRIC.search(text)
    return Named("score", own["name"], own.start("name"), own.end("name")) if own is not None else None


def note_of(metric: str, words: str) -> str | None:
    """What the words say beyond the metric's own name: "top-5", "exact match"; None for plain ones."""
    plain = " ".join(words.lower().replace("_", " ").split())
    if metric == "accuracy":
        place = re.search(r"(?:top|rank)[- @]?(\d+)", plain)
        if place is not None:
            return (
                None
                if place[1] == "1" and plain.startswith("top")
                else f"{plain[: place.start(1)].strip(' -@')}-{place[1]}"
            )
        if plain in ("em",) or plain.startswith("exact"):
            return "exact match"
        kind = re.search(r"\b(?:balanced|pixel|mean|phoneme|zero-shot|few-shot|validation|test)\b", plain)
        return kind.group() if kind else None
    ordinary = {"f1": ("f1", "f-1", "f1 score", "f1-score"), "precision": ("precision",), "recall": ("recall",)}
    return None if plain in ordinary.get(metric, ()) or metric in ("perplexity", "loss") else " ".join(words.split())


def _says_more(text: str, named: Named) -> bool:
    return len(text.strip(" :*%()")) > named.end - named.start + 2
