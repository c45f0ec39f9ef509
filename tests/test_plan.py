"""`verify --plan`: what it says comes true, to the claim, and it runs and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from shared_work import runs_of, verify_ruled

from graph.artifacts import Artifact, Capability, Source, Weights
from graph.claims import Claim, Scope, claim_id
from graph.home import Home
from graph.store.catalogue import save_artifacts
from graph.store.evidence import count_evidence, trusted_names
from graph.store.jobs import lease_owners
from indexer.claims import with_implied_claims
from inference.work.executor import VerifyOptions, VerifyReport
from inference.work.plan import ANY_NAME, Plan, plan_verification

TASK = "text.text-classification"


def make_classifier(folder: Path, name: str, labels: tuple[str, ...], *datasets: str) -> Artifact:
    """A text classifier with tiny weights that claims an accuracy on each of these sets, and to run."""
    place, number = folder / name, sum(map(ord, name))
    place.mkdir(parents=True)
    config = {
        "model_type": "bert", "architectures": ["BertForSequenceClassification"], "hidden_size": 8,
        "num_hidden_layers": 1, "id2label": {str(i): label for i, label in enumerate(labels)},
    }  # fmt: skip
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file({"weight": np.full((8, 8), number, dtype=np.float32)}, place / "model.safetensors")
    return with_claims(name, Weights(path=str(place)), datasets)


def with_claims(name: str, weights: Weights, datasets: tuple[str, ...]) -> Artifact:
    claims = []
    for dataset in datasets:
        scope = Scope(dataset=dataset)
        ident = claim_id(name, "", "accuracy", ">=", 50.0, "percent", scope)
        claims.append(Claim(id=ident, artifact=name, metric="accuracy", comparator=">=", value=50.0, unit="percent",
                            conditions=scope))  # fmt: skip
    return with_implied_claims(Artifact(
        id=name, slug=name, name=name, claims=tuple(claims), weights=weights,
        capabilities=(Capability(id="main", name="main", task=TASK),), source=Source(kind="model", file=name),
    ))  # fmt: skip


@pytest.fixture
def models(tmp_path: Path) -> list[Artifact]:
    folder = tmp_path / "models"
    return [
        make_classifier(folder, "one", ("a", "b"), "letters", "Mixed"),
        make_classifier(folder, "two", ("a", "b"), "LETTERS", "elsewhere"),
        make_classifier(folder, "three", ("a", "b")),
        make_classifier(folder, "four", ("x", "y"), "ends", "mixed"),
        with_claims("five", Weights(), ("letters",)),
    ]


def plan_of(home: Home, models: list[Artifact], **options: Any) -> Plan:
    with home.store.writing() as connection:
        save_artifacts(connection, models)
    return plan_verification(home, models, VerifyOptions(trust=tuple(model.slug for model in models), **options))


def without_data(report: VerifyReport) -> int:
    return sum(count.claims for count in report.counts if count.reason_code == "no_data")


def test_the_first_set_moves_exactly_the_predicted_number_out_of_no_data(
    home: Home, tmp_path: Path, models: list[Artifact]
) -> None:
    before = plan_of(home, models)
    assert next((w.name, w.claims, w.at_most) for w in before.data) == ("letters", 5, True)  # not loaded yet
    report = verify_ruled(home.path, models, tmp_path / "log")
    assert without_data(report) == before.without_data
    plan = plan_of(home, models)
    assert [(w.name, w.kind, w.labels, w.claims, w.at_most) for w in plan.data] == [
        ("letters", "text", ("a", "b"), 5, False),  # two accuracies, and whether one, two and three run
        ("elsewhere", "text", ("a", "b"), 4, False),
        ("Mixed", "text", ("a", "b"), 4, True),  # the fourth model's labels are others
        ("ends", "text", ("x", "y"), 2, False),
    ]
    assert [(w.name, w.labels, w.claims) for w in plan.any_data] == [
        (ANY_NAME, ("a", "b"), 3), (ANY_NAME, ("x", "y"), 1),
    ]  # fmt: skip
    letters = tmp_path / "letters.csv"
    letters.write_text("text,label\n" + "".join(f"{'ab'[i % 2]} {i},{'ab'[i % 2]}\n" for i in range(60)))
    after = verify_ruled(home.path, models, tmp_path / "log", data={"letters": letters})
    assert without_data(report) - without_data(after) == plan.data[0].claims
    again = plan_of(home, models)
    assert "letters" not in {w.name for w in again.data}  # decided: it takes nothing back that the set is not given
    assert again.without_data == without_data(after)


def test_a_set_with_other_labels_is_not_counted(home: Home, tmp_path: Path, models: list[Artifact]) -> None:
    other = tmp_path / "other.csv"
    other.write_text("text,label\n" + "".join(f"{'pq'[i % 2]} {i},{'pq'[i % 2]}\n" for i in range(60)))
    plan = plan_of(home, models, data={"letters": other})
    assert next(w for w in plan.data if w.name == "letters").claims == 5  # the right one would still help as much
    fitting = tmp_path / "fitting.csv"
    fitting.write_text("text,label\n" + "".join(f"{'ab'[i % 2]} {i},{'ab'[i % 2]}\n" for i in range(60)))
    helped = plan_of(home, models, data={"letters": fitting})
    assert "letters" not in {w.name for w in helped.data}
    assert helped.without_data == plan.without_data - 5


def test_a_plan_runs_and_writes_nothing_and_adds_up(home: Home, tmp_path: Path, models: list[Artifact]) -> None:
    plan = plan_of(home, models)
    assert plan.claims == plan.settled + plan.waiting + plan.without_data == sum(len(m.claims) for m in models)
    assert {unit.state for unit in plan.units} == {"waiting"}
    assert plan.cost_s == pytest.approx(sum(unit.cost_s for unit in plan.units))
    assert 0 < plan.time_s <= plan.cost_s
    assert plan_of(home, models, jobs=4).time_s < plan.time_s
    with home.store.reading() as connection:
        assert count_evidence(connection) == 0
        assert trusted_names(connection) == frozenset()
        assert lease_owners(connection) == frozenset()
    log = tmp_path / "log"
    verify_ruled(home.path, models, log)
    finished = plan_of(home, models)
    assert {unit.state for unit in finished.units} == {"finished"}
    assert (finished.cost_s, finished.time_s) == (0.0, 0.0)
    assert len(finished.units) == len(runs_of(log))


def test_the_same_model_under_two_names_costs_once(home: Home, models: list[Artifact]) -> None:
    twin = models[0].model_copy(update={"id": "twin", "slug": "twin", "claims": ()})
    plan = plan_of(home, [models[0], twin])
    assert {unit.state for unit in plan.units if unit.artifact == "twin"} == {"shared"}
    assert plan.cost_s == pytest.approx(plan_of(home, models[:1]).cost_s)
