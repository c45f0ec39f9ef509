"""Something different, and comparison: facts decide, and what is said is true of the numbers."""

from __future__ import annotations

import pytest
from factories import make_artifact
from fake_encoder import WordEncoder
from hypothesis import given
from hypothesis import strategies as st
from small_catalogue import build_small

from graph.artifacts import Artifact, Capability
from graph.errors import QueryError, UnknownArtifact
from graph.home import Home
from graph.responses import ArtifactReport, Component
from search.compare import COMPONENTS, compare_artifacts, verdict_sentence
from search.different import Wish, find_different, read_wish
from search.engine import LOCAL, Engine, open_engine
from search.memory import SearchRequest
from search.show import show_artifact


@pytest.fixture
def engine(home: Home) -> Engine:
    return build_small(home)


def _different(engine: Engine, name: str, phrase: str) -> list[str]:
    return [r.artifact for r in find_different(engine, name, phrase, SearchRequest(phrase, LOCAL)).results]


def test_the_same_job_without_the_artifact_and_its_copies(engine: Engine) -> None:
    assert set(_different(engine, "ben/large-eyes", "")) == {"ann/small-eyes", "dan/closed-eyes"}


def test_the_difference_holds_as_a_fact_with_a_reason(engine: Engine) -> None:
    answer = find_different(engine, "ben/large-eyes", "but smaller", SearchRequest("but smaller", LOCAL))
    assert [r.artifact for r in answer.results] == ["ann/small-eyes"]
    assert "5,600,000 parameters against 86,000,000" in answer.results[0].why
    assert answer.dropped_unknown == 1  # closed-eyes: nobody knows its size


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("but offline", {"ann/small-eyes"}), ("something free", {"ann/small-eyes"}),
        ("another family", {"ann/small-eyes"}), ("a different licence", {"ann/small-eyes"}),
    ],
)  # fmt: skip
def test_differences(engine: Engine, phrase: str, expected: set[str]) -> None:
    assert set(_different(engine, "ben/large-eyes", phrase)) == expected


def test_no_answer_is_an_answer(engine: Engine) -> None:
    answer = find_different(engine, "ann/small-eyes", "but smaller", SearchRequest("but smaller", LOCAL))
    assert answer.abstained
    assert "the smallest other is" in answer.message
    assert "86,000,000" in answer.message


def test_what_cannot_be_judged_is_said(engine: Engine) -> None:
    request = SearchRequest("but smaller", LOCAL)
    answer = find_different(engine, "dan/closed-eyes", "but smaller", request)
    assert answer.results == ()
    assert "the size of dan--closed-eyes is unknown" in answer.message


def test_it_counts_as_a_search(engine: Engine) -> None:
    _different(engine, "ben/large-eyes", "but smaller")
    assert show_artifact(engine.home, "ann/small-eyes").times_matched == 1
    assert show_artifact(engine.home, "ben/large-eyes").times_matched == 0


def test_words_left_over() -> None:
    wish = read_wish("like it but smaller and offline, for satellite images")
    assert [d.name for d in wish.differences] == ["smaller", "offline"]
    assert wish.words == "satellite images"
    assert read_wish("") == Wish()


def test_unknown_artifacts_get_suggestions(engine: Engine) -> None:
    with pytest.raises(UnknownArtifact) as unknown:
        _different(engine, "ben/large-eye", "")
    assert "ben--large-eyes" in unknown.value.suggestions
    with pytest.raises(UnknownArtifact):
        compare_artifacts(engine.home, ["ben/large-eyes", "nobody"])


def test_siblings_share_their_job_and_strangers_do_not(engine: Engine) -> None:
    siblings = compare_artifacts(engine.home, ["ann/small-eyes", "ben/large-eyes"])
    assert siblings.same_job
    assert len(siblings.shared) == 1
    assert siblings.only == {"ann/small-eyes": (), "ben/large-eyes": ()}
    strangers = compare_artifacts(engine.home, ["ann/small-eyes", "ann/painter"])
    assert not strangers.same_job
    assert strangers.shared == ()
    assert strangers.verdict.startswith("These do different jobs")


def _lifecycle(name: str, task: str, *, words: str = "") -> Artifact:
    shared = Capability(id="export", name="export to ONNX", task="lifecycle.export", description="Exports to ONNX.")
    own = Capability(id="own", name=words or f"{name} work", task=task, description=f"{words or name} in its own way.")
    return make_artifact(name, capabilities=(own, shared))


def test_what_any_model_can_be_put_through_is_no_job(home: Home) -> None:
    see, hear = _lifecycle("ann/see", "vision.depth-estimation"), _lifecycle("ben/hear", "audio.text-to-speech")
    found = compare_artifacts(build_small(home, (see, hear)).home, ["ann/see", "ben/hear"])
    assert [entry.uri.split(".")[0] for entry in found.shared] == ["capability://lifecycle"]
    assert not found.same_job
    assert found.verdict.startswith("These do different jobs")
    assert _different(open_engine(home, WordEncoder()), "ann/see", "") == []


def test_one_task_is_aligned_though_no_uri_unites_it(home: Home) -> None:
    names = {"ann/one": "measure the distance of pixels", "ben/two": "tell near from far"}
    two = tuple(_lifecycle(name, "vision.depth-estimation", words=words) for name, words in names.items())
    third = _lifecycle("cat/three", "audio.text-to-speech")
    build_small(home, (*two, third))
    found = compare_artifacts(home, list(names))
    assert {entry.uri: entry.names for entry in found.shared}["capability://vision.depth-estimation"] == names
    assert found.only == {"ann/one": (), "ben/two": ()}
    assert found.same_job
    assert not compare_artifacts(home, [*names, "cat/three"]).same_job  # the third does another


def test_comparing_counts_nothing(engine: Engine) -> None:
    compare_artifacts(engine.home, ["ann/small-eyes", "ben/large-eyes"])
    assert show_artifact(engine.home, "ann/small-eyes").times_matched == 0


@pytest.mark.parametrize("names", [[], ["ann/painter"], ["ann/painter"] * 2, ["a", "b", "c", "d", "e"]])
def test_two_to_four_different_ones(engine: Engine, names: list[str]) -> None:
    with pytest.raises(QueryError):
        compare_artifacts(engine.home, names)


def _report(name: str, values: dict[str, float | None], rank: float | None) -> ArtifactReport:
    parts = {
        key: Component(value=values[key], used=values[key] or 0.5, weight=20, contribution=1, known=True)
        for key in COMPONENTS
    }
    return ArtifactReport(
        artifact=name, slug=name, name=name, type="model", times_matched=0, distinct_actors=0, rank=rank,
        known_weight=100, components=parts,
    )  # fmt: skip


_VALUE = st.none() | st.sampled_from([0.0, 0.25, 0.25000001, 0.5, 1.0])


@given(st.tuples(*[_VALUE] * 12))
def test_every_sentence_is_true_of_the_table(values: tuple[float | None, ...]) -> None:
    one = _report("one", dict(zip(COMPONENTS, values[:5], strict=True)), values[10])
    two = _report("two", dict(zip(COMPONENTS, values[5:10], strict=True)), values[11])
    sentence = verdict_sentence([one, two], same_job=True)
    said = dict(part.split(": ", 1) for part in sentence.rstrip(".").split("; ") if ": " in part)
    pairs = {"UnfragileRank": (one.rank, two.rank)}
    pairs |= {title: (one.components[k].value, two.components[k].value) for k, title in COMPONENTS.items()}
    for title, (a, b) in pairs.items():
        if a is None or b is None:
            assert title not in said
            assert title in said["too little known to compare"]
        elif a == b:
            assert said[title].startswith("tie")
        else:
            assert said[title].startswith("one" if a > b else "two")
