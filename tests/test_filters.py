"""Laws of filters: every result satisfies them, nothing that does is lost, and what is unknown is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from factories import make_artifact, make_evidence
from fake_encoder import WordEncoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_catalogue import build_small

from graph.artifacts import Artifact, Capability, Pricing, Signals, Weights
from graph.claims import Claim, Scope, claim_id, report_claim
from graph.errors import QueryError, UnknownArtifact
from graph.events import SearchEvent, now_us
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import catalogue, log
from graph.store.evidence import append_evidence
from search.engine import LOCAL, Engine
from search.memory import SearchRequest
from search.query import Candidate, holds, read_where

LICENCES = ("MIT", "Apache License 2.0", "cc-by-nc-4.0", None)
FAMILIES = ("vit", "resnet", None)
LIBRARIES = ("Hugging Face Transformers", "PyTorch", None)


def accuracy(artifact: str, value: float, dataset: str, **fields: object) -> Claim:
    """A claim of accuracy."""
    scope = Scope(dataset=dataset)
    identity = claim_id(artifact, "", "accuracy", "=", value, "percent", scope)
    return Claim(
        id=identity, artifact=artifact, metric="accuracy", value=value, unit="percent", conditions=scope, **fields
    )  # type: ignore[arg-type]


def _artifact(number: int) -> Artifact:
    name = f"o{number % 4}/photos-{number:02}"
    task = "vision.image-classification" if number % 3 else "vision.object-detection"
    capability = Capability(
        id="main", name="classify photos", task=task, description=f"Names photos, edition {number}."
    )
    return make_artifact(
        name, capabilities=(capability,), license=LICENCES[number % 4], family=FAMILIES[number % 3],
        library=LIBRARIES[number % 3], params=None if number % 5 == 0 else 1_000_000 * number,
        type=("model", "tool", "mcp")[number % 3], formats=(("onnx", "safetensors"), ())[number % 2],
        weights=(Weights(hub_id=name), Weights(endpoint="https://example.org"), Weights())[number % 3],
        pricing=Pricing(free=(True, False, None)[number % 3]), signals=Signals(stars=number if number % 2 else None),
        released=(None, "2024-06-30", "2023")[number % 3],
        claims=(accuracy(name, 70.0 + number, "ImageNet-1k"),) if number % 2 else (),
    )  # fmt: skip


MANY = tuple(_artifact(number) for number in range(60))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    home = open_home(Settings(home=tmp_path_factory.mktemp("many")))
    yield build_small(home, MANY)
    home.close()


_CONDITION = st.one_of(
    st.builds("params{}{}M".format, st.sampled_from(["<", "<=", ">", ">=", "=", "!="]), st.integers(0, 70)),
    st.builds("stars{}{}".format, st.sampled_from(["<", ">="]), st.integers(0, 70)),
    st.builds("accuracy@imagenet{}{}".format, st.sampled_from(["<", ">="]), st.integers(60, 140)),
    st.builds("license{}{}".format, st.sampled_from(["=", "!="]), st.sampled_from(["mit", "apache-2.0", "gpl-3.0"])),
    st.builds("family{}{}".format, st.sampled_from(["=", "!=", "~"]), st.sampled_from(["vit", "resnet", "v"])),
    st.builds("library{}{}".format, st.sampled_from(["=", "!="]), st.sampled_from(["transformers", "pytorch"])),
    st.sampled_from(
        ["type=model", "type!=tool", "free=true", "free!=true", "offline=true", "offline=false", "format=onnx",
        "format!=onnx",
         "task=image-classification", "organization=o1", "output=text", "released>=2024", "permissive=true",
         "word=photos",
         "word!=01", "name~5", "verified=true", "runs=claimed"]
    ),
)  # fmt: skip


@given(st.lists(_CONDITION, min_size=1, max_size=3), st.integers(1, 100))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_that_satisfies_and_nothing_else(many: Engine, conditions: list[str], limit: int) -> None:
    where = read_where(conditions)
    answer = many.search(SearchRequest("classify photos", LOCAL, limit=limit, where=where))
    answers = {artifact.id: [holds(condition, artifact) for condition in where] for artifact in MANY}
    right = {artifact for artifact, each in answers.items() if all(each)}
    if "contradict" in answer.message:
        assert not right
        return
    found = {result.artifact for result in answer.results}
    assert found <= right
    assert len(found) == min(limit, len(right))  # the page is never starved
    if len(right) < limit:
        unknown = [each for each in answers.values() if None in each and False not in each]
        assert answer.dropped_unknown == len(unknown)
    assert answer.abstained is (not right)


def test_pages_add_up(many: Engine) -> None:
    where = read_where(["offline=true"])
    pages = [
        many.search(SearchRequest("classify photos", LOCAL, 7, offset, where, explore=False)).results
        for offset in range(0, 28, 7)
    ]
    whole = many.search(SearchRequest("classify photos", LOCAL, 28, where=where)).results
    joined = [result.artifact for page in pages for result in page]
    assert joined == [result.artifact for result in whole]
    assert len(joined) == len(set(joined)) == 20


# Facts --------------------------------------------------------------------------------------------------
ONE = make_artifact(
    "acme/eyes-large", license="Apache License, Version 2.0", library="Hugging Face Transformers", formats=("ONNX",),
    released="2024-06-30", claims=(accuracy("acme/eyes-large", 81.0, "ImageNet-1k"),), base_model="acme/eyes",
)  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("license=apache-2.0", True), ("license=Apache 2", True), ("license!=mit", True), ("permissive=true", True),
        ("library=transformers", True), ("library!=transformers", False), ("library!=trans", True),
        ("format=onnx", True),
        ("format!=onnx", False), ("accuracy>=80", True), ("accuracy@imagenet>=80", True),
        ("accuracy@imagenet>=82", False),
        ("accuracy@imagenet-a>=80", None), ("accuracy@cifar>1", None), ("f1>1", None), ("released>=2024", True),
        ("released>2024-06", False), ("released<2025", True), ("input=images", True), ("output=text", True),
        ("output=audio", False), ("organization=acme", True), ("base_model=acme/eyes", True), ("word=eyes", True),
        ("word=eye", False), ("word!=large", False), ("size<1GB", None), ("latency<1s", None), ("verified=true", False),
        ("runs=verified", None), ("price<1", None), ("tag=x", None), ("capability=classify pictures", True),
    ],
)  # fmt: skip
def test_fields(condition: str, expected: bool | None) -> None:
    assert holds(read_where([condition])[0], ONE) is expected


def test_a_refuted_or_hedged_claim_is_no_fact(home: Home) -> None:
    claim = accuracy("ann/eyes", 99.0, "digits")
    engine = build_small(home, (make_artifact("ann/eyes", claims=(claim,)),))
    where = read_where(["accuracy>=98"])
    assert [r.artifact for r in engine.search(SearchRequest("classify pictures", LOCAL, where=where)).results] == [
        "ann/eyes"
    ]
    refuted = make_evidence(
        "ann/eyes", "refuted", claim=claim.id, metric="accuracy", unit="percent", measured=71.0, time_us=now_us()
    )
    with home.store.writing() as connection:
        append_evidence(connection, [refuted])
    assert engine.search(SearchRequest("classify pictures", LOCAL, where=where)).abstained
    measured = read_where(["accuracy>=70", "accuracy<72"])
    assert engine.search(SearchRequest("classify pictures", LOCAL, where=measured)).results  # what was measured counts
    unmeasured = report_claim(claim, refuted.model_copy(update={"measured": None}))
    assert holds(where[0], Candidate(make_artifact("ann/eyes"), lambda _: [unmeasured])) is None
    hedged = make_artifact("ben/eyes", claims=(accuracy("ben/eyes", 99.0, "digits", hedged=True),))
    assert holds(where[0], hedged) is None


def test_what_was_measured_unasked_is_known(home: Home) -> None:
    engine = build_small(home, (make_artifact("ann/eyes"),))
    observed = make_evidence(
        "ann/eyes", None, kind="observation", claim=None, metric="size_bytes", unit="bytes", measured=5_000_000,
        tier="artifact", time_us=now_us(),
    )  # fmt: skip
    where = read_where(["size<6MB"])
    request = SearchRequest("classify pictures", LOCAL, where=where)
    assert engine.search(request).dropped_unknown == 1
    with home.store.writing() as connection:
        append_evidence(connection, [observed])
    assert [r.artifact for r in engine.search(request).results] == ["ann/eyes"]
    assert holds(where[0], Candidate(make_artifact("ann/eyes"))) is None


# In a search --------------------------------------------------------------------------------------------
@pytest.fixture
def engine(home: Home) -> Engine:
    return build_small(home)


def _ask(engine: Engine, text: str, **fields: object) -> list[str]:
    return [r.artifact for r in engine.search(SearchRequest(text, LOCAL, **fields)).results]  # type: ignore[arg-type]


def test_limits_in_words_are_shown_and_can_be_switched_off(engine: Engine) -> None:
    answer = engine.search(SearchRequest("classify photos under 10M parameters", LOCAL))
    assert [r.artifact for r in answer.results] == ["ann/small-eyes"]
    assert answer.understood.where == ("params<10000000",)
    assert [(p.words, p.condition) for p in answer.understood.read] == [("under 10M parameters", "params<10000000")]
    assert answer.understood.searched == "classify photos"
    assert answer.dropped_unknown == 3
    plain = engine.search(SearchRequest("names what is on a photo license:mit", LOCAL, understand=False))
    assert len(plain.results) > 1
    assert (plain.understood.where, plain.understood.read) == ((), ())
    with engine.home.store.reading() as connection:
        events = [e for e in log.read_events(connection, kind="search") if isinstance(e, SearchEvent)]
    assert [e.switches for e in events] == [(), ("no-understand",)]
    assert events[0].filters == ("params<10000000",)


def test_the_words_that_are_left_are_what_is_encoded(engine: Engine) -> None:
    assert isinstance(engine.encoder, WordEncoder)
    with_limit = engine.search(SearchRequest("classify photos under 100M parameters", LOCAL)).results
    without = engine.search(SearchRequest("classify photos", LOCAL, where=read_where(["params<100M"]))).results
    assert [(r.artifact, r.score, r.parts) for r in with_limit] == [(r.artifact, r.score, r.parts) for r in without]
    assert "parameters" not in " ".join(engine.encoder.encoded)


def test_limits_alone_list_what_satisfies_them(engine: Engine) -> None:
    assert set(_ask(engine, "under 100M parameters")) == {"ann/small-eyes", "ben/large-eyes", "eve/large-eyes"}
    assert _ask(engine, "license:mit") == ["ann/small-eyes"]


def test_contradictions_are_said(engine: Engine) -> None:
    answer = engine.search(SearchRequest("classify photos over 20M parameters and under 10M parameters", LOCAL))
    assert answer.abstained
    assert "params>20000000 and params<10000000 contradict each other" in answer.message
    with engine.home.store.reading() as connection:
        assert log.last_seq(connection) > 0  # recorded, counting nothing


def test_a_near_name_comes_first_and_is_said(engine: Engine) -> None:
    answer = engine.search(SearchRequest("pianter", LOCAL))
    assert answer.results[0].artifact == "ann/painter"
    assert "no artifact is called 'pianter'" in answer.understood.notes[0]
    assert engine.search(SearchRequest("painter", LOCAL)).understood.notes == ()


def test_stop_words_say_nothing(engine: Engine) -> None:
    answer = engine.search(SearchRequest("what is it for", LOCAL))
    assert answer.abstained
    assert "only stop words" in answer.message


def test_another_language_is_said(engine: Engine) -> None:
    answer = engine.search(SearchRequest("ein Modell, das Bilder von Katzen und Hunden erkennt", LOCAL))
    assert "looks German" in answer.understood.notes[0]


def test_emoji_are_words_or_nothing(engine: Engine) -> None:
    assert _ask(engine, "classify photos 🐱")
    with pytest.raises(QueryError, match="no words"):
        engine.search(SearchRequest("🐱🐶", LOCAL))


def test_not_these(engine: Engine) -> None:
    everything = _ask(engine, "classify photos")
    found = _ask(engine, "classify photos", rejected=("ben/large-eyes",))
    assert set(everything) - set(found) == {"ben/large-eyes", "eve/large-eyes"}  # and what was made from it
    with engine.home.store.reading() as connection:
        events = [e for e in log.read_events(connection, kind="search") if isinstance(e, SearchEvent)]
    assert events[-1].rejected == ("ben/large-eyes",)
    with pytest.raises(UnknownArtifact):
        _ask(engine, "classify photos", rejected=("nobody/nothing",))


def test_a_name_is_never_read_as_a_limit(home: Home) -> None:
    engine = build_small(
        home, (make_artifact("ann/free-image").model_copy(update={"name": "free image"}), make_artifact("ben/other"))
    )
    answer = engine.search(SearchRequest("free image", LOCAL))
    assert (answer.results[0].artifact, answer.understood.where) == ("ann/free-image", ())


def test_a_policy_in_words_is_applied(engine: Engine) -> None:
    answer = engine.search(SearchRequest("classify photos under the production policy", LOCAL))
    assert (answer.understood.policy, answer.abstained) == ("production", True)


def test_hostile_text_of_a_catalogue_is_only_text(home: Home) -> None:
    nasty = "params<1 license:mit " + "(" * 300 + "\u202e" + "A" * 300 + "') DROP TABLE artifacts; -- {{7*7}} <script>"
    capability = Capability(id="main", name=nasty[:400], task="vision.image-classification", description=nasty * 20)
    hostile = [
        make_artifact(f"evil/{n}", description=nasty[: 100 + n], family=nasty[:200], library=nasty[:200],
                      license=nasty[:200],
                      base_model=nasty[:300], released="99999-99", formats=(nasty[:90],), capabilities=(capability,))
        for n in range(3)
    ]  # fmt: skip
    engine = build_small(home, (*hostile, make_artifact("ann/eyes")))
    for query in ("classify pictures", nasty, "not evil", "classify pictures license:mit"):
        answer = engine.search(SearchRequest(query, LOCAL))
        assert answer.search_id
    with home.store.reading() as connection:
        assert catalogue.count_artifacts(connection) == 4
