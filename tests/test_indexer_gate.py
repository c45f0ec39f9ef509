"""The gate: who enters under which policy, with a reason for everything kept out."""

from __future__ import annotations

import pytest
from factories import DAY_0_US, make_artifact, make_evidence

from graph.artifacts import Artifact, Capability
from graph.claims import Claim, Scope, claim_id
from graph.policy import DEFAULT, OPEN, POLICIES, PRODUCTION, Policy
from indexer.claims import implied_claims, with_implied_claims
from indexer.gate import NO_CAPABILITIES, Refused, admit, refuted_by_artifact


def make_model(name: str = "ann/m", description: str = "", **fields: object) -> Artifact:
    capability = Capability(id="c", name="Reads digits", task="vision.image-classification", description=description)
    return with_implied_claims(make_artifact(name, **({"capabilities": (capability,)} | fields)))


def runs_of(artifact: Artifact) -> str:
    return artifact.claims[-1].id


def test_every_capability_of_a_model_claims_to_run() -> None:
    [claim] = implied_claims(make_model())
    assert claim.id == claim_id("ann/m", "c", "runs", ">=", None, "none", Scope(note="vision.image-classification"))
    assert (claim.capability, claim.subject, claim.metric, claim.value) == ("c", "c", "runs", None)
    assert with_implied_claims(make_model()) == make_model()
    assert implied_claims(make_model(type="tool")) == ()
    assert len(implied_claims(make_model(type="finetune"))) == 1


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_refuted_runs_keeps_the_capability_out_under_every_policy(policy: Policy) -> None:
    model = make_model()
    refuted = make_evidence("ann/m", "refuted", claim=runs_of(model), reason="10.2 % [7, 13], threshold 32.5 %")
    admission = admit([model], {runs_of(model): refuted}, policy, DAY_0_US)
    assert admission.admitted == frozenset()
    reason = "runs refuted at tier artifact: 10.2 % [7, 13], threshold 32.5 %"
    assert admission.refused == (Refused("ann/m", "c", "capability", reason),)


def test_the_rest_of_an_artifact_enters_without_the_capability_that_fails() -> None:
    two = tuple(Capability(id=name, name=name, task="text.fill-mask") for name in ("good", "bad"))
    model = make_model(capabilities=two)
    bad = next(claim.id for claim in model.claims if claim.capability == "bad")
    admission = admit([model], {bad: make_evidence("ann/m", "refuted", claim=bad)}, DEFAULT, DAY_0_US)
    assert admission.admitted == {("ann/m", "good")}


def test_unsafe_enters_only_the_open_index() -> None:
    model = make_model()
    unsafe = {runs_of(model): make_evidence("ann/m", "error", claim=runs_of(model), reason_code="unsafe_refused")}
    assert admit([model], unsafe, OPEN, DAY_0_US).admitted == {("ann/m", "c")}
    assert admit([model], unsafe, DEFAULT, DAY_0_US).admitted == frozenset()
    assert admit([model], {}, DEFAULT, DAY_0_US).admitted == {("ann/m", "c")}
    [refused] = admit([model], {}, PRODUCTION, DAY_0_US).refused
    assert refused.reason == "runs is claimed, needs verified at tier artifact"


def test_an_artifact_without_capabilities_is_listed() -> None:
    admission = admit([make_model(capabilities=())], {}, OPEN, DAY_0_US)
    assert admission.refused == (Refused("ann/m", None, "artifact", NO_CAPABILITIES),)


def test_dropped_sentences_are_listed_by_place_and_never_repeated() -> None:
    text = "right 99.9 % of the time"
    lie = Claim(id="cl_lie", artifact="ann/m", capability="c", metric="accuracy", value=99.9, text=text)
    model = make_model(description="Small. It is right 99.9 % of the time. Fast.", claims=(lie,))
    evidence = {"cl_lie": make_evidence("ann/m", "refuted", claim="cl_lie", metric="accuracy")}
    admission = admit([model], evidence, DEFAULT, DAY_0_US)
    assert admission.admitted == {("ann/m", "c")}
    assert admission.refuted == refuted_by_artifact([model], evidence) == {"ann/m": frozenset({"cl_lie"})}
    assert admission.refused == (Refused("ann/m", "c", "description, sentence 2", "holds refuted claim cl_lie"),)
    assert admit([model], evidence, PRODUCTION, DAY_0_US).admitted == frozenset()


@pytest.mark.parametrize("verdict", ["verified", "inconclusive", "unverifiable", "error"])
def test_only_refuted_claims_take_sentences_out(verdict: str) -> None:
    claim = Claim(id="cl_1", artifact="ann/m", metric="accuracy", text="Small.")
    model = make_model(description="Small. Fast.", claims=(claim,))
    evidence = {"cl_1": make_evidence("ann/m", verdict, claim="cl_1")}
    assert admit([model], evidence, DEFAULT, DAY_0_US).refuted == {}
