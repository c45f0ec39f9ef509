"""Making the index from the catalogue: check, unite, gate, embed what is new, write, switch.

Everything finished is kept as it goes, so that Ctrl-C loses at most one batch and the next build resumes; the live
snapshot changes at the very end, at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from graph.artifacts import Artifact
from graph.claims import VERDICTS, Evidence
from graph.digest import digest_of, text_digest
from graph.errors import SnapshotError
from graph.events import now_us
from graph.home import Home
from graph.policy import Policy
from graph.policy_file import find_policy
from graph.ranks.kept_ranks import keep_newest
from graph.store.catalogue import all_artifacts, all_canonical, assignments, vector_key
from graph.store.evidence import deciding_evidence
from indexer.calibration.fit import Calibration, calibrate
from indexer.calibration.questions import admitted_sentences
from indexer.canonical import assign_canonical, surviving_uris
from indexer.decompose import IndexText, texts_of
from indexer.embedding import embed_missing, read_vectors
from indexer.gate import Admission, Refused, admit, refuted_by_artifact
from indexer.progress import OnProgress, Progress, silent
from indexer.snapshot import Draft, Row, content_digest, write_snapshot
from indexer.snapshots import build_lock, check_files, current_id

if TYPE_CHECKING:
    from inference.embedder import Encoder

Verify = Callable[[Home, Sequence[Artifact], float | None, OnProgress], object]
"""Runs checks and probes on artifacts within a budget in seconds, keeping evidence as it goes."""
_RULES: Final = TypeAdapter(Policy)


@dataclass(frozen=True)
class BuildReport:
    """What a build made.

    `unchanged` where the live snapshot already was it; `embedded` counts the texts that had no vector yet, `claims`
    the verdicts of all claims stated (claimed: none yet).
    """

    snapshot: str
    unchanged: bool
    artifacts: int
    capabilities: int
    rows: int
    embedded: int
    policy: str
    refused: tuple[Refused, ...]
    claims: dict[str, int]


def build(
    home: Home,
    encoder: Encoder,
    *,
    policy: str | Policy = "default",
    probe: bool = True,
    budget_s: float | None = None,
    verify: Verify | None = None,
    on_progress: OnProgress = silent,
) -> BuildReport:
    """Check, unite, gate, embed what is new, and switch to a fresh snapshot; what came of it.

    Parameters
    ----------
    home
        Whose catalogue.
    encoder
        Makes the vectors.
    policy
        The gate's rules: a preset's name, a YAML file, or a policy.
    probe
        Whether to run models; checks are made all the same.
    budget_s
        Seconds for probes; None is no limit.
    verify
        What runs them; default `inference.work.executor.verify_artifacts`.
    on_progress
        Hears of every stage.

    Raises
    ------
    SnapshotError
        Another build is running, or the snapshot cannot be written; the live one stays as it was.
    """
    rules = find_policy(policy) if isinstance(policy, str) else policy
    with build_lock(home.snapshots):
        if verify is None:
            _verify(home, _catalogue(home), budget_s, on_progress, run_models=probe)
        elif probe:
            verify(home, _catalogue(home), budget_s, on_progress)
        with home.store.reading() as connection:
            artifacts = all_artifacts(connection)
            evidence = deciding_evidence(connection)
        refuted = refuted_by_artifact(artifacts, evidence)
        embedded = assign_canonical(home, encoder, artifacts, refuted, on_progress)
        admission = admit(artifacts, evidence, rules, now_us())
        rows, texts = _rows(home, artifacts, admission)
        embedded += embed_missing(home, encoder, texts, on_progress)
        on_progress(Progress("index", 0, len(rows)))
        live = _live_content(home)
        unchanged = live is not None and live[1] == content_digest(encoder.info, _plain(rules), rows)
        snapshot = live[0] if live is not None and unchanged else _write(
            home, encoder, rules, artifacts, admission, rows, texts
        )  # fmt: skip
        on_progress(Progress("index", len(rows), len(rows)))
    keep_newest(home.store)
    return BuildReport(
        snapshot=snapshot, unchanged=unchanged, artifacts=len({row.artifact for row in rows}),
        capabilities=len({(row.artifact, row.capability) for row in rows}), rows=len(rows), embedded=embedded,
        policy=rules.name, refused=admission.refused, claims=count_verdicts(artifacts, evidence),
    )  # fmt: skip


def count_verdicts(artifacts: Iterable[Artifact], evidence: Mapping[str, Evidence]) -> dict[str, int]:
    """How many stated claims stand at each verdict; `claimed` have none yet. They sum to all claims."""
    counts = dict.fromkeys((*VERDICTS, "claimed"), 0)
    for artifact in artifacts:
        for claim in artifact.claims:
            verdict = evidence[claim.id].verdict if claim.id in evidence else None
            counts[verdict or "claimed"] += 1
    return counts


def _catalogue(home: Home) -> list[Artifact]:
    with home.store.reading() as connection:
        return all_artifacts(connection)


def _rows(home: Home, artifacts: Sequence[Artifact], admission: Admission) -> tuple[list[Row], list[str]]:
    """Rows of the index with their texts: artifacts by id, their capabilities and texts in the order given."""
    with home.store.reading() as connection:
        uris = assignments(connection)
        survivors = surviving_uris(all_canonical(connection))
    rows: list[Row] = []
    texts: list[str] = []
    for artifact in artifacts:
        for text in texts_of(artifact, admission.refuted.get(artifact.id, frozenset())):
            if (artifact.id, text.capability) in admission.admitted:
                uri = uris.get((artifact.id, text.capability))
                rows.append(_row(artifact, text, survivors.get(uri) if uri else None))
                texts.append(text.text)
    return rows, texts


def _row(artifact: Artifact, text: IndexText, uri: str | None) -> Row:
    return Row(
        artifact=artifact.id, slug=artifact.slug, name=artifact.name, type=artifact.type,
        capability=text.capability, uri=uri, kind=text.kind, key=vector_key(text.text),
    )  # fmt: skip


def _live_content(home: Home) -> tuple[str, str] | None:
    """Id and content digest of the live snapshot; None where there is none, or it is damaged and must be replaced."""
    try:
        name = current_id(home.snapshots)
        return None if name is None else (name, check_files(home.snapshots / name).content)
    except SnapshotError:
        return None


def _write(
    home: Home,
    encoder: Encoder,
    rules: Policy,
    artifacts: Sequence[Artifact],
    admission: Admission,
    rows: list[Row],
    texts: list[str],
) -> str:
    vectors = read_vectors(home, encoder, texts)
    draft = Draft(
        encoder=encoder.info, policy=rules.name, rules=_plain(rules),
        catalogue=digest_of([[artifact.id, text_digest(artifact.model_dump_json())] for artifact in artifacts]),
        rows=rows, texts=texts, vectors=vectors,
        counts={
            "artifacts": len({row.artifact for row in rows}),
            "capabilities": len({(row.artifact, row.capability) for row in rows}),
            "rows": len(rows),
        },
        refused=admission.refused, calibration=_calibrated(home, encoder, artifacts, admission, vectors),
    )  # fmt: skip
    return write_snapshot(home.snapshots, draft).id


def _calibrated(
    home: Home, encoder: Encoder, artifacts: Sequence[Artifact], admission: Admission, vectors: NDArray[np.float32]
) -> Calibration | None:
    """The calibration; vectors of its queries are kept like those of texts, for the next build."""

    def embed(queries: Sequence[str]) -> NDArray[np.float32]:
        embed_missing(home, encoder, queries)
        return read_vectors(home, encoder, queries)

    return calibrate(admitted_sentences(artifacts, admission), vectors, embed)


def _plain(rules: Policy) -> dict[str, object]:
    plain: dict[str, object] = _RULES.dump_python(rules, mode="json")
    return plain


def _verify(
    home: Home, artifacts: Sequence[Artifact], budget_s: float | None, on_progress: OnProgress, *, run_models: bool
) -> None:
    from inference.work.executor import VerifyOptions, VerifyProgress, verify_artifacts

    def hear(heard: VerifyProgress) -> None:
        on_progress(Progress("verify", heard.done, heard.total, heard.left_s))

    verify_artifacts(home, artifacts, VerifyOptions(budget_s=budget_s, run_models=run_models), hear)
