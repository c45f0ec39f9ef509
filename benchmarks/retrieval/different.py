"""Something different on APIBench: a real instruction, its labelled model not wanted, one difference.

    python benchmarks/retrieval/different.py ../shared/data/apibench [--hub huggingface] [--write]

For each instruction with a labelled model X and each attribute that X is known to have, one case: "but from another
family", "… organisation", "… library", "but smaller", "but larger", where at least one artifact is right. Right is what
has X's published domain, differs from X as asked, and neither is X nor has its name. X's own domain judges, so it is
hidden from the engine; the figure with it is reported apart, as a ceiling. Attributes are published fields
(organisation, library) and, for family and size, words of the model's name, put into the catalogue for the judge and
the engine alike; "names only" leaves family and parameters out of the catalogue, so that the engine reads names itself.
Everything goes through `evaluate search`: the engine sees text, reject and phrase, never the answers.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from graph.settings import Settings
from indexer.sources import apibench_catalogue, apibench_queries
from search.evaluation.evaluate import EvaluateFiles, evaluate_search

FILES: Final = {
    "huggingface": ("huggingface_eval",),
    "torchhub": ("torchhub_eval", "torchhub_train"),
    "tensorflowhub": ("tensorflow_eval",),
}
PHRASES: Final = {
    "family": "but from another family",
    "organization": "but from another organisation",
    "library": "but with another library",
    "smaller": "but smaller",
    "larger": "but larger",
}
SIZES: Final = {
    "tiny": 15_000_000, "mini": 25_000_000, "small": 50_000_000, "base": 110_000_000, "medium": 250_000_000,
    "large": 340_000_000, "xl": 1_500_000_000, "xlarge": 1_500_000_000, "huge": 2_000_000_000, "xxl": 5_000_000_000,
}  # fmt: skip
"""What the judge takes words for sizes for: an order, not a measurement."""
FAMILIES: Final = frozenset((
    "albert", "bert", "distilbert", "roberta", "xlm", "deberta", "electra", "mpnet", "minilm", "t5", "flan", "mt5",
    "bart", "mbart", "pegasus", "gpt2", "gpt", "opt", "bloom", "bloomz", "blenderbot", "dialogpt", "pygmalion",
    "marian", "opus", "m2m100", "nllb", "longformer", "bigbird", "tapas", "tapex", "layoutlm", "layoutlmv2",
    "layoutlmv3", "donut", "lilt", "wav2vec2", "hubert", "wavlm", "whisper", "sepformer", "tacotron2",
    "fastspeech2", "hifigan", "speecht5", "vits", "clip", "blip", "git", "vit", "deit", "swin", "beit", "convnext",
    "resnet", "mobilenet", "yolov5", "yolov8", "yolov8m", "yolov8s", "yolov8n", "detr", "deta", "yolos", "owlvit",
    "segformer", "maskformer", "mask2former", "oneformer", "upernet", "glpn", "dpt", "videomae", "timesformer",
    "xclip", "stable", "ddpm", "controlnet", "vilt", "trocr", "codegen", "llama", "minigpt", "clap", "efficientnet",
    "mobilevit", "levit", "fnet", "gptj", "rwkv", "codebert", "graphcodebert", "sbert", "simcse", "distilbart",
    "distilgpt2", "distilroberta", "ppo", "dqn", "a2c",
))  # fmt: skip
LIBRARIES: Final = {
    "hugging face transformers": "transformers", "hugging face": "transformers", "pytorch transformers": "transformers",
}  # fmt: skip
RESULTS: Final = Path(__file__).with_name("results") / "different.json"


def size_of(name: str) -> int | None:
    """Parameters that a name stands for, by its first number or word for a size; None without one."""
    for word in re.split(r"[^a-z0-9.]+", name.lower()):
        number = re.fullmatch(r"(\d+(?:\.\d+)?)([mb])", word)
        if word in SIZES or number:
            return SIZES[word] if word in SIZES else int(float(number[1]) * {"m": 1e6, "b": 1e9}[number[2]])  # type: ignore[index]
    return None


def described(row: Mapping[str, Any]) -> dict[str, Any]:
    """A catalogue row with family, size and library as the judge knows them."""
    tail = str(row["id"]).rpartition("/")[2]
    family = next((word for word in re.split(r"[^a-z0-9]+", tail.lower()) if word in FAMILIES), None)
    library = str(row.get("library", "")).lower()
    found = {"family": family, "params": row.get("params") or size_of(tail), "library": LIBRARIES.get(library, library)}
    return {**row, **{name: value for name, value in found.items() if value}}


def is_right(kind: str, row: Mapping[str, Any], rejected: Mapping[str, Any]) -> bool:
    """Whether a row answers a case."""
    names = [_without_owner(str(each["id"])) for each in (row, rejected)]
    if row["id"] == rejected["id"] or names[0] == names[1] or row.get("domain") != rejected.get("domain"):
        return False
    field = "params" if kind in ("smaller", "larger") else kind
    one, other = row.get(field), rejected.get(field)
    if one is None or other is None:
        return False
    if field == "params":
        return bool(one < other if kind == "smaller" else one > other)
    return str(one).lower() != str(other).lower()


def _without_owner(identity: str) -> str:
    """The name in `owner/name`; an id of any other form, such as a hub path that ends in a version, as it is."""
    owner, _, name = identity.lower().partition("/")
    return name if name and "/" not in name else f"{owner}/{name}"


def cases_of(
    catalogue: Mapping[str, Mapping[str, Any]], queries: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Every case with at least one right answer, in the order of the queries."""
    for query in queries:
        rejected = catalogue.get(query["rel"][0])
        for kind, phrase in PHRASES.items() if rejected else ():
            rel = [str(row["id"]) for row in catalogue.values() if is_right(kind, row, rejected)]  # type: ignore[arg-type]
            if rel:
                qid = f"{query['qid']}-{kind}"
                yield {"qid": qid, "text": query["text"], "reject": query["rel"][0], "phrase": phrase, "rel": rel}


def measure(root: Path, hub: str, *, names_only: bool) -> dict[str, Any]:
    """The figures of one hub: hidden and seen domain, by kind of difference and together."""
    rows = list(apibench_catalogue(root, hub))  # type: ignore[arg-type]
    catalogue = {str(row["id"]): described(row) for row in rows}
    queries = [q for name in FILES[hub] for q in apibench_queries(root / "data" / "apibench" / f"{name}.json")]
    cases = list(cases_of(catalogue, queries))
    shown = rows if names_only else list(catalogue.values())
    with tempfile.TemporaryDirectory() as folder:
        files = EvaluateFiles(
            _write(Path(folder) / "catalogue.jsonl", shown), _write(Path(folder) / "queries.jsonl", queries[:1]),
            different=_write(Path(folder) / "different.jsonl", cases),
        )  # fmt: skip
        found = evaluate_search(Settings(), files)
    kinds = Counter(case["qid"].rpartition("-")[2] for case in cases)
    return {
        "n": len(cases), "kinds": dict(sorted(kinds.items())),
        "hidden": found["sets"]["different"]["all"], "with_domain": found["different_with_domain"]["all"],
    }  # fmt: skip


def _write(file: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    with file.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    return file


def main() -> None:
    """Measure, print one line per hub, and write the documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("apibench", type=Path)
    parser.add_argument("--hub", choices=tuple(FILES), action="append")
    parser.add_argument("--write", action="store_true", help="write the results beside this script")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for hub in options.hub or FILES:
        for names_only in (False, True):
            name = f"{hub}, {'names only' if names_only else 'family and size in the catalogue'}"
            found[name] = measure(options.apibench, hub, names_only=names_only)
            for kind in ("hidden", "with_domain"):
                p1, seen = found[name][kind]["p@1"], found[name][kind]["rejected_in_top5"]["value"]
                print(
                    f"{name:48} {kind:12} n {found[name]['n']:5} P@1 {p1['value']:.3f} "
                    f"[{p1['low']:.3f}, {p1['high']:.3f}], X in the top 5: {seen:.3f}", flush=True,
                )  # fmt: skip
    if options.write:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
