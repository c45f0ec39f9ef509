"""What is searched and quoted, and that no sentence with a refuted claim is."""

from __future__ import annotations

import time

import pytest
from factories import make_artifact
from hypothesis import given
from hypothesis import strategies as st

from graph.artifacts import Artifact, Capability, Conditions, Wording
from graph.claims import Claim
from indexer.decompose import canonical_text, texts_of, why_sentences
from indexer.sentences import allowed_field, allowed_sentences, allowed_text, holding, split_sentences


def make_claim(text: str = "", value: float | str | None = None, metric: str = "accuracy", name: str = "cl_1") -> Claim:
    return Claim(id=name, artifact="ann/tiny-classifier", metric=metric, value=value, text=text)


def make_capability(**fields: object) -> Capability:
    known = {"id": "c", "name": "Digit reading", "task": "vision.image-classification"}
    return Capability.model_validate(known | fields)


# Sentences ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Works with e.g. cats. Fast.", ["Works with e.g. cats.", "Fast."]),
        ("5.6M parameters. Small.", ["5.6M parameters.", "Small."]),
        ("| a | b |\nc", ["a", "b", "c"]),
        ('He said "yes." Then left', ['He said "yes.', "Then left"]),
    ],
)
def test_sentences_lines_and_cells(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_splitting_is_linear() -> None:
    start = time.perf_counter()
    split_sentences(" " * 200_000 + "\n" * 200_000 + ". " * 200_000)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        ("97.2 % on ImageNet", ["It is small.", "It runs on phones."]),
        ("REACHES  97.2 % on\nimagenet", ["It is small.", "It runs on phones."]),
        ("**97.2** % on ImageNet", ["It is small.", "It runs on phones."]),
        ("It is small. It reaches 97.2", ["It runs on phones."]),  # over two sentences: both go
        ("Intro. It is small.  More after", ["It reaches 97.2 % on ImageNet.", "It runs on phones."]),
        ("7.2 % on ImageNet", None),  # "7.2" is not in "97.2"
        ("97", None),  # nor is "97"
        ("phone", None),
        ("", None),
    ],
)
def test_a_sentence_goes_where_a_refuted_claims_text_overlaps_it(claimed: str, kept: list[str] | None) -> None:
    text = "It is small. It reaches 97.2 % on ImageNet. It runs on phones."
    whole = ["It is small.", "It reaches 97.2 % on ImageNet.", "It runs on phones."]
    assert allowed_sentences(text, [make_claim(claimed)]) == (whole if kept is None else kept)


@pytest.mark.parametrize(
    ("sentence", "metric", "value", "goes"),
    [
        ("Right in 99.9 percent of cases.", "accuracy", 99.9, True),
        ("Right in 99.8 percent of cases.", "accuracy", 99.9, False),
        ("It is 99.9 mm wide.", "accuracy", 99.9, False),
        ("Only 5.6M parameters.", "parameters", 5_600_000.0, True),
        ("Only 5,600,000 parameters.", "parameters", 5_600_000.0, True),
        ("Only 15.6M parameters.", "parameters", 5_600_000.0, False),
        ("Up to 8x smaller.", "size_ratio", 8.0, True),
        ("Trained in 8 hours.", "size_ratio", 8.0, False),
        ("Works.", "runs", None, False),
    ],
)
def test_a_sentence_goes_where_it_prints_the_refuted_number_again(
    sentence: str, metric: str, value: float | None, goes: bool
) -> None:
    assert (allowed_sentences(sentence, [make_claim("", value, metric)]) == []) == goes


def test_a_field_goes_whole_and_a_text_stays_as_it_is_without_a_refuted_claim() -> None:
    claim = make_claim("nine of ten")
    assert allowed_field("Fast. Right in nine of ten cases", [claim]) == ""
    assert allowed_field("Fast", [claim]) == "Fast"
    assert allowed_field(None, [claim]) == ""
    assert allowed_text(" Two  blanks.\nStay. ", [claim]) == "Two  blanks.\nStay."
    assert allowed_text("Two  blanks.\nNine of ten. Last.", [claim]) == "Two blanks. Last."
    assert holding("A. Nine of ten. B.", claim) == [1]


@given(st.lists(st.text("abc .\n|", min_size=1, max_size=20), max_size=6), st.integers(0, 5))
def test_no_allowed_sentence_holds_the_claim(parts: list[str], at: int) -> None:
    lie = "xq7 beats every rival"
    text = ". ".join([*parts[:at], f"It {lie} here", *parts[at:]])
    claim = make_claim(lie)
    assert all(lie not in sentence for sentence in allowed_sentences(text, [claim]))
    assert lie not in allowed_text(text, [claim])
    kept = set(allowed_sentences(text, []))
    assert set(allowed_sentences(text, [claim])) <= kept


# Texts --------------------------------------------------------------------------------------------------
def test_a_catalogue_entry_without_variants_is_one_row() -> None:
    capability = make_capability(
        domain="Computer Vision Image Classification", functionality="Image Classification", description="Reads digits."
    )
    artifact = make_artifact("ann/lens", capabilities=(capability,))
    [row] = texts_of(artifact)
    assert row.text == "lens. Computer Vision Image Classification. Image Classification. Reads digits."
    assert (row.artifact, row.capability, row.kind) == ("ann/lens", "c", "main")


def test_empty_parts_are_left_out_and_the_task_stands_in_for_the_domain() -> None:
    assert [row.text for row in texts_of(make_artifact(capabilities=(make_capability(),)))] == [
        "tiny-classifier. image classification. Digit reading"
    ]
    bare = make_capability(task="other.other")
    assert [row.text for row in texts_of(make_artifact(capabilities=(bare,)))] == ["tiny-classifier. Digit reading"]
    assert texts_of(make_artifact(capabilities=())) == []


def test_wordings_and_intents_are_rows_of_their_own_and_repeats_are_not() -> None:
    capability = make_capability(
        description="Reads.", intents_served=("read a digit", "sort mail"),
        wordings=(
            Wording(name="lens-2", domain="Vision", functionality="OCR", description="Reads too."),
            Wording(name="tiny-classifier", functionality="Digit reading", description="Reads."),
        ),
    )  # fmt: skip
    rows = texts_of(make_artifact(capabilities=(capability,)))
    assert [(row.kind, row.text) for row in rows] == [
        ("main", "tiny-classifier. image classification. Digit reading. Reads."),
        ("wording", "lens-2. Vision. OCR. Reads too."),
        ("intents", "tiny-classifier. read a digit. sort mail."),
    ]


def lying_artifact() -> Artifact:
    lie = "Never wrong on any digit"
    capability = make_capability(
        name="Digit reading", description=f"Reads digits. {lie}. Small.", unique=f"Small and {lie.lower()}.",
        vs_alternatives=f"Others fail; {lie}.", intents_served=("read a digit", lie), domain=lie, functionality=lie,
        wordings=(Wording(name=lie, description=f"{lie}!  Cheap."),),
        conditions=Conditions(best_for=(lie, "mail")),
    )  # fmt: skip
    return make_artifact(name="ann/lens", capabilities=(capability,), claims=(make_claim(lie),))


def test_a_refuted_claim_is_in_no_text_no_why_and_no_canonical_text() -> None:
    artifact = lying_artifact()
    [capability] = artifact.capabilities
    before = [row.text for row in texts_of(artifact)]
    assert sum("never wrong" in text.lower() for text in before) == 3  # the control: without the refutation it is
    refuted = frozenset({"cl_1"})
    after = [row.text for row in texts_of(artifact, refuted)]
    assert after == ["lens. image classification. Reads digits. Small.", "image classification. Cheap.",
                     "lens. read a digit."]  # fmt: skip
    assert why_sentences(artifact, capability, refuted) == ("Reads digits.", "Small.", "read a digit", "Cheap.", "mail")
    assert "wrong" not in canonical_text(artifact, capability, refuted).lower()
    assert any("wrong" in sentence.lower() for sentence in why_sentences(artifact, capability))


def test_refuted_claims_of_another_artifact_change_nothing() -> None:
    artifact = lying_artifact()
    assert texts_of(artifact, frozenset({"cl_of_another"})) == texts_of(artifact)


def test_the_canonical_text_has_no_name_of_the_artifact() -> None:
    capability = make_capability(name="Digits by Lens", description="ann/lens reads digits. Second.")
    artifact = make_artifact("ann/lens", capabilities=(capability,)).model_copy(update={"name": "Lens"})
    assert canonical_text(artifact, capability) == "image classification. Digits by. reads digits"
