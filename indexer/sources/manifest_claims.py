"""The `claims` of a manifest: each becomes one claim, or two where its value is a range, or is rejected alone."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any, Final, get_args

from graph.claims import Claim, Comparator, Scope, Span, claim_id
from graph.metrics import METRICS, Metric
from indexer.sources.findings import Findings, check_fields, clean_text, nearest, read_flag, read_line, text_of
from indexer.sources.nodes import Node

FIELDS: Final = (
    "metric", "capability", "subject", "comparator", "value", "unit", "dataset", "conditions", "text", "hedged",
)  # fmt: skip
_SCOPE_COUNTS: Final = ("batch_size", "steps", "threads")
_COMPARATORS: Final[dict[str, Comparator]] = {
    **{name: name for name in get_args(Comparator)}, "==": "=", "≥": ">=", "≤": "<=", "up to": "up_to",
}  # fmt: skip
HEDGES: Final = re.compile(
    r"\b(?:likely|unlikely|unknown|may|might|could|maybe|perhaps|possibly|probably|presumably|reportedly|allegedly|"
    r"estimated|expected|should|unclear|unconfirmed|tbd)\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"[-+]?\d[\d_,]{0,30}(?:\.\d{1,15})?(?:[eE][-+]?\d{1,3})?")
# Other ways to write a metric's unit, and by what to multiply the value.
_UNITS: Final[dict[str, dict[str, float]]] = {
    "percent": {"%": 1, "fraction": 100},
    "points": {"percentage points": 1, "pp": 1},
    "seconds": {"s": 1, "second": 1, "ms": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6},
    "bytes": {"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30},
    "parameters": {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12, "million": 1e6, "billion": 1e9},
    "ratio": {"x": 1, "×": 1, "times": 1},
    "tokens": {"token": 1, "k": 1e3},
    "usd": {"$": 1, "dollars": 1},
    "items_per_second": {"items/s": 1, "images/s": 1, "texts/s": 1},
    "pixels": {"mp": 1e6, "megapixels": 1e6},
}


def read_claims(node: Node, artifact: str, capabilities: Collection[str], found: Findings) -> tuple[Claim, ...]:
    """The claims of one item of `claims`; () where it is rejected (errors are noted).

    Parameters
    ----------
    node
        The item.
    artifact
        The artifact's id.
    capabilities
        Local ids of its capabilities. Where there is only one, a claim that names none belongs to it.
    found
        Collects errors and warnings.
    """
    if node.fields is None:
        found.error("bad_type", node, "a claim must hold fields, such as {metric: …, value: …}")
        return ()
    check_fields(node, FIELDS, "a claim", found)
    metric = _metric(node, found)
    capability = _capability(node, capabilities, found)
    scope = _scope(node, found)
    stated = _stated(node, metric, found) if metric else []
    given = read_line(node, "text", found, 2_000)
    subject = read_line(node, "subject", found) or (capability if node.get("capability") else None) or ""
    if found.errors or metric is None:
        return ()
    claims = []
    for comparator, value in stated:
        text = given or _text(node, metric)
        hedged = bool(read_flag(node, "hedged", found)) or bool(HEDGES.search(f"{text} {scope.note or ''}"))
        claims.append(
            Claim(
                id=claim_id(artifact, subject, metric.name, comparator, value, metric.unit, scope),
                artifact=artifact, capability=capability, subject=subject, metric=metric.name, comparator=comparator,
                value=value, unit=metric.unit, conditions=scope, hedged=hedged, text=text,
                span=Span(file=found.file, start=node.start, end=node.end),
                flags=("hedged",) if hedged else (),
            )
        )  # fmt: skip
    if any(claim.hedged for claim in claims):
        found.warn("hedged", node, f"the claim about {metric.name} is hedged: state it plainly, or leave it out")
    return () if found.errors else tuple(claims)


def _metric(node: Node, found: Findings) -> Metric | None:
    name = read_line(node, "metric", found)
    if name is None:
        if not found.errors:
            found.error("missing_metric", node, "the claim names no metric: add metric: …")
        return None
    if name not in METRICS:
        hint = nearest(name, METRICS)
        found.error("unknown_metric", node.get("metric"), f"metric {name[:80]!r} is not known{hint}: see the table")
    return METRICS.get(name)


def _capability(node: Node, known: Collection[str], found: Findings) -> str | None:
    name = read_line(node, "capability", found)
    if name is None:
        return next(iter(known)) if len(known) == 1 else None
    if name not in known:
        hint = nearest(name, known)
        what = f"no capability {name[:80]!r} here{hint}: name its id"
        found.error("unknown_capability", node.get("capability"), what)
    return name


def _scope(node: Node, found: Findings) -> Scope:
    """The claim's scope: its data set, and its conditions as a note or as fields of a scope."""
    fields: dict[str, Any] = {"dataset": read_line(node, "dataset", found)}
    conditions = node.get("conditions")
    if conditions is None:
        return Scope(**fields)
    if conditions.fields is None:
        return Scope(**fields, note=text_of(conditions, "conditions", found))
    check_fields(conditions, tuple(Scope.model_fields), "conditions", found)
    for name in Scope.model_fields:
        given = conditions.get(name)
        if given is None:
            continue
        if name not in _SCOPE_COUNTS:
            fields[name] = read_line(conditions, name, found)
        elif isinstance(given.value, int) and not isinstance(given.value, bool) and 0 < given.value < 2**31:
            fields[name] = given.value
        else:
            found.error("bad_scope", given, f"{name} must be a whole number above 0")
    return Scope(**fields)


def _stated(node: Node, metric: Metric, found: Findings) -> list[tuple[Comparator, float | str | None]]:
    """Comparator and value, in the metric's unit; two of them for a range [low, high]."""
    written = read_line(node, "comparator", found)
    comparator = _COMPARATORS.get(written or "=")
    if comparator is None:
        what = f"comparator {(written or '')[:20]!r}: use one of = < <= > >= up_to"
        found.error("bad_comparator", node.get("comparator"), what)
        return []
    value = node.get("value")
    if value is not None and value.items is not None:
        if len(value.items) != 2 or written or metric.judged == "fact":
            found.error("bad_value", value, "a range is [low, high], two numbers and no comparator")
            return []
        low, high = (_number(item, node, metric, found) for item in value.items)
        if low is not None and high is not None and low > high:
            found.error("bad_value", value, "a range must begin with its lower end")
        return [(">=", low), ("up_to", high)]
    if metric.judged == "fact" or metric.name == "runs":
        return [(comparator, _word(value, node, metric, found))]
    return [(comparator, _number(value, node, metric, found))]


def _word(value: Node | None, claim: Node, metric: Metric, found: Findings) -> str | None:
    """The word of a fact (a format, a tool, a use); nothing where the metric needs none."""
    if value is None or value.value is True:
        if metric.name in ("exports", "license_allows", "api_exists", "tool_listed"):
            found.error("bad_value", claim, f"{metric.name} needs a value: which one?")
        return None
    if value.value is False:
        found.error("bad_value", value, f"{metric.name}: false is no claim: leave it out")
        return None
    return text_of(value, "value", found)


def _number(value: Node | None, claim: Node, metric: Metric, found: Findings) -> float | None:
    """A finite number in the metric's unit; a text such as "95 %" or "5.6M" carries its own unit."""
    what = f"{metric.name} needs a number ({metric.unit})"
    if value is None or not value.is_scalar or isinstance(value.value, bool):
        found.error("bad_value", value or claim, what)
        return None
    match = _NUMBER.match(value.raw.strip())
    if match is None:
        found.error("bad_value", value, f"{what}, not {value.raw[:40]!r}")
        return None
    try:
        number = float(match[0].replace(",", "").replace("_", ""))
    except ValueError:
        number = math.nan
    suffix = value.raw.strip()[match.end() :].removesuffix(metric.unit).strip()
    written = suffix or read_line(claim, "unit", found) or metric.unit
    scale = 1.0 if written == metric.unit else _UNITS.get(metric.unit, {}).get(written.lower())
    if scale is None:
        what = f"{metric.name} is measured in {metric.unit}, not {written[:40]!r}"
        found.error("unknown_unit", claim.get("unit") or value, what)
        return None
    number = float(f"{number * scale:.15g}")
    if not math.isfinite(number):
        found.error("bad_value", value, f"{what}, and a finite one")
        return None
    return number


def _text(node: Node, metric: Metric) -> str:
    """The claim in words, its number as the manifest prints it."""
    value, comparator, unit = node.get("value"), node.get("comparator"), node.get("unit")
    written = "" if value is None else value.raw if value.is_scalar else "–".join(i.raw for i in value.items or ())
    parts = (metric.name, comparator.raw if comparator else "=", written, unit.raw if unit else "")
    return clean_text(" ".join(parts))[:2_000]
