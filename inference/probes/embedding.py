"""Sentence embeddings: their length, how many tokens are read (by loader), and whether paraphrases lie nearer."""

from __future__ import annotations

import json
import random
import time
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from graph.claims import Scope
from inference.data.sets import LabelledSet
from inference.probes.base import (
    LOAD_SAFELY,
    RUNS_DECLARED,
    Measured,
    Measurement,
    ProbeFailure,
    ProbeInfo,
    RawAnswers,
    RunTask,
    Subject,
    load_seconds,
    loading,
    score_answers,
    transformer_folder,
)

TASKS: Final = ("text.sentence-similarity", "text.feature-extraction")
MODULES: Final = ("torch", "transformers", "sentence_transformers")
_LONG_TEXT: Final = "a " * 20_000
_BATCH: Final = 32


class _RawShape(BaseModel):
    """The child's answer: vector length, and tokens read by each loader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(ge=1)
    parameters: int = Field(ge=0)
    tokens: dict[Literal["sentence-transformers", "transformers"], int]
    finite: bool


class EmbeddingShapeProbe:
    """Length of the vectors, and tokens read of a long text, through sentence-transformers and transformers."""

    info = ProbeInfo(
        name="embedding",
        version="2",
        metrics=("dimensions", "max_tokens", "parameters"),
        tasks=TASKS,
        modules=MODULES,
        control="a text twice as long must give no more tokens",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load and to encode one sentence; None where the model does not embed text."""
        fits = subject.task in TASKS and subject.tier == "artifact"
        return load_seconds(subject) + 1.0 if fits else None

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: what one sentence and one very long text give."""
        import numpy as np
        from transformers import AutoConfig, AutoTokenizer

        model = load_sentence_model(task)
        with loading("embeds"):
            folder = transformer_folder(task.folder)
            tokenizer = AutoTokenizer.from_pretrained(folder, **LOAD_SAFELY)
            config = AutoConfig.from_pretrained(folder, **LOAD_SAFELY)
        vector = np.asarray(model.encode(["One sentence."], show_progress_bar=False))[0]
        tokens = {}
        for loader, count in (
            ("sentence-transformers", lambda text: model.preprocess([text])["input_ids"].shape[1]),
            ("transformers", lambda text: len(tokenizer(text, truncation=True)["input_ids"])),
        ):
            once, twice = int(count(_LONG_TEXT)), int(count(_LONG_TEXT * 2))
            if once == twice:  # else there is no limit that this text reaches
                tokens[loader] = once
        positions = getattr(config.get_text_config(), "max_position_embeddings", None)
        if positions and tokens.get("transformers", 0) > positions:
            del tokens["transformers"]  # the tokenizer alone would let more through than the model can read
        return {
            "dimensions": int(vector.shape[0]),
            "parameters": sum(tensor.numel() for tensor in model.parameters()),
            "tokens": tokens,
            "finite": bool(np.isfinite(vector).all()),
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Dimensions and parameters, and tokens read through each loader that has a limit."""
        answer = _RawShape.model_validate_json(raw)
        by_sentence = Scope(loader="sentence-transformers", batch_size=1)
        found = [
            Measurement(metric="dimensions", value=float(answer.dimensions), scope=by_sentence),
            Measurement(metric="parameters", value=float(answer.parameters), scope=by_sentence),
        ]
        for loader, count in sorted(answer.tokens.items()):
            scope = Scope(loader=loader, batch_size=1)
            found.append(Measurement(metric="max_tokens", value=float(count), scope=scope))
        return Measured(loads=True, finite=answer.finite, measurements=tuple(found))


class SimilarityProbe:
    """On triples, whether the paraphrase lies nearer to the anchor than the unrelated text, by cosine.

    The child sees the two texts in an order drawn by seed and cannot tell which is which; a tie is a wrong answer.
    """

    info = ProbeInfo(
        name="similarity",
        version="2",
        metrics=("accuracy", "runs"),
        tasks=TASKS,
        needs="triples",
        modules=MODULES,
        control="the same answers against shuffled orders must be chance",
        declared=RUNS_DECLARED,
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load and to encode three texts an item; None where model or set do not fit."""
        if data is None or data.kind != "triples" or subject.task not in TASKS:
            return None
        return load_seconds(subject) + 1.0 + 3 * len(data.items) * (0.0005 + 2 * 16 * (subject.parameters or 0) / 1e11)

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: for each item which of two texts is nearer, `first`, `second` or `tie`."""
        import numpy as np

        if task.items is None:
            raise ProbeFailure("no_data", "no items were staged")
        shown = json.loads((task.items / "items.json").read_text(encoding="utf-8"))
        started = time.perf_counter()
        model = load_sentence_model(task)
        loaded = time.perf_counter()
        flat = [text for item in shown for text in item]
        vectors = np.asarray(model.encode(flat, batch_size=_BATCH, show_progress_bar=False), np.float64)
        if not np.isfinite(vectors).all():
            raise ProbeFailure("non_finite", "a vector is not finite")
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
        anchors, firsts, seconds = vectors[0::3], vectors[1::3], vectors[2::3]
        gaps = ((firsts - seconds) * anchors).sum(axis=1)
        answers = ["tie" if abs(gap) < 1e-9 else "first" if gap > 0 else "second" for gap in gaps]
        return {"answers": answers, "load_s": loaded - started, "run_s": time.perf_counter() - loaded}

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Right answers among all triples; chance is one half."""
        if data is None:
            raise ValueError("a labelled set is needed")
        _, labels = shown_triples(data)
        return score_answers(RawAnswers.model_validate_json(raw), labels, 0.5, 2, by_label=False)


def shown_triples(data: LabelledSet, seed: int = 0) -> tuple[list[list[str]], list[str]]:
    """The triples as the child sees them, [anchor, text, text], and which text is the paraphrase of each."""
    draw = random.Random(f"{seed}:{data.digest}")
    shown, labels = [], []
    for anchor, paraphrase, unrelated in data.triples:
        first = draw.random() < 0.5
        shown.append([anchor, paraphrase, unrelated] if first else [anchor, unrelated, paraphrase])
        labels.append("first" if first else "second")
    return shown, labels


def load_sentence_model(task: RunTask) -> Any:
    """The folder as a sentence-transformers model on the CPU; a plain transformer gets mean pooling.

    Raises
    ------
    ProbeFailure
        It does not load; a plain transformer that cannot be wrapped this way is not at fault.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(task.seed)
    safely = {"use_safetensors": True, "local_files_only": True}
    try:
        with loading("embeds"):
            return SentenceTransformer(
                str(task.folder), device="cpu", local_files_only=True, trust_remote_code=False, model_kwargs=safely
            )
    except ProbeFailure as failure:
        if failure.code == "load_failed" and not (task.folder / "modules.json").exists():
            raise ProbeFailure("missing_dependency", f"no sentence embedder: {failure.what}") from failure
        raise
