"""Milliseconds to set up and take down one locked-down child, by what is switched off; the layers that were active.

Run: python benchmarks/sandbox/setup.py [children] [module ...]
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from inference.sandbox.zygote import Zygote

WAYS: tuple[tuple[str, ...], ...] = (
    (), ("namespaces",), ("cgroups",), ("landlock",), ("seccomp",), ("setuid",),
    ("cgroups", "landlock", "namespaces", "seccomp", "setuid"),
)  # fmt: skip


def measure(children: int, modules: list[str]) -> list[dict[str, object]]:
    """The median and the 95th percentile of each way, over children in alternation."""
    zygotes = [Zygote(modules, without=way) for way in WAYS]
    times: list[list[float]] = [[] for _ in WAYS]
    try:
        layers = [zygote.layers() for zygote in zygotes]  # imports
        for _ in range(children):
            for zygote, own in zip(zygotes, times, strict=True):
                started = time.perf_counter()
                zygote.layers()
                own.append(1e3 * (time.perf_counter() - started))
    finally:
        for zygote in zygotes:
            zygote.__exit__(None, None, None)
    return [
        {
            "without": list(way),
            "median_ms": round(statistics.median(own), 2),
            "p95_ms": round(statistics.quantiles(own, n=20)[18], 2),
            "layers": list(active),
        }
        for way, own, active in zip(WAYS, times, layers, strict=True)
    ]


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 30, sys.argv[2:]):
        print(json.dumps(row))
