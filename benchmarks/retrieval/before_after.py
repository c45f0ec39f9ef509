"""What a query costs in another version of this repository and in this one, in alternation.

    git worktree add ../before REVISION
    python benchmarks/retrieval/before_after.py ../before --homes FOLDER [--sizes 1000x10000,10000x100000] [--rounds 2]

FOLDER holds homes that `speed.py --homes FOLDER` of the older version made; each version asks its own copy of them. A
process each, one after the other: 100 new queries first, then the encoder alone and a new query in turn, each after a
known one, then the known ones. Prints medians in milliseconds: the encoder, a known query in all, a new one beyond the
encoder.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
COUNT = 100


def ask(folder: Path) -> None:
    """Ask a home and print what it took; runs in the version that PYTHONPATH names."""
    import speed

    from graph.home import open_home
    from graph.settings import Settings
    from inference.embedder import open_encoder
    from search.engine import LOCAL, Engine
    from search.memory import SearchRequest

    home = open_home(Settings(home=folder))
    engine = Engine(home, open_encoder(threads=1, home=folder))
    if hasattr(engine, "warm"):
        engine.warm()
    draw = random.Random(f"{time.time()}")
    texts = [f"{speed.made_text(draw)} and {speed.made_text(draw)}" for _ in range(3 * COUNT)]

    def took_ms(call: Callable[[], object]) -> float:
        began = time.perf_counter()
        call()
        return 1e3 * (time.perf_counter() - began)

    def search_ms(text: str) -> float:
        return took_ms(lambda: engine.search(SearchRequest(text, LOCAL)))

    for text in texts[:COUNT]:
        search_ms(text)
    encoder, new = [], []
    for other, text in zip(texts[COUNT : 2 * COUNT], texts[2 * COUNT :], strict=True):
        search_ms(texts[1])
        encoder.append(took_ms(lambda other=other: engine.encoder.encode([other])))  # type: ignore[misc]
        search_ms(texts[2])
        new.append(search_ms(text))
    known = [search_ms(text) for text in texts[2 * COUNT :]]
    home.close()
    alone = statistics.median(encoder)
    print(
        f"encoder {alone:.1f}, known {statistics.median(known):.1f}, "
        f"new beyond the encoder {statistics.median(new) - alone:.1f}"
    )


def main() -> None:
    """Ask both versions in alternation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("--homes", type=Path, required=True)
    parser.add_argument("--sizes", default="1000x10000,10000x100000")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--ask", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        ask(options.homes)
        return
    versions = {"before": options.before.resolve(), "now": HERE}
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes.split(","):
            for name in versions:
                shutil.copytree(options.homes / size, Path(folder) / name / size)
            for _ in range(options.rounds):
                for name, checkout in versions.items():
                    paths = os.pathsep.join([str(checkout), str(checkout / "benchmarks" / "retrieval")])
                    print(f"{size} {name:7}", end="", flush=True)
                    home = str(Path(folder) / name / size)
                    asking = [sys.executable, __file__, str(options.before), "--ask", "--homes", home]
                    subprocess.run(asking, env={**os.environ, "PYTHONPATH": paths}, check=True, cwd=folder)


if __name__ == "__main__":
    main()
