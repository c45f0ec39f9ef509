"""Lies and honest twins: every statement by name, the model that it is made about, and how all are verified.

Two kinds: a changed card of an untouched model (below), and a changed model with an untouched card (`lies_of_models`).
A lie has to be at least twice the detectable difference, which the record of its own verdict says afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lies_base import Change, Stated, exact, sampled
from lies_of_models import CHANGES
from lies_sizes import in_detectable

from graph.claims import Claim, Evidence
from graph.digest import digest_of
from graph.home import Home
from graph.store.catalogue import all_artifacts
from graph.store.evidence import deciding_evidence
from indexer.pipeline import ingest
from inference.data.sets import open_data
from inference.models.locate import packaged_minilm
from inference.sandbox.zygote import Zygote
from inference.work import settle
from inference.work.executor import VerifyOptions, verify_artifacts

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LEVEL = 0.998
"""Two-sided: each claim is refuted at one-sided α = .001."""
MODULES = ["torch", "transformers.pipelines", "diffusers", "sentence_transformers"]
HALVES = {"code-lines": "code-or-prose", "topic-lines": "library-topics", "name-lines": "python-names"}
"""Sets that nobody vouches for: every other item of a known one, so that the rule for samples decides."""
CARDS = {
    "all-MiniLM-L6-v2": "sentence-transformers--all-minilm-l6-v2", "mobilevit-small": "apple--mobilevit-small",
}  # fmt: skip
BATCH = {"device": "cpu", "batch_size": 8}
INT8 = {"device": "cpu", "precision": "int8"}


@dataclass(frozen=True)
class Pair:
    """A lie and its honest twin: two statements about one model, or one about two forms of a model."""

    name: str
    model: str
    twin: Stated
    lie: Stated
    change: Change | None = None

    @property
    def kind(self) -> str:
        return "card" if self.change is None else "model"

    def bearer(self, *, is_lie: bool) -> str:
        """The model that the statement is made about, by a name of its own."""
        if self.change is None:
            return self.model
        return f"{self.name}-{'lie' if is_lie else 'twin'}"


@dataclass(frozen=True)
class Outcome:
    """What became of one statement; `size` is how far off it is, in detectable differences (None: a fact)."""

    name: str
    is_lie: bool
    kind: str
    model: str
    claim: Claim
    record: Evidence | None
    size: float | None

    @property
    def verdict(self) -> str:
        return "claimed" if self.record is None or self.record.verdict is None else self.record.verdict


_CARD_LIES: dict[str, dict[str, tuple[Stated, Stated]]] = {
    "digits-mobilevit": {
        "parameters-last-digit-up": exact("parameters", "242,810", "242,811"),
        "parameters-in-thousands": exact("parameters", "243 k", "241 k"),
        "parameters-in-millions": exact("parameters", "0.24 M", "0.26 M"),
        "labels-one-more": exact("labels", "10", "11"),
        "bytes-at-most": exact("size_bytes", "1.10 MB", "1.00 MB", "<="),
        "eight-bit-beyond-four": exact("size_ratio", "1.4", "4.5", ">=", precision="int8"),
        "eight-bit-more-than-four": exact("size_ratio", "1.2", "4.2", ">", precision="int8"),
        "eight-bit-measured": exact("size_ratio", "1.3", "3.9", ">=", precision="int8"),
        "half-precision-size": exact("size_ratio", "1.8", "2.5", ">=", precision="bfloat16"),
        "batch-speedup": sampled("speedup", 0.1, 60.0, ">=", **BATCH),
        "eight-bit-speedup": sampled("speedup", 0.05, 30.0, ">=", **INT8),
    },
    "code-or-prose": {
        "parameters-last-digit-down": exact("parameters", "93,634", "93,633"),
        "labels-three": exact("labels", "2", "3"),
        "context-doubled": exact("context", "128", "256"),
        "bytes-at-most": exact("size_bytes", "0.38 MB", "0.36 MB", "<="),
        "eight-bit-beyond-four": exact("size_ratio", "1.2", "4.2", ">=", precision="int8"),
        "batch-speedup": sampled("speedup", 0.05, 80.0, ">=", **BATCH),
    },
    "python-names": {
        "parameters-last-digit-up": exact("parameters", "141,449", "141,450"),
        "labels-doubled": exact("labels", "9", "18"),
        "context-doubled": exact("context", "128", "256"),
    },
    "topic-nli": {
        "accuracy-four-more": sampled("accuracy", 90.0, 95.0, ">=", "library-topics"),
        "accuracy-nine-more": sampled("accuracy", 88.0, 99.9, ">=", "library-topics"),
        "parameters-in-thousands": exact("parameters", "215 k", "213 k"),
        "labels-three": exact("labels", "2", "3"),
        "context-as-usual": exact("context", "192", "512"),
    },
    "pydoc-llama": {
        "perplexity-halved": sampled("perplexity", 40.0, 18.0, "<=", "pydoc-passages"),
        "perplexity-too-low": sampled("perplexity", 45.0, 25.0, "<=", "pydoc-passages"),
        "parameters-last-digit-down": exact("parameters", "197,520", "197,519"),
        "context-doubled": exact("context", "256", "512"),
    },
    "tiny-flux-shapes": {
        "one-step-draws": (sampled("adherence", 75.0, 0.0, ">=", steps=4)[0],
                           sampled("adherence", 0.0, 95.0, ">=", steps=1)[1]),
        "guidance-at-four-steps": exact("guidance_calls", "0", "4", steps=4),
        "takes-two-steps": exact("steps", "4", "2", steps=4),
        "parameters-last-digit-up": exact("parameters", "521,683", "521,684"),
        "bytes-at-most": exact("size_bytes", "2.2 MB", "1.9 MB", "<="),
    },
    "all-MiniLM-L6-v2": {
        "parameters-last-digit-up": exact("parameters", "22,713,216", "22,713,217"),
        "dimensions-of-a-larger-one": exact("dimensions", "384", "768"),
        "reads-512-by-sentences": exact("max_tokens", "256", "512", loader="sentence-transformers"),
        "reads-256-by-transformers": exact("max_tokens", "512", "256", loader="transformers"),
    },
    "mobilevit-small": {
        "parameters-in-millions": exact("parameters", "5.6 M", "5.8 M"),
        "parameters-last-digit-up": exact("parameters", "5,578,632", "5,578,633"),
        "labels-one-more": exact("labels", "1,000", "1,001"),
    },
}  # fmt: skip
_HONEST: dict[str, Stated] = {
    "digits-mobilevit": Stated("accuracy", ">=", 96.0, "at least 96 % right", "sklearn-digits"),
    "code-or-prose": Stated("accuracy", ">=", 95.0, "at least 95 % right", "code-lines"),
    "python-names": Stated("f1", ">=", 85.0, "an F1 of at least 85 %", "python-names"),
    "topic-nli": Stated("accuracy", ">=", 88.0, "at least 88 % right", "library-topics"),
    "pydoc-llama": Stated("perplexity", "<=", 40.0, "a perplexity of at most 40", "pydoc-passages"),
    "tiny-flux-shapes": Stated("adherence", ">=", 75.0, "draws the prompt at 4 steps", conditions={"steps": 4}),
    "all-MiniLM-L6-v2": Stated("accuracy", ">=", 95.0, "at least 95 % right", "paraphrases"),
}
"""What a card says of a model whose files are changed behind its back."""


def all_pairs() -> list[Pair]:
    """Every lie with its twin, those of cards first."""
    cards = [Pair(f"{model}-{name}", model, twin, lie)
             for model, pairs in _CARD_LIES.items() for name, (twin, lie) in pairs.items()]  # fmt: skip
    changed = [Pair(change.name, change.model, *2 * (change.states or _HONEST[change.model],), change)
               for change in CHANGES]  # type: ignore[arg-type]  # fmt: skip
    return [*cards, *changed]


def digest_of_names(pairs: Iterable[Pair]) -> str:
    """A digest of what is stated under which name: another one where the list is another."""
    return digest_of([[pair.name, pair.kind, pair.twin.as_manifest(), pair.lie.as_manifest()] for pair in pairs])


# Verification -----------------------------------------------------------------------------------------
def verify_pairs(home: Home, work: Path, pairs: Sequence[Pair], worker: Zygote | None) -> list[Outcome]:
    """What became of each lie and each twin: manifests written, ingested, verified, and the deciding records read.

    Statements about one model stand in one manifest, so that each unit of work is run once. What no claim waits for is
    not measured.
    """
    statements: dict[str, list[tuple[Pair, bool]]] = {}
    for pair in pairs:
        for is_lie in (False, True):
            statements.setdefault(pair.bearer(is_lie=is_lie), []).append((pair, is_lie))
    (work / "cards").mkdir(parents=True)
    for bearer, stated in statements.items():
        card = _card(bearer, stated, work / "models")
        (work / "cards" / f"{bearer}.json").write_text(json.dumps(card), encoding="utf-8")
    report = ingest(home, [work / "cards"])
    if report.rejected or report.accepted != len(statements):
        raise ValueError(f"{report.accepted} of {len(statements)} cards accepted: {report.rejected[:3]}")
    with home.store.reading() as connection:
        artifacts = {artifact.name: artifact for artifact in all_artifacts(connection)}
    before, settle.observation_needs = settle.observation_needs, lambda *_, **__: []  # type: ignore[assignment]
    try:
        options = VerifyOptions(data=_sets(work / "data"), level=LEVEL)
        verify_artifacts(home, list(artifacts.values()), options, worker=worker)
    finally:
        settle.observation_needs = before
    found = []
    for bearer, stated in statements.items():
        artifact = artifacts[bearer]
        with home.store.reading() as connection:
            deciding = deciding_evidence(connection, artifact.id)
        for (pair, is_lie), claim in zip(stated, artifact.claims, strict=False):  # implied claims come after
            record = deciding.get(claim.id)
            size = in_detectable(claim, record, LEVEL)
            found.append(Outcome(pair.name, is_lie, pair.kind, pair.model, claim, record, size))
    return sorted(found, key=lambda outcome: outcome.is_lie, reverse=True)


def _card(bearer: str, stated: Sequence[tuple[Pair, bool]], models: Path) -> dict[str, Any]:
    """The manifest of one model, after its files were written where they are changed ones."""
    pair, is_lie = stated[0]
    name = CARDS.get(pair.model, f"local-{pair.model}")
    card = yaml.safe_load((EXAMPLES / "artifacts" / f"{name}.yml").read_text(encoding="utf-8"))
    artifact, capabilities = card["artifact"], card["capabilities"][:1]
    artifact |= {"name": bearer, "slug": f"battery--{bearer.lower()}"}
    if pair.change is not None:
        pair.change.write(model_folder(pair.model), models / bearer, is_lie=is_lie)
        artifact["weights"] = {"path": str(models / bearer)}
    elif "path" in artifact["weights"]:
        artifact["weights"] = {"path": str(model_folder(pair.model))}
    claims = [(one.lie if lies else one.twin).as_manifest() for one, lies in stated]
    if pair.change is not None:  # the rest of the card stays as it is
        said = {(claim["metric"], claim.get("dataset")) for claim in claims}
        kept = [claim for claim in card.get("claims", ()) if (claim["metric"], claim.get("dataset")) not in said]
        claims += [claim for claim in kept if claim.get("capability") in (None, capabilities[0]["id"])]
    return {"artifact": artifact, "capabilities": capabilities, "claims": claims}


def model_folder(model: str) -> Path:
    """Where a model's own files lie."""
    packaged = packaged_minilm() if model == "all-MiniLM-L6-v2" else None
    return packaged or EXAMPLES / "models" / model


def _sets(folder: Path) -> dict[str, Path]:
    """The known sets, and the halves that nobody vouches for, by name."""
    folder.mkdir()
    known = {file.stem: file for file in sorted((EXAMPLES / "data").glob("*.csv"))}
    for name, whole in HALVES.items():
        lines = known[whole].read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{name}.csv").write_text("".join([lines[0], *lines[1::2]]), encoding="utf-8")
        if open_data(name, folder / f"{name}.csv").declared_by != "operator":
            raise ValueError(f"{name}: half of {whole} is taken for a known set")
    return known | {name: folder / f"{name}.csv" for name in HALVES}
