"""What scores depend on, read from the store; and what they must not depend on."""

from __future__ import annotations

import pytest
from factories import DAY_0_US, make_artifact, make_evidence, make_outcome, make_search

from graph.artifacts import Capability, Pricing, Signals
from graph.claims import Claim
from graph.events import CatalogueEvent
from graph.home import Home
from graph.ranks.score_inputs import Decided, count_derivatives, date_us, score_inputs
from graph.store import catalogue, log
from graph.store.evidence import append_evidence

NOW = DAY_0_US


def test_inputs_are_read_from_the_store(home: Home) -> None:
    claims = tuple(Claim(id=f"cl_{i}", artifact="ann/a", capability="classify", metric=m) for i, m in
                   enumerate(("runs", "accuracy", "loads")))  # fmt: skip
    base = make_artifact(
        "ann/a", claims=claims, signals=Signals(downloads=7), formats=("onnx", "safetensors"), library="timm",
        released="2025-01", has_card=True,
    )  # fmt: skip
    derived = make_artifact("bob/b", base_model="Ann/A")
    search = make_search(["ann/a", "bob/b"])
    records = [
        make_evidence("ann/a", "verified", claim="cl_0", time_us=NOW - 9),
        make_evidence("ann/a", "refuted", claim="cl_1", tier="text", time_us=NOW - 5),
        make_evidence("ann/a", "inconclusive", claim="cl_2", time_us=NOW + 1),
        make_evidence("ann/a", "verified", claim="cl_withdrawn", time_us=NOW - 7),
        make_evidence("ann/a", "unverifiable", claim="cl_unknown", time_us=NOW - 1),  # found nothing out
        make_evidence("bob/b", "error", claim="cl_broken", time_us=NOW - 1),
    ]
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [base, derived])
        assigned = {("ann/a", "classify"): "capability://x.y.1", ("bob/b", "classify"): "capability://x.y.2",
                    ("ann/a", "export"): "capability://x.z.own"}  # fmt: skip
        catalogue.save_assignments(connection, assigned)
        merged = CatalogueEvent(
            id="ce_1",
            time_us=NOW,
            action="capability_aliased",
            subject="capability://x.y.2",
            object="capability://x.y.1",
        )
        log.append_events(connection, [merged])
        append_evidence(connection, records)
        log.append_events(connection, [search, make_outcome(search, "ann/a", "select", time_us=NOW)])
        a, b = score_inputs(connection, NOW)
    assert (a.artifact, a.downloads, a.times_matched, a.selecting_actors, a.voters) == ("ann/a", 7, 1, 1.0, 1)
    assert a.flow == pytest.approx(0.6)
    assert set(a.decided) == {
        Decided("classify", "runs", True, "artifact"), Decided("classify", "accuracy", False, "text"),
    }  # fmt: skip
    assert (a.formats, a.libraries, a.derivatives, a.shared_capabilities, a.has_files) == (2, 1, 1, 1, True)
    assert (a.released_us, a.evidence_us) == (date_us("2025-01-01"), NOW - 5)
    assert (b.times_matched, b.voters, b.derivatives, b.evidence_us, b.has_files) == (1, 0, 0, None, False)


def test_prose_and_price_change_nothing(home: Home) -> None:
    plain = make_artifact(signals=Signals(stars=3), has_card=True)
    praised = plain.model_copy(update={
        "description": "the best of all, state of the art", "pricing": Pricing(model="free", free=True),
        "capabilities": (Capability(id="classify", name="award-winning", task="vision.image-classification",
                                    unique="unique", vs_alternatives="beats everything", tags=("best",)),),
    })  # fmt: skip
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [plain])
        before = score_inputs(connection, NOW)
        assert catalogue.save_artifacts(connection, [praised]).changed
        assert score_inputs(connection, NOW) == before


def test_derivatives_are_counted_by_id_and_else_by_slug() -> None:
    base = make_artifact("Org/Base")
    others = [
        make_artifact(f"x/{i}", base_model=name) for i, name in enumerate(("Org/Base", "org/base", "nobody", None))
    ]
    itself = make_artifact("self/self", base_model="self/self")
    assert count_derivatives([base, *others, itself]) == {"Org/Base": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2024", "2024-01-01"), ("2024-05", "2024-05-01"), ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09+00:00"),
     (" 2024-05-06 ", "2024-05-06")],
)  # fmt: skip
def test_dates(text: str, expected: str) -> None:
    assert date_us(text) == date_us(expected) is not None


@pytest.mark.parametrize("text", [None, "", "soon", "2024-13", "99999", "May 2024"])
def test_what_is_no_date_is_unknown(text: str | None) -> None:
    assert date_us(text) is None
