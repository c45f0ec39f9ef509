"""The sentence encoder on torch and in onnxruntime: one query, many texts, a fresh process; both sides in one run.

    python benchmarks/retrieval/encoder.py [--write]

The same weights, texts and threads on both sides, in alternation. Texts are drawn from a fixed list of words (seed 0):
queries of 4 to 16 words, bulk of 5 to 60. Wall time is the median of the repetitions; beside it stands the processor
time, which other work on the machine disturbs less. A fresh process is one that imports, opens and encodes one text.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from inference.embedder import Encoder, open_encoder, runtime_of

RESULT = Path(__file__).with_name("results") / "encoder.json"
RUNTIMES = ("torch", "onnx")
WORDS = ("a", "of", "for", "with", "on", "in", "that", "and", "model", "tool", "image", "text", "speech", "video",
         "classifies", "detects", "translates", "summarises", "transcribes", "ranks", "plants", "documents", "faces",
         "contracts", "phones", "offline", "multilingual", "small", "fast", "open", "licensed", "under", "parameters",
         "accuracy", "questions", "sentences", "depth", "segmentation", "embeddings", "search", "code")  # fmt: skip
FRESH = (
    "import sys; from pathlib import Path; from inference.embedder import open_encoder\n"
    "open_encoder(home=Path(sys.argv[1]), runtime=sys.argv[2], threads=1).encode(['estimate depth from one image'])"
)


def drawn(count: int, least: int, most: int) -> list[str]:
    """Texts of so many words, the same at every run."""
    draw = random.Random(0)
    return [" ".join(draw.choices(WORDS, k=draw.randint(least, most))) for _ in range(count)]


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of wall clock and of processor time of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def of_queries(encoders: dict[str, Encoder], count: int) -> dict[str, dict[str, float]]:
    """Milliseconds of one query, in alternation: median and 95th percentile of wall time, median of processor time."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in encoders}
    for text in drawn(count, 4, 16):
        for name, encoder in encoders.items():
            taken[name].append(timed(lambda encoder=encoder, text=text: encoder.encode([text])))
    return {
        name: {
            "median_ms": 1e3 * statistics.median(wall for wall, _ in each),
            "p95_ms": 1e3 * float(np.percentile([wall for wall, _ in each], 95)),
            "median_cpu_ms": 1e3 * statistics.median(cpu for _, cpu in each),
        }
        for name, each in taken.items()
    }


def of_bulk(encoders: dict[str, Encoder], count: int, repeats: int) -> dict[str, dict[str, float]]:
    """Texts a second and texts a processor second of many texts, in alternation, medians."""
    texts = drawn(count, 5, 60)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in encoders}
    for _ in range(repeats):
        for name, encoder in encoders.items():
            taken[name].append(timed(lambda encoder=encoder: encoder.encode(texts)))
    return {
        name: {
            "texts_per_s": count / statistics.median(wall for wall, _ in each),
            "texts_per_cpu_s": count / statistics.median(cpu for _, cpu in each),
        }
        for name, each in taken.items()
    }


def of_fresh(home: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds from the start of a process to its first vector and its end, in alternation, medians."""
    taken: dict[str, list[float]] = {name: [] for name in RUNTIMES}
    for _ in range(repeats):
        for name in RUNTIMES:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", FRESH, str(home), name], check=True, capture_output=True)
            taken[name].append(time.perf_counter() - began)
    return {name: {"median_s": statistics.median(each)} for name, each in taken.items()}


def main() -> None:
    """Measure, print, and with --write keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, load_before = Path(folder), os.getloadavg()[0]
        one = {name: open_encoder(home=home, runtime=name, threads=1) for name in RUNTIMES}  # type: ignore[arg-type]
        two = {name: open_encoder(home=home, runtime=name, threads=2) for name in RUNTIMES}  # type: ignore[arg-type]
        texts = drawn(64, 5, 60)
        vectors = {name: encoder.encode(texts) for name, encoder in one.items()}  # and loads them
        for encoder in two.values():
            encoder.encode(texts)
        runtime = runtime_of(one["onnx"])
        # Torch's threads are one setting of the process, that of the encoder loaded last: one after the other.
        import torch

        torch.set_num_threads(1)
        query, bulk_one = of_queries(one, 200), of_bulk(one, 256, 3)
        torch.set_num_threads(2)
        bulk_two = of_bulk(two, 256, 3)
        found = {
            "query_1_thread": query, "bulk_1_thread": bulk_one, "bulk_2_threads": bulk_two,
            "fresh_process": of_fresh(home, 3),
            "largest_difference": float(np.abs(vectors["onnx"] - vectors["torch"]).max()),
            "difference_on_the_sample": runtime.difference if runtime else None,
            "conditions": {
                "processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
                "load_before": round(load_before, 2), "load_after": round(os.getloadavg()[0], 2),
                **{name: version(name) for name in ("torch", "onnxruntime", "sentence-transformers", "tokenizers")},
            },
        }  # fmt: skip
    text = json.dumps(found, indent=1, default=float)
    print(text)
    if options.write:
        RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
