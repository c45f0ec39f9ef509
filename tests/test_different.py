"""Something different: the same job, the difference as a fact, never a copy; reasons, diversity, and no answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from factories import make_artifact, make_evidence
from fake_encoder import WordEncoder
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from small_catalogue import build_small
from typer.testing import CliRunner

import search.engine
from cli.main import app
from graph.artifacts import Artifact, Capability, Pricing, Weights
from graph.claims import Claim, Scope, claim_id
from graph.errors import UnknownArtifact
from graph.events import SearchEvent, now_us
from graph.home import Home
from graph.responses import SearchResponse
from graph.store import catalogue, log
from graph.store.evidence import append_evidence
from search.api import create_app
from search.copies import is_copy, name_core
from search.different import find_different, read_wish
from search.different.differences import compare_sizes, family_of
from search.different.measure import without_domain
from search.engine import LOCAL, Engine
from search.jobs import job_of, stated_job, tasks_of_kind
from search.memory import SearchRequest
from search.query import Candidate, read_where

CLASSIFY = "vision.image-classification"


def _model(name: str, task: str = CLASSIFY, text: str = "Names what is on a photo.", **fields: Any) -> Artifact:
    capability = Capability(id="main", name=task.partition(".")[2].replace("-", " "), task=task, description=text)
    return make_artifact(name, **({"capabilities": (capability,), "description": text} | fields))


def _different(engine: Engine, name: str, phrase: str, **fields: Any) -> SearchResponse:
    return find_different(engine, name, phrase, SearchRequest(phrase or name, LOCAL, **fields))


def _ids(answer: SearchResponse) -> list[str]:
    return [result.artifact for result in answer.results]


# Phrases ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("phrase", "differences", "conditions", "words"),
    [
        ("but smaller", ["smaller"], [], ""), ("a lighter one", ["smaller"], [], ""),
        ("something bigger than this", ["larger"], [], ""),
        ("but from another family", ["other family"], [], ""), ("a different architecture", ["other family"], [], ""),
        ("by a different company", ["other organization"], [], ""),
        ("but from another organisation", ["other organization"], [], ""),
        ("from someone else", ["other organization"], [], ""),
        ("not from the same publisher", ["other organization"], [], ""),
        ("in another framework", ["other library"], [], ""),
        ("but with a different licence", ["other license"], [], ""),
        ("cheaper and faster", ["cheaper", "faster"], [], ""), ("self-hosted, please", ["offline"], [], ""),
        ("free, for satellite images", ["free"], [], "for satellite images"), ("verified", ["verified"], [], ""),
        ("another modality", ["other modality"], [], ""), ("but for audio", ["for audio"], [], ""),
        ("smaller than 10M parameters", [], ["params<10M"], ""),
        ("but not by google", [], ["organization!=google"], ""),
        ("under 5M params and MIT-licensed", [], ["params<5M", "license=mit"], ""),
        ("without tensorflow", [], ["library!=tensorflow"], ""),
        ("", [], [], ""), ("!?", [], [], ""),
    ],
)  # fmt: skip
def test_phrases(phrase: str, differences: list[str], conditions: list[str], words: str) -> None:
    wish = read_wish(phrase, frozenset({"google"}))
    assert sorted(d.name for d in wish.differences) == sorted(differences)
    assert wish.where == read_where(conditions)
    assert wish.words == words.removeprefix("for ")


def test_what_no_fact_can_judge_is_said() -> None:
    wish = read_wish("but more robust to noise")
    assert wish.differences == ()
    assert "'more robust' is no stored fact" in wish.notes[0]
    assert "robust" in wish.words  # it steers the order


@given(st.text(max_size=200))
def test_any_phrase_is_read(phrase: str) -> None:
    read_wish(phrase)


# Copies -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other", "copies"),
    [
        ({"name": "meta/llama-2-7b"}, {"name": "thebloke/Llama-2-7B-GGUF"}, True),
        ({"name": "a/vit-base"}, {"name": "b/vit-base-int8"}, True),
        ({"name": "a/phi-2"}, {"name": "b/phi-2.Q4_K_M.gguf"}, True),
        ({"name": "a/bert"}, {"name": "b/bert-4-bit"}, True),
        ({"name": "a/whisper-tiny"}, {"name": "onnx-community/whisper-tiny"}, True),
        ({"name": "a/vit-base"}, {"name": "a/vit-large"}, False),
        ({"name": "a/yolo-s"}, {"name": "a/yolo-m"}, False),
        ({"name": "a/bert"}, {"name": "a/roberta"}, False),
        ({"name": "a/x", "params": 5_000_000}, {"name": "b/x", "params": 50_000_000}, False),
        ({"name": "a/one"}, {"name": "b/two", "base_model": "a/one"}, True),
        ({"name": "a/one"}, {"name": "b/two", "base_model": "https://huggingface.co/A/One/"}, True),
        ({"name": "org/hub/path/1"}, {"name": "org/other/path/1"}, False),
    ],
)  # fmt: skip
def test_copies(one: dict[str, Any], other: dict[str, Any], copies: bool) -> None:
    artifacts = [make_artifact(**each) for each in (one, other)]
    assert is_copy(*artifacts) is is_copy(*reversed(artifacts)) is copies


TEXT = "This model was trained on two million street photos and names which of ninety kinds of sign is on each of them."


@pytest.mark.parametrize(
    ("text", "copies"),
    [
        (TEXT, True), (TEXT.replace("two million", "two millions"), True), (TEXT.replace("street", "alpha"), False),
        (TEXT + " It has 16 layers.", False), (TEXT.replace("street photos", "bird songs at night"), False),
    ],
)  # fmt: skip
def test_near_equal_text_is_a_copy_unless_something_tells_them_apart(text: str, copies: bool) -> None:
    one, other = _model("ann/alpha", text=TEXT), _model("ben/beta", text=text)
    assert is_copy(one, other) is copies
    assert not is_copy(one, other.model_copy(update={"family": "vit"})) or one.family is None


def test_a_name_of_formats_alone_says_nothing() -> None:
    assert name_core("onnx") == name_core("a/int8") == name_core("12/34") == ""
    assert not is_copy(make_artifact("a/onnx"), make_artifact("b/onnx-int8"))


# Facts --------------------------------------------------------------------------------------------------
def test_sizes_by_numbers_then_by_names() -> None:
    known = [make_artifact("a/x", params=5), make_artifact("b/y", params=7)]
    assert compare_sizes(*known) == (-1, "5 parameters against 7")
    named = compare_sizes(make_artifact("a/opt-1.3b"), make_artifact("a/opt-350m"))
    assert named is not None
    assert named[0] == 1
    assert "as names say" in named[1]
    words = compare_sizes(make_artifact("a/bert-base"), make_artifact("b/vit-large"))
    assert words is not None
    assert words[0] == -1
    assert "no count of parameters is known" in words[1]
    assert compare_sizes(make_artifact("a/bert-base", params=5), make_artifact("b/bert-large")) is None
    assert compare_sizes(make_artifact("a/x"), make_artifact("b/y")) is None


def test_families_by_field_then_by_name() -> None:
    assert family_of(make_artifact("a/x", family="ViT")) == "vit"
    assert family_of(make_artifact("a/distilbert-base-uncased")) == "distilbert"
    assert family_of(make_artifact("a/xlm-roberta-base")) == "xlm-roberta"
    assert family_of(make_artifact("a/albertine")) is None  # never a part of a word


def _price(artifact: str, value: float, subject: str = "1M tokens") -> Claim:
    identity = claim_id(artifact, subject, "price", "=", value, "usd", Scope())
    return Claim(id=identity, artifact=artifact, subject=subject, metric="price", value=value, unit="usd")


def _judge(name: str, candidate: Artifact, rejected: Artifact) -> bool | None:
    (difference,) = read_wish(name).differences
    return difference.judge(Candidate(candidate), Candidate(rejected))


def test_cheaper_compares_prices_of_the_same_thing() -> None:
    dear, cheap = make_artifact("a/d", claims=(_price("a/d", 3.0),)), make_artifact("a/c", claims=(_price("a/c", 1.0),))
    free, paid = make_artifact("a/f", pricing=Pricing(free=True)), make_artifact("a/p", pricing=Pricing(free=False))
    other, unknown = make_artifact("a/o", claims=(_price("a/o", 1.0, "one picture"),)), make_artifact("a/u")
    assert _judge("cheaper", cheap, dear) is True
    assert _judge("cheaper", dear, cheap) is False
    assert _judge("cheaper", free, dear) is True
    assert _judge("cheaper", free, paid) is True
    assert _judge("cheaper", free, free) is False
    assert _judge("cheaper", other, dear) is None  # per picture and per token do not compare
    assert (
        _judge("cheaper", unknown, dear)
        is _judge("cheaper", cheap, unknown)
        is _judge("cheaper", free, unknown)
        is None
    )


def _measured(home: Home, artifact: str, seconds: float, device: str = "cpu") -> None:
    record = make_evidence(
        artifact, None, kind="observation", claim=None, metric="latency_s", unit="seconds", measured=seconds,
        scope=Scope(device=device, batch_size=1), tier="artifact", time_us=now_us(),
    )  # fmt: skip
    with home.store.writing() as connection:
        append_evidence(connection, [record])


def test_faster_where_it_was_measured_alike(home: Home) -> None:
    engine = build_small(home, tuple(_model(f"ann/{name}", text=f"Names a photo, the {name} way.") for name in "wxyz"))
    for artifact, seconds, device in (
        ("ann/w", 0.5, "cpu"),
        ("ann/x", 0.1, "cpu"),
        ("ann/y", 0.9, "cpu"),
        ("ann/z", 0.1, "cuda"),
    ):
        _measured(home, artifact, seconds, device)
    answer = _different(engine, "ann/w", "but faster")
    assert _ids(answer) == ["ann/x"]
    assert "faster: 0.1 against 0.5, measured alike" in answer.results[0].why
    assert answer.dropped_unknown == 1  # z was measured on another device
    nothing = _different(engine, "ann/x", "but faster")
    assert nothing.abstained
    assert "nothing else does the job of ann--x and is faster; for 1 it is unknown" in nothing.message


def test_nobody_knows_is_an_answer_too(home: Home) -> None:
    engine = build_small(home, tuple(_model(f"ann/{name}", text=f"Names a photo, the {name} way.") for name in "xyz"))
    answer = _different(engine, "ann/x", "but faster")
    assert answer.abstained
    assert "no fact tells what is faster: it is unknown for all 2" in answer.message
    assert answer.dropped_unknown == 2


def test_verified_means_it_ran(home: Home) -> None:
    engine = build_small(home)
    with home.store.reading() as connection:
        claims = {a: catalogue.stated_claims(connection, a)[0] for a in ("ben/large-eyes", "dan/closed-eyes")}
    assert _different(engine, "ann/small-eyes", "but verified").abstained
    with home.store.writing() as connection:
        for artifact, tier in (("ben/large-eyes", "artifact"), ("dan/closed-eyes", "architecture")):
            append_evidence(
                connection, [make_evidence(artifact, claim=claims[artifact].id, tier=tier, time_us=now_us())]
            )
    answer = _different(engine, "ann/small-eyes", "but verified")
    assert _ids(answer) == ["ben/large-eyes"]
    assert "runs: verified (artifact)" in answer.results[0].why


def test_another_modality_is_the_same_kind_of_job(home: Home) -> None:
    sound = _model("ann/ears", "audio.audio-classification", "Names what is on a recording.")
    words = _model("ben/reader", "text.text-classification", "Names what a sentence feels.")
    maker = _model("cat/painter", "vision.text-to-image", "Draws.")
    engine = build_small(home, (_model("ann/eyes"), sound, words, maker))
    answer = _different(engine, "ann/eyes", "but another modality")
    assert set(_ids(answer)) == {"ann/ears", "ben/reader"}
    assert "audio to text instead of image to text" in next(r.why for r in answer.results if r.artifact == "ann/ears")
    assert _ids(_different(engine, "ann/eyes", "but for audio")) == ["ann/ears"]
    assert _different(engine, "ann/eyes", "").abstained  # without it, another modality is another job
    assert "image-classification" in tasks_of_kind("text.text-classification")


# Jobs ---------------------------------------------------------------------------------------------------
def test_a_task_read_from_a_functionality_is_a_guess() -> None:
    assert not stated_job(CLASSIFY, None, None).is_guess
    assert stated_job(CLASSIFY, None, "Image Classification").is_guess
    assert not stated_job(CLASSIFY, "Computer Vision Image Classification", "Image Classification").is_guess
    assert stated_job("lifecycle.export", None, None).label is None


def _labelled(name: str, domain: str | None, text: str, **fields: Any) -> Artifact:
    capability = Capability(id="main", name=text, task="other.other", description=text, domain=domain)
    return make_artifact(name, capabilities=(capability,), **fields)


def test_a_job_that_nobody_states_is_voted_for(home: Home) -> None:
    rows = [
        _labelled("a/kettle", "Cookery", "boils water in a pot for soup"),
        _labelled("a/pan", "Cookery", "boils water in a pan for pasta"),
        _labelled("a/saw", "Carpentry", "cuts wood along a line"),
        _labelled("x/mystery", None, "boils water in a pot for tea"),
    ]
    engine = build_small(home, tuple(rows))
    answer = _different(engine, "x/mystery", "")
    assert _ids(answer)[:2] == ["a/kettle", "a/pan"]
    assert "as far as its neighbours tell (cookery" in answer.results[0].why
    assert {"dense", "job", "repeats"} <= set(answer.results[0].parts)


def test_the_domain_that_judges_can_be_hidden() -> None:
    artifact = _labelled("a/kettle", "Cookery", "boils water")
    hidden = without_domain(artifact)
    assert job_of(artifact).label == "cookery"
    assert job_of(hidden).label is None
    assert "cookery" not in hidden.model_dump_json().lower()


# Results ------------------------------------------------------------------------------------------------
def _catalogue(size: int = 40) -> tuple[Artifact, ...]:
    twins = {3: "photos-02-gguf", 5: "photos-04-onnx"}
    return tuple(
        _model(
            f"org{n % 5}/{twins.get(n, f'photos-{n:02}')}",
            text=f"Names what is on a photo, in its way number {n}, at night.",
            params=None if n % 7 == 0 else 1_000_000 * (n % 11 + 1), family=("vit", "resnet", None)[n % 3],
            license=("mit", None)[n % 2], base_model="org0/photos-10" if n in (11, 12) else None,
            weights=Weights(hub_id=f"o/{n}") if n % 2 else Weights(),
        )
        for n in range(size)
    )  # fmt: skip


@given(
    st.sampled_from([artifact.id for artifact in _catalogue()]),
    st.lists(st.sampled_from(["smaller", "larger", "another family", "another organisation", "offline",
    "permissive licence",
                              "not by org1", "under 5M parameters"]), max_size=3, unique=True),
)  # fmt: skip
def test_every_result_differs_as_stated_and_is_no_copy(different_engine: Engine, name: str, wanted: list[str]) -> None:
    artifacts = {artifact.id: artifact for artifact in _catalogue()}
    phrase = "but " + " and ".join(wanted) if wanted else ""
    answer = _different(different_engine, name, phrase, limit=100)
    rejected, wish = artifacts[name], read_wish(phrase, different_engine.names.owners)
    judged = {
        artifact.id: [d.judge(Candidate(artifact), Candidate(rejected)) for d in wish.differences]
        for artifact in artifacts.values()
    }
    right = {
        artifact for artifact, answers in judged.items()
        if all(answers) and not is_copy(artifacts[artifact], rejected)
    }  # fmt: skip
    for each in ("not by org1", "under 5M parameters"):
        if each in wanted:
            right = {
                a for a in right if (a[:5] != "org1/" if "org1" in each else (artifacts[a].params or 10**9) < 5_000_000)
            }
    if "contradict" not in answer.message:
        assert set(_ids(answer)) == right  # nothing else, and nothing lost
    scores = [result.score for result in answer.results]
    assert scores == sorted(scores, reverse=True)
    for result in answer.results:
        assert sum(result.parts.values()) == pytest.approx(result.score, abs=1e-9)
        assert result.why.startswith("same job: image classification")
    assert answer.abstained is (not right)
    assert bool(answer.message) is (not right)


@pytest.fixture(scope="module")
def different_engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from graph.home import open_home
    from graph.settings import Settings

    home = open_home(Settings(home=tmp_path_factory.mktemp("different")))
    yield build_small(home, _catalogue())
    home.close()


def test_pages_of_a_difference_add_up(different_engine: Engine) -> None:
    whole = _ids(_different(different_engine, "org0/photos-10", "", limit=30))
    pages = [_ids(_different(different_engine, "org0/photos-10", "", limit=10, offset=o)) for o in (0, 10, 20)]
    assert [artifact for page in pages for artifact in page] == whole


def test_copies_among_the_results_step_back(home: Home) -> None:
    rows = [
        _model("a/wanted", text="Names what is on a photo"),
        _model("b/best", text="Names what is on a photo quickly"),
        _model("c/best-gguf", text="Names what is on a photo quickly"),
        _model("d/good", text="Names objects that somebody drew on paper"),
    ]  # fmt: skip
    answer = _different(build_small(home, tuple(rows)), "a/wanted", "")
    assert _ids(answer) == ["b/best", "d/good", "c/best-gguf"]
    assert answer.results[2].parts["repeats"] == -1.0


def test_not_these_either(home: Home) -> None:
    engine = build_small(home)
    assert set(_ids(_different(engine, "ben/large-eyes", ""))) == {"ann/small-eyes", "dan/closed-eyes"}
    assert _ids(_different(engine, "ben/large-eyes", "", rejected=("ann/small-eyes",))) == ["dan/closed-eyes"]
    with pytest.raises(UnknownArtifact):
        _different(engine, "ben/large-eyes", "", rejected=("nobody/nothing",))


def test_what_was_asked_is_shown_and_recorded(home: Home) -> None:
    engine = build_small(home)
    answer = _different(engine, "ben/large-eyes", "but smaller and under 10M parameters, for phones")
    assert answer.understood.differences == ("smaller",)
    assert answer.understood.where == ("params<10000000",)
    assert "5,600,000 parameters against 86,000,000; params<10000000" in answer.results[0].why
    with home.store.reading() as connection:
        (event,) = [e for e in log.read_events(connection, kind="search") if isinstance(e, SearchEvent)]
    assert (event.operation, event.target, event.filters) == ("different", "ben/large-eyes", ("params<10000000",))


def test_taken_as_words_nothing_has_to_differ(home: Home) -> None:
    engine = build_small(home)
    answer = _different(engine, "ben/large-eyes", "but smaller", understand=False)
    assert set(_ids(answer)) == {"ann/small-eyes", "dan/closed-eyes"}
    assert answer.understood.differences == ()


def test_contradictory_limits_are_said(home: Home) -> None:
    answer = _different(build_small(home), "ben/large-eyes", "under 1M parameters and over 2M parameters")
    assert answer.abstained
    assert "contradict each other" in answer.message


def test_what_the_gate_kept_out_can_still_be_replaced(home: Home) -> None:
    engine = build_small(home)
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [_model("new/eyes", text="Names what is on a photo, newly.")])
    assert set(_ids(_different(engine, "new/eyes", ""))) >= {"ann/small-eyes", "ben/large-eyes"}


# Faces --------------------------------------------------------------------------------------------------
def _key(document: Any) -> tuple[list[tuple[str, float, dict[str, float]]], float]:
    return [(r["artifact"], r["score"], r["parts"]) for r in document["results"]], document["confidence"]


@pytest.mark.parametrize(
    ("path", "words", "params"),
    [
        ("search", ["classify photos"], {"q": "classify photos"}),
        ("search", ["classify photos under 100M parameters", "--not", "ann/small-eyes"],
         {"q": "classify photos under 100M parameters", "reject": "ann/small-eyes"}),
        ("search", ["names what is on a photo license:mit", "--no-understand"],
         {"q": "names what is on a photo license:mit", "understand": "false"}),
        ("different", ["ben/large-eyes", "but smaller"], {"artifact": "ben/large-eyes", "q": "but smaller"}),
        ("different", ["ben/large-eyes"], {"artifact": "ben/large-eyes"}),
    ],
)  # fmt: skip
def test_every_face_gives_the_same(
    home: Home, monkeypatch: pytest.MonkeyPatch, path: str, words: list[str], params: dict[str, str]
) -> None:
    engine = build_small(home)
    monkeypatch.setattr(search.engine, "open_encoder", lambda *_, **__: WordEncoder())
    printed = CliRunner().invoke(app, [path, *words, "--home", str(home.path), "--json"])
    assert printed.exit_code == 0, printed.output
    client = TestClient(create_app(home, engine.encoder), headers={"user-agent": "a person"})
    served = client.get(f"/api/v1/{path}", params=params)
    assert served.status_code == 200
    assert served.headers["cache-control"] == "no-store"
    asked = SearchRequest(
        params.get("q", params.get("artifact", "")), LOCAL, understand="understand" not in params,
        rejected=(params["reject"],) if "reject" in params else (),
    )  # fmt: skip
    if path == "different":
        python = find_different(engine, params["artifact"], params.get("q", ""), asked)
    else:
        python = engine.search(asked)
    assert python.results
    assert _key(json.loads(printed.stdout)) == _key(served.json()) == _key(python.model_dump())


def test_the_terminal_says_what_was_understood(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    build_small(home)
    monkeypatch.setattr(search.engine, "open_encoder", lambda *_, **__: WordEncoder())
    runner = CliRunner()
    printed = runner.invoke(app, ["search", "classify photos under 10M parameters", "--home", str(home.path)])
    assert 'understood: "under 10M parameters" as params<10000000 (--no-understand takes it as words)' in printed.stderr
    assert "3 left out because a condition is unknown for them" in printed.stderr
    printed = runner.invoke(app, ["different", "ben/large-eyes", "but smaller", "--home", str(home.path)])
    assert "must differ: smaller" in printed.stderr
    assert "1. same job: image classification; smaller: 5,600,000 parameters" in printed.stdout
    assert max(map(len, printed.stdout.splitlines())) <= 80
    missing = runner.invoke(app, ["different", "ben/large-eye", "--home", str(home.path)])
    assert isinstance(missing.exception, UnknownArtifact)


def test_bad_input_over_http(home: Home) -> None:
    engine = build_small(home)
    client = TestClient(create_app(home, engine.encoder), headers={"user-agent": "a person"})
    assert client.get("/api/v1/different").status_code == 422
    assert client.get("/api/v1/different", params={"artifact": "nobody"}).status_code == 404
    assert client.get("/api/v1/different", params={"artifact": "ann/painter", "limit": "0"}).status_code == 400
    assert client.get("/api/v1/search", params={"q": "photos", "where": "weight<3"}).status_code == 400
    assert client.get("/api/v1/search", params={"q": "photos", "reject": "nobody"}).status_code == 404
    none = client.get("/api/v1/different", params={"artifact": "ann/painter", "q": "but smaller"})
    assert (none.status_code, none.json()["abstained"]) == (200, True)
