"""Claims against the artifact's own files: headers and configuration, read without loading; else its architecture."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graph.artifacts import Artifact
from graph.claims import Claim, Tier
from graph.errors import ModelError
from graph.metrics import METRICS
from inference.checks.base import Flag, Verdict, is_plain
from inference.judging.findings import FACTS, FACTS_VERSION, Finding
from inference.judging.scopes import named_precision
from inference.models.architecture import find_architecture
from inference.models.facts import ModelFacts, inspect_model
from inference.models.locate import locate_model
from inference.verdicts.rules import Judgement, judge_exact

if TYPE_CHECKING:
    from inference.sandbox.zygote import Zygote

_ARCHITECTURAL: Final = frozenset({"parameters", "labels", "dimensions", "context"})
_CONFIGS: Final = ("preprocessor_config.json", "processor_config.json", "config.json")
_LARGEST_CONFIG_BYTES: Final = 1 << 20
_BUILD_S: Final = 60.0


class Builder:
    """Builds architectures on the meta device, by the probe and in the sandbox that `verify` uses; one worker for all.

    The worker starts with the first architecture. Where torch is not installed, nothing starts and nothing comes back.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._zygote: Zygote | None = None

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def numbers(self, artifact: Artifact) -> dict[str, float]:
        """Exact numbers of an artifact's architecture by metric; empty where it cannot be built here."""
        if importlib.util.find_spec("torch") is None:
            return {}
        from inference.ground import survey
        from inference.models.digests import FileDigests
        from inference.probes import PROBES
        from inference.sandbox.zygote import Zygote
        from inference.work.units import Unit, result_of, run_unit

        ground = survey(artifact, frozenset(), FileDigests(None))
        if not ground.buildable:
            return {}
        if self._zygote is None:
            self._zygote = self._open.enter_context(Zygote(sorted(PROBES["architecture"].info.modules)))
        unit = Unit(ground, "architecture", None, ())
        result = result_of(unit, run_unit(self._zygote, unit, _BUILD_S))
        return {found.metric: float(found.value) for found in result.measured.measurements} if result.measured else {}


def check_files(artifact: Artifact, claims: Sequence[Claim], builder: Builder) -> Iterator[Verdict | Flag]:
    """Judges parameters, bytes, labels, dimensions, context and resolution by the files at hand, if there are any.

    Without weights, by the architecture: its committed count, or what the builder finds; claims that it does not decide
    stay claimed.
    """
    located = locate_model(artifact.weights)
    facts = _facts(located.path)
    if facts is not None and facts.reason_code != "no_weights":
        yield from _judged(claims, _numbers(facts, located.path), facts.dtype, "artifact", FACTS)
        return
    architecture = find_architecture(artifact, located)
    if architecture is None:
        return
    wanted = {claim.metric for claim in claims if claim.metric in _ARCHITECTURAL and is_plain(claim)}
    known: dict[str, float] = {"parameters": float(architecture.parameters)} if architecture.parameters else {}
    if wanted - known.keys():
        known |= {name: value for name, value in builder.numbers(artifact).items() if name not in known}
    yield from _judged(claims, known, None, "architecture", "architecture")


def _facts(path: Path | None) -> ModelFacts | None:
    try:
        return inspect_model(path) if path is not None else None
    except ModelError:
        return None


def _numbers(facts: ModelFacts, path: Path | None) -> dict[str, float | str]:
    """What the files say, by metric; unknown ones left out."""
    found = {
        "parameters": facts.parameters, "size_bytes": facts.size_bytes, "labels": facts.labels,
        "dimensions": facts.dimensions, "context": facts.context,
    }  # fmt: skip
    numbers: dict[str, float | str] = {name: float(value) for name, value in found.items() if value}
    size = _picture_size(path) if path is not None else None
    return numbers | ({"resolution": size} if size is not None else {})


def _judged(
    claims: Sequence[Claim], known: Mapping[str, float | str], dtype: str | None, tier: Tier, method: str
) -> Iterator[Verdict]:
    for claim in claims:
        value = known.get(claim.metric)
        if value is None or not is_plain(claim) or claim.conditions.reference is not None:
            continue
        named = named_precision(claim.conditions)
        if claim.metric == "size_bytes" and named is not None and dtype is not None and named != dtype.lower():
            continue
        if isinstance(value, str):
            same = value == str(claim.value)
            judgement = Judgement(
                "verified" if same else "refuted", None, f"its files say {value}, claimed {claim.value}"
            )
        elif isinstance(claim.value, int | float):
            judgement = judge_exact(value, claim, METRICS[claim.metric])
        else:
            continue
        yield Verdict(claim.id, Finding(judgement, value, tier, method, FACTS_VERSION))


def _picture_size(path: Path) -> str | None:
    """The size of pictures that a model's processor or configuration names, "224x224"; None where none does."""
    for name in _CONFIGS:
        file = path / name
        try:
            if not file.is_file() or file.stat().st_size > _LARGEST_CONFIG_BYTES:
                continue
            config = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for size in _sizes(config) if isinstance(config, dict) else ():
            if isinstance(size, int) and not isinstance(size, bool) and size > 0:
                return f"{size}x{size}"
            if isinstance(size, dict) and {"width", "height"} <= size.keys():
                return f"{size['width']}x{size['height']}"
    return None


def _sizes(config: Mapping[str, Any]) -> Iterator[object]:
    """The sizes that a configuration names, the one that counts first: a crop that is switched off is none."""
    if config.get("do_center_crop") is not False:
        yield config.get("crop_size")
    yield from (config.get("size"), config.get("image_size"))
