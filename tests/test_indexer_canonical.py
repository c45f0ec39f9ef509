"""Canonical capabilities: united where the job is one, apart where it is not, and frozen."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from factories import make_artifact
from fake_encoder import WordEncoder

from graph.artifacts import Artifact, Capability
from graph.claims import Claim
from graph.errors import UnknownArtifact
from graph.home import Home
from graph.store.catalogue import (
    Canonical,
    all_artifacts,
    all_canonical,
    assignments,
    load_vectors,
    save_artifacts,
    vector_key,
)
from graph.store.log import read_events
from indexer.canonical import (
    Candidate,
    assign_canonical,
    decide,
    free_uri,
    merge_canonical,
    surviving_uris,
)
from indexer.decompose import canonical_text
from indexer.jobs import Job, fits, job_of, united
from inference.embedder import open_encoder

ZERO_SHOT = "text.zero-shot-classification"
TRANSLATE = "text.translation"
CLASSIFY = "vision.image-classification"
NOTHING = Job()


def make_model(name: str, task: str, capability: str, description: str = "", **fields: object) -> Artifact:
    known = Capability(id="c", name=capability, task=task, description=description)
    return make_artifact(name, capabilities=(known,), **fields)


def uris(home: Home, encoder: object, artifacts: Sequence[Artifact]) -> dict[tuple[str, str], str]:
    with home.store.writing() as connection:
        save_artifacts(connection, artifacts)
    with home.store.reading() as connection:
        stored = all_artifacts(connection)
    assign_canonical(home, encoder, stored, {})
    with home.store.reading() as connection:
        return assignments(connection)


def job(task: str, name: str, description: str = "", artifact: str = "ann/x", **fields: object) -> Job:
    made = make_model(artifact, task, name, description, **fields)
    return job_of(made, made.capabilities[0], [])


# Calibration with the real encoder ----------------------------------------------------------------------
SAME = [
    ("zs-1", ZERO_SHOT, "zero-shot text classification with natural language inference",
     "Classifies text into arbitrary user-defined categories without task-specific training."),
    ("zs-2", ZERO_SHOT, "multilingual zero-shot classification across 100+ languages",
     "Performs zero-shot classification on text in over 100 languages."),
    ("zs-3", ZERO_SHOT, "entailment-based zero-shot label scoring",
     "Computes entailment probabilities between a text and candidate label hypotheses."),
    ("zs-4", ZERO_SHOT, "Label texts with any label set, no examples needed",
     "Scores a text against labels invented a minute ago."),
]  # fmt: skip
APART = [
    ("chess", "other.other", "Chess analysis and play", "Searches a position and returns the best move."),
    ("blender", "other.other", "Modelling and animation in 3D", "One program from sculpting to final pictures."),
    ("en-de", "text.translation", "Translation", "Translates English text into German."),
    ("de-en", "text.translation", "Translation", "Translates German text into English."),
    ("fr-en", "text.translation", "Translation", "Translates French text into English."),
    ("complete", "text.text-generation", "Code completion", "Completes source code as you type."),
    ("chat", "text.text-generation", "Chat assistant", "Answers in dialogue, following instructions."),
    ("hats", "vision.object-detection", "Object Detection", "A YOLOv8 model for detecting hard hats in images."),
    ("lifts", "vision.object-detection", "Object Detection", "A YOLOv8 model for detecting forklifts in images."),
    ("digits", CLASSIFY, "Digit classification", "Classifies scanned digits into ten classes."),
    ("photos", CLASSIFY, "Image classification", "Names the ImageNet class of a photo."),
    ("clip", ZERO_SHOT, "Zero-shot image classification", "Finds the label that fits a picture best."),
    ("kamel", ZERO_SHOT, "Zero-shot classification in French", "Classifies French text with free labels."),
]  # fmt: skip


@pytest.mark.slow
def test_siblings_unite_and_other_jobs_stay_apart_under_the_real_encoder(home: Home) -> None:
    models = [make_model(name, task, capability, text) for name, task, capability, text in SAME + APART]
    found = uris(home, open_encoder(None, threads=1), models)
    siblings = {found[name, "c"] for name, *_ in SAME}
    others = [found[name, "c"] for name, *_ in APART]
    assert len(siblings) == 1
    assert len(set(others)) == len(APART)
    assert not siblings & set(others)
    assert found["en-de", "c"] == "capability://text.translation.translation-2"
    assert found["chess", "c"] == "capability://other.other.chess-analysis-and-play"


# What is read off plainly -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (job(TRANSLATE, "T", "English to German."), job(TRANSLATE, "T", "German to English."), False),
        (job(TRANSLATE, "T", artifact="m/opus-mt-en-de"), job(TRANSLATE, "T", "From English into German."), True),
        (job(TRANSLATE, "T", artifact="m/opus-mt-en-de"), job(TRANSLATE, "T", artifact="m/en-fr"), False),
        (job(ZERO_SHOT, "Z"), job(ZERO_SHOT, "Z for English"), True),
        (job(ZERO_SHOT, "Z"), job(ZERO_SHOT, "Z for German"), False),
        (job(ZERO_SHOT, "Z of texts"), job(ZERO_SHOT, "Z of pictures"), False),
        (job(CLASSIFY, "C of photos"), job(CLASSIFY, "C of pictures"), True),
        (job(CLASSIFY, "C", "On ImageNet-1k."), job(CLASSIFY, "C", "On imagenet."), True),
        (job(CLASSIFY, "C", "On ImageNet-1k."), job(CLASSIFY, "C", "On ImageNet-21k."), False),
        (job(CLASSIFY, "C", "On ImageNet-1k."), job(CLASSIFY, "C of digits"), False),
        (job("audio.text-to-speech", "S", "Speaks. Russian."), job("audio.text-to-speech", "S", "Speaks."), False),
        (Job(labels=10), Job(labels=1000), False),
        (Job(labels=10), Job(), True),
    ],
)  # fmt: skip
def test_what_tells_two_jobs_apart(one: Job, other: Job, same: bool) -> None:
    assert fits(one, other) == fits(other, one) == same


def test_the_number_of_labels_is_read_from_a_claim_that_is_not_refuted() -> None:
    claim = Claim(id="cl_1", artifact="ann/x", metric="labels", value=10.0)
    made = make_model("ann/x", CLASSIFY, "C", claims=(claim,))
    assert job_of(made, made.capabilities[0], []).labels == 10
    assert job_of(made, made.capabilities[0], [claim]).labels is None


def test_a_united_job_keeps_what_both_know() -> None:
    a, b = Job(sets=frozenset({"coco"})), Job(sets=frozenset({"coco", "imagenet"}), labels=80)
    assert united(a, b) == united(b, a) == Job(sets=frozenset({"coco"}), labels=80)
    assert united(Job(), b) == b


# Deciding -----------------------------------------------------------------------------------------------
def candidate(
    artifact: str, vector: Sequence[float], capability: str = "c", task: str = ZERO_SHOT, plain: Job = NOTHING
) -> Candidate:
    unit = np.array(vector, np.float32) / np.linalg.norm(vector)
    return Candidate((artifact, capability), task, "Zero shot", f"{artifact} {capability}", plain, unit)


def test_the_most_similar_is_joined_from_the_threshold_on() -> None:
    """Cosine of (1, 0) and (cos t, sin t) is cos t: .70 is the least for this task."""
    for cosine, joins in ((0.701, True), (0.699, False)):
        close = candidate("b", (cosine, (1 - cosine**2) ** 0.5))
        decided = decide([candidate("a", (1, 0)), close], [], {})
        assert len(decided.created) == 1 + (not joins)
        assert (decided.assigned["a", "c"] == decided.assigned["b", "c"]) == joins


def test_the_threshold_depends_on_the_task() -> None:
    for task, least in ((ZERO_SHOT, 0.70), ("text.fill-mask", 0.80), ("other.other", 0.88), (CLASSIFY, 0.88)):
        for cosine, joins in ((least + 0.001, True), (least - 0.001, False)):
            pair = [candidate("a", (1, 0), task=task), candidate("b", (cosine, (1 - cosine**2) ** 0.5), task=task)]
            assert len(decide(pair, [], {}).created) == 1 + (not joins), (task, cosine)


def test_tasks_are_never_mixed_and_names_make_uris() -> None:
    decided = decide([candidate("a", (1, 0)), candidate("b", (1, 0), task="text.fill-mask")], [], {})
    assert sorted(decided.assigned.values()) == [
        "capability://text.fill-mask.zero-shot", "capability://text.zero-shot-classification.zero-shot",
    ]  # fmt: skip


def test_two_capabilities_of_one_artifact_never_share_and_the_closer_one_joins() -> None:
    founder = candidate("a", (1, 0, 0))
    far, near = candidate("b", (0.8, 0.6, 0), "c1"), candidate("b", (0.9, 0, 0.436), "c2")
    for own in ([far, near], [near, far]):
        decided = decide([founder, *own], [], {})
        assert decided.assigned["b", "c2"] == decided.assigned["a", "c"] != decided.assigned["b", "c1"]


def test_nor_does_a_new_capability_join_an_older_one_of_its_artifact() -> None:
    known = [Canonical("capability://t.old", ZERO_SHOT, "Old", "key")]
    pair = [candidate("a", (1, 0), "c1"), candidate("a", (1, 0), "c2")]
    assert len(decide(pair, known, {("a", "c1"): "capability://t.old"}).created) == 1


def test_equal_vectors_do_not_unite_what_plainly_differs() -> None:
    german, french = Job(languages=("german",)), Job(languages=("french",))
    jobs = {"a": german, "b": french, "c": german}
    three = [candidate(name, (1, 0), plain=plain) for name, plain in jobs.items()]
    found = decide(three, [], {}).assigned
    assert found["a", "c"] == found["c", "c"] != found["b", "c"]


def test_the_decision_does_not_depend_on_the_order_of_artifacts() -> None:
    draw = random.Random(0)
    given = [candidate(f"a{n:02d}", [draw.gauss(0, 1) for _ in range(3)]) for n in range(40)]
    expected = decide(given, [], {})
    assert 1 < len(expected.created) < 40
    for _ in range(5):
        draw.shuffle(given)
        assert decide(given, [], {}).assigned == expected.assigned


def test_what_is_assigned_stays_and_new_ones_join_it() -> None:
    known = [Canonical("capability://t.old", ZERO_SHOT, "Old", "key")]
    decided = decide([candidate("a", (1, 0)), candidate("b", (1, 0.1))], known, {("a", "c"): "capability://t.old"})
    assert decided.created == ()
    assert decided.assigned == {("b", "c"): "capability://t.old"}


def test_members_of_an_alias_count_for_the_survivor() -> None:
    known = [
        Canonical("capability://t.old", ZERO_SHOT, "Old", "k1"),
        Canonical("capability://t.new", ZERO_SHOT, "New", "k2", "capability://t.old"),
    ]
    decided = decide([candidate("a", (1, 0)), candidate("b", (1, 0.1))], known, {("a", "c"): "capability://t.new"})
    assert decided.assigned == {("b", "c"): "capability://t.old"}
    circle = [Canonical("u1", "t", "", "", "u2"), Canonical("u2", "t", "", "", "u1")]
    assert set(surviving_uris(circle)) == {"u1", "u2"}  # and it ends


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("One two three four five six seven", "one-two-three-four-five-six"),
        ("Zero-Shot: v1.5 (fast!)", "zero-shot-v1-5-fast"),
        ("日本語", "unnamed-77710a"),
        ("x" * 500, "x" * 80),
    ],
)
def test_uris_are_short_and_plain(name: str, slug: str) -> None:
    assert free_uri("text.translation", name, set()) == f"capability://text.translation.{slug}"


def test_a_taken_uri_gets_a_number() -> None:
    taken = {"capability://a.b.c", "capability://a.b.c-2"}
    assert free_uri("a.b", "c", taken) == "capability://a.b.c-3"


# In the store -------------------------------------------------------------------------------------------
def test_uris_survive_rewording_and_are_written_as_events_once(home: Home) -> None:
    encoder = WordEncoder()
    models = [
        make_model("ann/a", "text.fill-mask", "Fills masks", "Guesses the hidden word."),
        make_model("bob/b", "text.fill-mask", "Fills masks", "Guesses the hidden word."),
        make_model("eve/e", "text.fill-mask", "Quite another thing", "Unlike all others."),
    ]
    first = uris(home, encoder, models)
    assert first["ann/a", "c"] == first["bob/b", "c"] == "capability://text.fill-mask.fills-masks"
    assert first["eve/e", "c"] == "capability://text.fill-mask.quite-another-thing"
    reworded = [make_model("bob/b", "text.fill-mask", "Zzz", "Other words altogether now.")]
    assert uris(home, encoder, reworded) == first
    with home.store.reading() as connection:
        events = [(e.action, e.subject, e.object, e.detail) for e in read_events(connection, kind="catalogue")]
        labels = [canonical.label for canonical in all_canonical(connection)]
        key = all_canonical(connection)[0].vector_key
        assert load_vectors(connection, encoder.info.digest, [key])
    assert labels == ["Fills masks", "Quite another thing"]
    task = "text.fill-mask"
    assert events == [
        ("capability_created", first["ann/a", "c"], None, {"task": task, "label": labels[0]}),
        ("capability_created", first["eve/e", "c"], None, {"task": task, "label": labels[1]}),
        ("capability_assigned", "ann/a", first["ann/a", "c"], {"capability": "c"}),
        ("capability_assigned", "bob/b", first["bob/b", "c"], {"capability": "c"}),
        ("capability_assigned", "eve/e", first["eve/e", "c"], {"capability": "c"}),
    ]  # fmt: skip


def test_a_refuted_sentence_is_in_no_canonical_vector_and_no_label(home: Home) -> None:
    encoder, lie = WordEncoder(), "Never errs anywhere"
    claim = Claim(id="cl_1", artifact="ann/a", metric="accuracy", text=lie)
    model = make_model("ann/a", "text.fill-mask", lie, f"{lie}. Fills gaps.", claims=(claim,))
    with home.store.writing() as connection:
        save_artifacts(connection, [model])
    assign_canonical(home, encoder, [model], {"ann/a": frozenset({"cl_1"})})
    assert encoder.encoded == ["fill mask. Fills gaps"]
    with home.store.reading() as connection:
        [canonical] = all_canonical(connection)
    assert (canonical.uri, canonical.label) == ("capability://text.fill-mask.fill-mask", "fill mask")
    assert canonical.vector_key == vector_key("fill mask. Fills gaps")
    assert "errs" in canonical_text(model, model.capabilities[0])  # the control


def test_merging_by_hand_keeps_the_older_uri_and_says_so(home: Home) -> None:
    models = [make_model(name, "text.fill-mask", name, name) for name in ("aa", "bb")]
    found = uris(home, WordEncoder(), models)
    old, new = found["aa", "c"], found["bb", "c"]
    with home.store.reading() as connection:
        before = {canonical.uri: canonical for canonical in all_canonical(connection)}
    assert merge_canonical(home, new, old) == old
    assert merge_canonical(home, old, new) == old  # a second time changes nothing
    with home.store.reading() as connection:
        after = all_canonical(connection)
        aliased = [e for e in read_events(connection, kind="catalogue") if e.action == "capability_aliased"]
    assert surviving_uris(after) == {old: old, new: old}
    assert [(e.subject, e.object) for e in aliased] == [(new, old)]
    assert [canonical.uri for canonical in after] == list(before)
    with pytest.raises(UnknownArtifact, match="no capability"):
        merge_canonical(home, old, "capability://a.b.c")
