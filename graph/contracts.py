"""The published JSON Schemas: generated from the types, committed under `docs/schemas`, compared by a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from graph import event_responses, graph_responses, model_comparison, responses, work_responses
from graph.artifacts import Artifact
from graph.claims import Claim, ClaimReport, Evidence
from graph.events import EVENT

CONTRACTS: Final[dict[str, type[BaseModel]]] = {
    "artifact": Artifact,
    "artifact-report": responses.ArtifactReport,
    "build": work_responses.BuildResponse,
    "capability-report": responses.CanonicalReport,
    "claim": Claim,
    "claim-report": ClaimReport,
    "compare": responses.CompareResponse,
    "events-demand": event_responses.DemandResponse,
    "events-export": event_responses.ExportResponse,
    "events-forget": event_responses.ForgetResponse,
    "events-import": event_responses.ImportResponse,
    "evaluate-models": model_comparison.EvaluateModelsResponse,
    "evaluate-search": responses.EvaluateResponse,
    "evidence": Evidence,
    "graph-explain": graph_responses.RankExplanation,
    "graph-export": graph_responses.GraphDocument,
    "graph-export-report": graph_responses.GraphExportReport,
    "graph-history": graph_responses.HistoryReport,
    "graph-neighbors": graph_responses.NeighborsReport,
    "graph-path": graph_responses.PathReport,
    "graph-rebuild": graph_responses.RebuildReport,
    "graph-show": graph_responses.NodeReport,
    "graph-top": graph_responses.TopReport,
    "graph-stats": responses.GraphStats,
    "health": responses.Health,
    "lint": work_responses.LintResponse,
    "ingest": work_responses.IngestResponse,
    "outcome": responses.OutcomeResponse,
    "plan": work_responses.PlanResponse,
    "reproduce": work_responses.ReproduceResponse,
    "search": responses.SearchResponse,
    "snapshot": work_responses.SnapshotInfo,
    "verify": work_responses.VerifyResponse,
}


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema (draft 2020-12) of every contract, by name; answers in the form that is sent."""
    found = {name: model.model_json_schema(mode="serialization") for name, model in CONTRACTS.items()}
    found["event"] = EVENT.json_schema(mode="serialization")
    return dict(sorted(found.items()))


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema as `<name>.json` into a folder; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        written.append(file)
    return written


if __name__ == "__main__":
    write_schemas(Path(__file__).resolve().parents[1] / "docs" / "schemas")
