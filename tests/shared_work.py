"""Small model folders and a worker that answers by rule: what tests of shared work run, in processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.numpy import save_file

from graph.artifacts import Artifact, Capability, Source, Weights
from graph.claims import Claim, Scope, claim_id
from graph.home import open_home
from graph.settings import Settings
from graph.store.catalogue import save_artifacts
from inference.sandbox.zygote import Answer
from inference.work.executor import VerifyOptions, VerifyReport, verify_artifacts

LOADED: Final[dict[str, Any]] = {
    "missing": [], "missing_count": 0, "mismatched": [], "unused_count": 0, "parameters": 64, "values": {},
    "finite": True, "untried": "", "load_s": 0.1, "latency_s": 0.01, "peak_memory_bytes": 1000,
}  # fmt: skip


class RuledWorker:
    """Takes the place of a zygote: writes the name of each unit down, then answers, hangs or takes the process along.

    `hangs` and `kills` are places in the order of runs, from 0, of this worker.
    """

    def __init__(self, log: Path, *, hangs: int = -1, kills: Sequence[str] = (), takes_s: float = 0.02) -> None:
        self._log, self._hangs, self._kills, self._takes_s = log, hangs, kills, takes_s
        self.scratch = Path(tempfile.mkdtemp(dir=log.parent))
        self.import_s, self._runs = 0.0, 0
        self.times: list[tuple[float, float]] = []

    def run(self, probe: str, folder: Path, *rest: Any, **more: Any) -> Answer:
        """What the loading probe answers; asked to label texts, the first word of each. Others take it for nonsense."""
        with self._log.open("a") as stream:
            stream.write(f"{folder.parent.name} {os.getpid()}\n")
        if probe in self._kills:
            os.kill(os.getpid(), signal.SIGKILL)
        begun = time.monotonic()
        time.sleep(60.0 if self._runs == self._hangs else self._takes_s)
        self._runs += 1
        self.times.append((begun, time.monotonic()))
        raw = LOADED
        if probe == "text-classification":
            items = json.loads((folder.parent / "items" / "items.json").read_text(encoding="utf-8"))
            raw = {"answers": [item.split()[0] for item in items], "load_s": 0.1, "run_s": 0.1}
        return Answer(json.dumps(raw).encode(), None, "", ("ruled",), self._takes_s)

    def stop(self) -> None:
        """Nothing to stop."""


def make_models(folder: Path, count: int) -> list[Artifact]:
    """Artifacts with tiny weights of their own, whose only claim is that they load."""
    made = []
    for number in range(count):
        place = folder / f"m{number:02}"
        place.mkdir(parents=True)
        config = {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8, "num_hidden_layers": 1}
        (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
        save_file({"weight": np.full((8, 8), number, dtype=np.float32)}, place / "model.safetensors")
        name, scope = f"ann/m{number:02}", Scope()
        claim = Claim(id=claim_id(name, "", "loads", "=", None, "none", scope), artifact=name, metric="loads")
        made.append(Artifact(
            id=name, slug=name.replace("/", "--"), name=place.name, claims=(claim,), weights=Weights(path=str(place)),
            capabilities=(Capability(id="main", name="main", task="text.feature-extraction"),),
            source=Source(kind="model", file=name),
        ))  # fmt: skip
    return made


def verify_ruled(
    home: Path, artifacts: Sequence[Artifact], log: Path, rules: Mapping[str, Any] | None = None, **options: Any
) -> VerifyReport:
    """One verification with a ruled worker, in a home that is opened for it; with `jobs` it starts its own."""
    opened = open_home(Settings(home=home))
    try:
        with opened.store.writing() as connection:
            save_artifacts(connection, artifacts)
        chosen = VerifyOptions(trust=tuple(artifact.slug for artifact in artifacts), **options)
        worker: Any = RuledWorker(log, **(rules or {})) if chosen.jobs == 1 else None
        return verify_artifacts(opened, artifacts, chosen, worker=worker)
    finally:
        opened.close()


def start_ruled(*given: Any, **options: Any) -> multiprocessing.Process:
    """The same in a process of its own, forked, which imports nothing anew."""
    process = multiprocessing.get_context("fork").Process(target=verify_ruled, args=given, kwargs=options)
    process.start()
    return process  # type: ignore[return-value]


def runs_of(log: Path) -> list[str]:
    """The units in the order they were begun."""
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def wait_for(log: Path, lines: int, timeout_s: float = 30.0) -> None:
    """Until so many units were begun."""
    deadline = time.monotonic() + timeout_s
    while len(runs_of(log)) < lines:
        assert time.monotonic() < deadline, f"only {len(runs_of(log))} of {lines} units were begun"
        time.sleep(0.02)
