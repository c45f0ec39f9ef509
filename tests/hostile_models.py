"""Hostile model directories: every one by name with how it must end, and one way to put them through verification."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import hostile_files  # noqa: F401 - enters its cases
import hostile_weights  # noqa: F401 - enters its cases
import hostile_words  # noqa: F401 - enters its cases
from hostile_base import CASES, NORMAL, PAYLOAD, TASK, HostileModel, honest

from graph.artifacts import Artifact, Capability, Source, Weights, slug_of
from graph.claims import Claim, Scope, claim_id
from graph.home import Home
from graph.store.catalogue import save_artifacts
from graph.store.evidence import deciding_evidence
from inference.sandbox.zygote import Zygote
from inference.work.executor import VerifyOptions, verify_artifacts

__all__ = [
    "CASES",
    "MODULES",
    "NORMAL",
    "PAYLOAD",
    "Ending",
    "HostileModel",
    "artifact_of",
    "ending",
    "honest",
    "listing",
    "offspring",
]

LOADING_ONLY_S = 2.9
"""Below what the observing probes say that they cost."""
MODULES = ["torch", "transformers.pipelines", "diffusers", "sentence_transformers"]


def artifact_of(folder: Path) -> Artifact:
    """An artifact whose weights lie in a folder, with one capability and two claims: that it loads and that it runs."""
    name = f"stranger/{folder.name}"
    claims = []
    for metric in ("loads", "runs"):
        ident = claim_id(name, "main", metric, "=", None, "none", Scope())
        claims.append(Claim(id=ident, artifact=name, subject="main", metric=metric, comparator="=", value=None,
                            unit="none", capability="main", conditions=Scope()))  # fmt: skip
    return Artifact(
        id=name, slug=slug_of(name), name=folder.name, claims=tuple(claims), weights=Weights(path=str(folder)),
        capabilities=(Capability(id="main", name="main", task=TASK),), source=Source(kind="model", file=name),
    )  # fmt: skip


@dataclass(frozen=True)
class Ending:
    """Verdict, reason code and reason of the claim that a model loads, and verdict and code of that it runs."""

    loads: tuple[str | None, str | None]
    runs: tuple[str | None, str | None]
    reason: str
    layers: tuple[str, ...] = ()

    def fits(self, case: HostileModel) -> bool:
        """Whether a case may end like this."""
        return self.loads in case.ends and (case.runs is None or self.runs in case.runs)


def ending(
    home: Home, folder: Path, worker: Zygote | None, timeout_s: float = 20.0, trust: tuple[str, ...] = ()
) -> Ending:
    """How verification of the model in a folder ended.

    The first try has time for loading alone, and not for what is only observed (export, speed); a model that needs
    longer gets a second one without a budget.
    """
    artifact = artifact_of(folder)
    with home.store.writing() as connection:
        save_artifacts(connection, [artifact])
    for budget_s in (LOADING_ONLY_S, None):
        options = VerifyOptions(unit_timeout_s=timeout_s, budget_s=budget_s, trust=trust)
        verify_artifacts(home, [artifact], options, worker=worker)
        with home.store.reading() as connection:
            records = deciding_evidence(connection, artifact.id)
        if len(records) == len(artifact.claims):
            break
    loads, runs = (records[claim.id] for claim in artifact.claims)
    return Ending((loads.verdict, loads.reason_code), (runs.verdict, runs.reason_code), loads.reason, loads.sandbox)


def listing(*folders: Path) -> dict[str, tuple[int, ...]]:
    """All names below some folders, with what changes when someone writes there."""
    found = {}
    for folder in folders:
        for parent, names, files in os.walk(folder):
            for name in (*names, *files):
                state = os.lstat(f"{parent}/{name}")
                found[f"{parent}/{name}"] = (state.st_mode, state.st_size, state.st_mtime_ns, state.st_uid)
    return found


def offspring(parent: int) -> set[int]:
    """The processes below a process, itself left out."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(above, []).append(int(entry.name))
    found, pending = set(), [parent]
    while pending:
        for child in children.get(pending.pop(), []):
            found.add(child)
            pending.append(child)
    return found
