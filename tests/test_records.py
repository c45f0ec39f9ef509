"""Evidence: sealed by its fields, chained in the store, and what decides a claim."""

from __future__ import annotations

import hashlib
import json
import math

import pytest
import rfc8785
from factories import make_artifact, make_evidence
from pydantic import ValidationError
from sqlalchemy import text

from graph.claims import Claim, DataUsed, Evidence, Interval, ModelUsed, Scope, claim_id, evidence_id, report_claim
from graph.digest import GENESIS, file_digest
from graph.errors import EvidenceError
from graph.home import Home
from graph.store import evidence as store
from graph.store.tables import EVIDENCE
from inference.ground import Ground
from inference.judging.results import UnitResult
from inference.models.architecture import Architecture
from inference.work.attempts import as_attempt
from inference.work.records import NOT_RUN_YET, History, repeat_command

SHAPE = (
    "schema_version id kind artifact capability claim metric unit verdict reason_code reason tier measured successes n "
    "interval threshold decisive_n detectable method method_version unit_id seed scope data model libraries device "
    "sandbox duration_s control flags time_us repeat attempt pooled reference durations_s"
)


# Sealing ------------------------------------------------------------------------------------------------
def test_no_field_was_renamed_or_removed() -> None:
    assert set(SHAPE.split()) <= set(Evidence.model_fields)
    added = set(Evidence.model_fields) - set(SHAPE.split())
    assert [name for name in added if Evidence.model_fields[name].is_required()] == []


def test_the_id_is_a_digest_of_all_other_fields() -> None:
    record = make_evidence(measured=0.945, n=540, interval=Interval(low=0.92, high=0.96, level=0.95, method="exact"))
    fields = {
        "kind": "probe", "artifact": "ann/tiny-classifier", "claim": "cl_1", "metric": "runs", "verdict": "verified",
        "tier": "artifact", "method": "classification", "method_version": "1", "time_us": record.time_us,
        "measured": 0.945, "n": 540, "interval": {"low": 0.92, "high": 0.96, "level": 0.95, "method": "exact"},
    }  # fmt: skip
    assert record.id == "ev_" + hashlib.sha256(rfc8785.dumps(fields)).hexdigest()[:20]
    assert record.id == evidence_id(record.model_dump(mode="json"))


def test_a_record_of_the_first_day_keeps_its_id() -> None:
    line = (
        '{"schema_version":1,"id":"ev_54ac80e16b2ce6356d20","kind":"probe","artifact":"a","metric":"runs","verdict":null,'
        '"scope":{"device":"cpu","dataset":null},"method":"m","method_version":"1","time_us":1}'
    )
    record = Evidence.model_validate_json(line)
    assert evidence_id(record.model_dump(mode="json")) == record.id


@pytest.mark.parametrize(
    "change",
    [{"verdict": "refuted"}, {"measured": 0.5}, {"n": 541}, {"time_us": 1}, {"seed": 1}, {"flags": ("x",)},
     {"scope": Scope(device="cpu")}, {"model": ModelUsed(digest="0")}, {"repeat": "matchgraph verify"}],
)  # fmt: skip
def test_another_field_is_another_id(change: dict[str, object]) -> None:
    fixed = {"time_us": 0, "measured": 0.4, "n": 540}
    assert make_evidence(**(fixed | change)).id != make_evidence(**fixed).id


def test_a_record_without_a_number_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="nan"):
        make_evidence(measured=math.nan)
    with pytest.raises(ValidationError):
        make_evidence(verdict="probably")


# The chain ----------------------------------------------------------------------------------------------
def test_the_chain_is_what_an_independent_reader_computes(home: Home) -> None:
    records = [make_evidence(f"a{i}", measured=i / 7) for i in range(5)]
    with home.store.writing() as connection:
        store.append_evidence(connection, records[:2])
        store.append_evidence(connection, [])
        store.append_evidence(connection, records[2:])
    with home.store.reading() as connection:
        assert list(store.all_evidence(connection)) == records
        assert store.check_evidence_chain(connection) == store.count_evidence(connection) == 5
        chain = GENESIS
        for row in connection.execute(EVIDENCE.select().order_by(EVIDENCE.c.seq)):
            payload = hashlib.sha256(rfc8785.dumps(json.loads(row.payload))).hexdigest()
            chain = hashlib.sha256(f"{chain}:{payload}".encode()).hexdigest()
            assert (row.payload_digest, row.chain) == (payload, chain)


@pytest.mark.parametrize(
    "alteration",
    [
        "UPDATE evidence SET payload = replace(payload, '502', '592') WHERE seq = 3",
        "UPDATE evidence SET payload = payload || ' ' WHERE seq = 3",
        "UPDATE evidence SET payload_digest = '0' WHERE seq = 3",
        "UPDATE evidence SET chain = '0' WHERE seq = 3",
        "UPDATE evidence SET artifact = 'a4' WHERE seq = 3",
        "UPDATE evidence SET claim = NULL WHERE seq = 3",
        "DELETE FROM evidence WHERE seq = 2",
    ],
)
def test_one_altered_byte_of_a_record_is_named(home: Home, alteration: str) -> None:
    records = [make_evidence(f"a{i}", n=500 + i) for i in range(5)]
    with home.store.writing() as connection:
        store.append_evidence(connection, records)
        assert store.check_evidence_chain(connection) == 5
        assert connection.execute(text(alteration)).rowcount == 1
        with pytest.raises(EvidenceError, match=rf"{records[2].id} \(number 3\)"):
            store.check_evidence_chain(connection)


def test_a_record_changed_after_sealing_is_not_stored(home: Home) -> None:
    altered = make_evidence(verdict="refuted").model_copy(update={"verdict": "verified"})
    with pytest.raises(EvidenceError, match=f"{altered.id}.*seal it anew"), home.store.writing() as connection:
        store.append_evidence(connection, [altered])
    with home.store.reading() as connection:
        assert store.count_evidence(connection) == 0


# What decides -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("attempts", "decides"),
    [
        (["verified", "refuted"], 0),  # the first complete attempt decides
        (["error", "refuted", "verified"], 1),
        (["unverifiable", "error"], 1),  # until one is complete, the newest stands
        (["error", "unverifiable", "inconclusive"], 2),
        ([None, "verified"], 1),
    ],
)
def test_which_attempt_decides(home: Home, attempts: list[str | None], decides: int) -> None:
    records = [make_evidence("a", verdict, claim="cl_1", n=i) for i, verdict in enumerate(attempts)]
    with home.store.writing() as connection:
        store.append_evidence(connection, [*records, make_evidence("b", claim="cl_2")])
        assert store.deciding_evidence(connection, "a") == {"cl_1": records[decides]}
        assert set(store.deciding_evidence(connection)) == {"cl_1", "cl_2"}


@pytest.mark.parametrize(("more", "decides"), [(99, 0), (100, 0), (101, 1)])
def test_what_was_too_close_to_call_gives_way_to_more_items_only(home: Home, more: int, decides: int) -> None:
    records = [
        make_evidence("a", verdict, claim="cl_1", n=n) for verdict, n in (("inconclusive", 100), ("verified", more))
    ]
    with home.store.writing() as connection:
        store.append_evidence(connection, records)
        assert store.deciding_evidence(connection, "a") == {"cl_1": records[decides]}


def test_output_that_nobody_could_judge_and_other_weights_decide_nothing_for_good(home: Home) -> None:
    old, new = ModelUsed(digest="old"), ModelUsed(digest="new")
    unjudged = make_evidence("a", "inconclusive", reason_code="no_data", model=old)
    judged = make_evidence("a", "refuted", model=old)
    again = make_evidence("a", "verified", model=old)
    revised = make_evidence("a", "verified", model=new)
    decided = []
    for record in (unjudged, judged, again, revised):
        with home.store.writing() as connection:
            store.append_evidence(connection, [record])
            decided.append(store.deciding_evidence(connection)["cl_1"])
    assert decided == [unjudged, judged, judged, revised]


def test_the_newest_observation_per_scope_counts(home: Home) -> None:
    observed = {"kind": "observation", "claim": None, "verdict": None, "metric": "latency_s"}
    first, again = make_evidence(measured=1.0, **observed), make_evidence(measured=2.0, **observed)
    other = make_evidence(measured=3.0, scope=Scope(threads=2), **observed)
    with home.store.writing() as connection:
        store.append_evidence(connection, [first, other, again, make_evidence()])
        assert store.observations(connection) == [again, other]


def test_a_claim_without_evidence_is_claimed_and_with_evidence_joined() -> None:
    claim = Claim(id="cl_1", artifact="a", metric="accuracy", value=78.3, unit="percent", flags=("hedged",))
    assert report_claim(claim, None).verdict is None
    joined = report_claim(claim, make_evidence("a", "refuted", measured=70.0, flags=("implausible",)))
    assert (joined.verdict, joined.tier, joined.measured, joined.method) == (
        "refuted", "artifact", 70.0, "classification/1",
    )  # fmt: skip
    assert joined.flags == ("hedged", "implausible")
    assert joined.value == 78.3


def test_a_claims_id_follows_from_what_it_states_alone() -> None:
    stated = ("a", "", "accuracy", "=", 78.3, "percent", Scope())
    assert claim_id(*stated) == claim_id(*stated[:6], Scope(dataset=None))
    others = [("b", *stated[1:]), (*stated[:4], 78.4, *stated[5:]), (*stated[:6], Scope(dataset="imagenet"))]
    assert len({claim_id(*each) for each in [stated, *others]}) == 4


def test_a_file_digest_is_sha256_and_hears_every_byte(tmp_path_factory: pytest.TempPathFactory) -> None:
    file, heard = tmp_path_factory.mktemp("digest") / "weights.bin", []
    file.write_bytes(bytes(range(256)) * 5_000)
    assert file_digest(file, heard.append) == hashlib.sha256(file.read_bytes()).hexdigest()
    assert sum(heard) == 1_280_000


# What is news -------------------------------------------------------------------------------------------
OLD, NEW = ModelUsed(digest="old"), ModelUsed(digest="new")


def test_two_units_that_observe_the_same_thing_are_each_told_once() -> None:
    observed = {"kind": "observation", "claim": None, "verdict": None, "metric": "load_s", "model": OLD}
    first, second = (make_evidence(unit_id=unit, measured=load_s, **observed) for unit, load_s in (("a", 1), ("b", 2)))
    history = History([first, second])
    assert [history.is_news(record) for record in (first, second)] == [False, False]
    assert history.is_news(make_evidence(unit_id="a", measured=3, **observed))


def test_a_stored_result_is_no_news_after_it_was_reproduced_but_after_other_weights_it_is() -> None:
    made = {"claim": "cl_1", "unit_id": "a", "model": OLD}
    first, again = make_evidence("a", measured=1.0, **made), make_evidence("a", measured=1.1, **made)
    assert not History([first, again]).is_news(first)
    assert History([first, again, make_evidence("a", "refuted", **(made | {"model": NEW}))]).is_news(first)


def test_what_was_decided_on_other_weights_is_taken_back_once() -> None:
    def pending(model: ModelUsed) -> Evidence:
        return make_evidence("a", "unverifiable", reason_code=NOT_RUN_YET, claim="cl_1", model=model)

    decided = make_evidence("a", claim="cl_1", model=OLD)
    assert History([decided]).is_news(pending(NEW))
    assert not History([decided]).is_news(pending(OLD))
    assert not History([decided, pending(NEW)]).is_news(pending(NEW))
    assert not History([]).is_news(pending(NEW))  # nothing to take back
    assert History([decided, pending(NEW)]).is_news(make_evidence("a", claim="cl_1", model=NEW))


def test_an_attempt_opposite_to_what_decides_leaves_the_claim_open(home: Home) -> None:
    first = make_evidence("a", claim="cl_1", model=OLD)
    with home.store.writing() as connection:
        store.append_evidence(connection, [first])
        store.append_evidence(connection, as_attempt(make_evidence("a", "refuted", claim="cl_1", model=OLD), [first]))
        deciding = store.deciding_evidence(connection)["cl_1"]
        records = list(store.all_evidence(connection))
    assert [(record.verdict, record.attempt) for record in records] == [
        ("verified", 1), ("refuted", 2), ("inconclusive", 2),
    ]  # fmt: skip
    assert (deciding.verdict, deciding.pooled) == ("inconclusive", (records[0].id, records[1].id))
    [alone] = as_attempt(make_evidence("a", "refuted", claim="cl_1", model=NEW), [first])
    assert alone.attempt == 1


# The command that repeats it ----------------------------------------------------------------------------
def test_the_command_names_set_trust_and_device_and_survives_a_shell() -> None:
    def command(name: str, device: str = "cpu (Xeon)", **trust: object) -> str:
        data = DataUsed(name=name, digest="d", declared_by="known", items=9)
        result = UnitResult(unit="un_1", probe="p", version="1", device=device, data=data)
        return repeat_command(Ground(make_artifact("ann/tiny"), model=OLD, **trust), result)  # type: ignore[arg-type]

    assert command("sklearn-digits") == "matchgraph verify ann--tiny"  # comes with the program
    assert command("code-or-prose") == "matchgraph verify ann--tiny --data code-or-prose=code-or-prose"
    assert command("my set", trust="name") == "matchgraph verify ann--tiny --data 'my set=my set' --trust ann--tiny"
    assert command("drawings", "cuda (H200)", trust="digest") == (
        "matchgraph verify ann--tiny --trust old --device cuda"
    )
    bare = Architecture("a", "transformers", "MobileViTModel", {"model_type": "mobilevit"}, "library default")
    built = Ground(make_artifact("ann/tiny"), trust="digest", architecture=bare)
    result = UnitResult(unit="un_1", probe="p", version="1", device="cpu")
    assert repeat_command(built, result).endswith(f"--trust {bare.digest}")
    assert repeat_command(built, None) == "matchgraph verify ann--tiny"
