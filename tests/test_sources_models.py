"""Model folders and their cards: facts and words apart, and a card is data, whatever it says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hf_cache import CARD, config, tensors
from hypothesis import given
from hypothesis import strategies as st

from graph.artifacts import Artifact
from graph.errors import SourceError
from indexer.sources import Entry, detect_kind, read_source
from indexer.sources.cards import Card, first_paragraph, read_card
from indexer.sources.inventory import render_inventory
from inference.models.files import list_files


def model(folder: Path, card: str | None = CARD, **results: str) -> Path:
    """A model's folder with this card and these `.eval_results`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_bytes(config())
    (folder / "model.safetensors").write_bytes(tensors())
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8")
    for name, text in results.items():
        (folder / ".eval_results").mkdir(exist_ok=True)
        (folder / ".eval_results" / f"{name}.yaml").write_text(text)
    return folder


def entry_of(folder: Path) -> Entry:
    """The single entry of a model's folder."""
    (entry,) = read_source(folder)
    return entry


def artifact_of(folder: Path) -> Artifact:
    """The artifact of a model's folder."""
    artifact = entry_of(folder).artifact
    assert artifact is not None
    return artifact


def card_of(folder: Path) -> Card:
    """The card in a folder."""
    return read_card(list_files(folder))


def test_text_of_the_card_is_a_passage_in_place(tmp_path: Path) -> None:
    (passage,) = entry_of(model(tmp_path / "tiny")).passages
    assert CARD.endswith(passage.text) and passage.start == len(CARD) - len(passage.text) > 0
    assert (passage.markup, passage.file) == ("markdown", str(tmp_path / "tiny" / "README.md"))
    assert entry_of(model(tmp_path / "mute", card=None)).passages == ()


def test_facts_come_from_files_and_words_from_the_card(tmp_path: Path) -> None:
    entry = entry_of(model(tmp_path / "tiny"))
    artifact = entry.artifact
    assert artifact is not None and entry.bucket == "loadable"
    assert (artifact.id, artifact.params, artifact.formats, artifact.has_card) == ("tiny", 128, ("safetensors",), True)
    assert (artifact.license, artifact.library) == ("apache-2.0", "transformers")
    (capability,) = artifact.capabilities
    assert capability.task == "text.text-classification"
    assert capability.description == "Says whether a film review is kind."
    assert artifact.weights.path == str((tmp_path / "tiny").resolve())
    (claim,) = artifact.claims
    assert (claim.metric, claim.value, claim.unit, claim.conditions.dataset) == ("accuracy", 91.2, "percent", "imdb")
    assert claim.text == "accuracy 91.2% (0.912) on IMDb"  # the digits tell how precise it is
    assert any("wer" in warning for warning in entry.warnings)


def test_model_without_a_card_is_described_by_its_files_and_claims_nothing(tmp_path: Path) -> None:
    artifact = artifact_of(model(tmp_path / "bare", card=None))
    assert (artifact.has_card, artifact.license, artifact.claims) == (False, None, ())
    wanted = "BertForSequenceClassification for text classification. Labels: negative, positive."
    assert artifact.capabilities[0].description == wanted


def test_base_model_makes_it_a_finetune(tmp_path: Path) -> None:
    artifact = artifact_of(model(tmp_path / "tuned", "---\nbase_model: [ann/base]\n---\nText of the card.\n"))
    assert (artifact.type, artifact.base_model) == ("finetune", "ann/base")
    assert artifact_of(model(tmp_path / "plain")).type == "model"


def test_eval_results_are_claims_on_their_data_set(tmp_path: Path) -> None:
    text = "- dataset: {id: cais/hle, task_id: default}\n  value: 20.9\n  notes: no-tools\n- value: 3\n"
    card = card_of(model(tmp_path / "m", None, hle=text.split("- value")[0], broken=text))
    (result,) = card.results
    assert (result.metric, result.value, result.dataset, result.note) == (
        "accuracy",
        20.9,
        "cais/hle",
        "default, no-tools",
    )
    assert any("broken.yaml cannot be read" in warning for warning in card.warnings)


def test_shares_become_percent_and_nonsense_is_kept_out(tmp_path: Path) -> None:
    def value(text: str) -> list[float]:
        index = (
            f"---\nmodel-index:\n- name: n\n  results:\n  - task: {{type: t}}\n    dataset: {{type: d, name: D}}\n"
            f"    metrics: [{{type: f1, value: {text}}}]\n---\n"
        )
        return [result.value for result in card_of(model(tmp_path / "v", index)).results]

    assert value("0.5") == [50.0]
    assert value("88.25") == [88.25]
    assert value("'88.2 ± 0.3'") == [88.2]
    assert [value(text) for text in (".nan", "-3", "1e9", "high", "[1]", "true", "null")] == [[]] * 7


HOSTILE = [
    "---\n" + "a: &a [x]\n" + "b: *a\n" + "---\nText.\n",
    "---\nmodel-index: oops\n---\nText.\n",
    "---\nmodel-index: [{name: n, results: [{}]}]\n---\nText.\n",
    "---\n- a list\n---\nText.\n",
    "---\n1: number\n---\nText.\n",
    "---\nself: x\nignore_metadata_errors: 1\n---\nText.\n",
    "---\neval_results: 3\ntags: {a: b}\n---\nText.\n",
    "---\ntags: [[1], {a: 1}]\nlicense: {a: 1}\npipeline_tag: 7\n---\nText.\n",
    "---\nx: !!python/object/apply:os.system [ls]\n---\nText.\n",
    "---\na: " + "[" * 200 + "\n---\nText.\n",
    "---\na: 1\na: 2\n---\nText.\n",
    "---\nnever closed\nText.\n",
    "---\nrefs: *nowhere\n---\nText.\n",
]


@pytest.mark.parametrize("card", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_card_is_data(tmp_path: Path, card: str) -> None:
    entry = entry_of(model(tmp_path / "m", card))
    assert entry.bucket == "loadable" and entry.artifact is not None
    assert entry.artifact.claims == ()


def test_metadata_that_unfolds_is_not_read(tmp_path: Path) -> None:
    lists = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    for number in range(12):
        lists += f"{chr(98 + number)}: &{chr(98 + number)} [{','.join(['*' + chr(97 + number)] * 10)}]\n"
    started = time.perf_counter()
    card = card_of(model(tmp_path / "m", f"---\nlicense: mit\n{lists}---\nText of the card.\n"))
    assert time.perf_counter() - started < 5
    assert card.license is None and any("metadata" in warning for warning in card.warnings)
    assert card_of(model(tmp_path / "ok", "---\nlicense: mit\n---\nText.\n")).license == "mit"  # the control


def test_metadata_with_an_alias_is_not_handed_to_the_library(tmp_path: Path) -> None:
    card = card_of(model(tmp_path / "m", "---\nlicense: mit\ntags: &t [a]\nx: *t\n---\nText.\n"))
    assert card.license is None and "uses aliases" in card.warnings[0]


def test_huge_card_is_cut(tmp_path: Path) -> None:
    card = card_of(model(tmp_path / "m", "# T\n\nA sentence about it. " + "More of the same. " * 100_000))
    assert card.description.startswith("A sentence about it.") and len(card.description) <= 1_000
    assert any("rest was not read" in warning for warning in card.warnings)


def test_first_paragraph_passes_over_what_is_no_prose() -> None:
    text = (
        "<div>banner</div>\n\n# Title\n\n[![badge](a.svg)](b)\n\n| a |\n|---|\n\n```python\nlong code here\n```\n"
        "\n- a list of things\n\nThe **first** real [sentence](https://example.org)\ngoes on here.\n\nThe second.\n"
    )
    assert first_paragraph(text) == "The first real sentence goes on here."
    assert first_paragraph("# only\n\n- lists\n") == ""
    assert "<script>" not in first_paragraph("Hello there <script>alert(1)</script> and goodbye.")


@given(st.text(max_size=200))
def test_any_text_has_a_bounded_first_paragraph(text: str) -> None:
    paragraph = first_paragraph(text)
    assert len(paragraph) <= 1_000 and "\n" not in paragraph


_METADATA = st.dictionaries(
    st.sampled_from(
        ["license", "tags", "pipeline_tag", "library_name", "base_model", "model-index", "eval_results", "x"]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "results", "task", "dataset", "metrics", "type", "value"]), inner
            )
        ),
        max_leaves=8,
    ),
)


@given(_METADATA)
def test_any_metadata_gives_an_artifact(tmp_path_factory: pytest.TempPathFactory, metadata: dict[str, object]) -> None:
    folder = model(tmp_path_factory.mktemp("any"), f"---\n{yaml.safe_dump(metadata)}---\nText.\n")
    assert entry_of(folder).artifact is not None


def test_folder_without_weights_is_rejected_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(config())
    entry = entry_of(tmp_path)
    assert entry.artifact is None and entry.bucket == "no weights"
    assert entry.problem is not None and entry.problem.code == "no_weights"
    assert str(entry.problem) == f"{tmp_path}: no weights in it: fetch the model's weight files"


def test_pickle_alone_is_listed_and_says_why_it_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(config())
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    entry = entry_of(tmp_path)
    assert entry.bucket == "pickle only" and entry.artifact is not None
    assert "can run code" in entry.warnings[0] and "trust it by name" not in entry.warnings[0]  # trust runs no pickle


@pytest.mark.parametrize(
    ("extra", "bucket"),
    [
        ({"auto_map": {"AutoModel": "modeling.Mine"}}, "custom code"),
        ({"num_hidden_layers": 10**6}, "unsafe"),  # a number that no publisher gave is no code
        ({"vocab_size": 10**7, "hidden_size": 10**6}, "unsafe"),  # more parameters than the files can hold
        ({}, "loadable"),
    ],
)
def test_the_inventory_tells_own_code_from_numbers_over_the_limits(
    tmp_path: Path, extra: dict[str, object], bucket: str
) -> None:
    folder = model(tmp_path / "model")
    (folder / "config.json").write_bytes(config(**extra))
    entry = entry_of(folder)
    assert entry.bucket == bucket
    assert render_inventory({entry.bucket: 1}, 0) == f"1 model: 1 {bucket}"


def test_pickles_beside_safetensors_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(config())
    (tmp_path / "model.safetensors").write_bytes(tensors())
    assert not any("pickle" in text for text in entry_of(tmp_path).warnings)
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    entry = entry_of(tmp_path)
    assert entry.bucket == "loadable"
    assert f"{tmp_path}: pickles beside safetensors are ignored: pytorch_model.bin" in entry.warnings


def test_folder_of_models_gives_one_entry_each(tmp_path: Path) -> None:
    for name in ("b", "a"):
        model(tmp_path / name)
    (tmp_path / "notes").mkdir()
    assert detect_kind(tmp_path) == "model"
    assert [entry.artifact.id for entry in read_source(tmp_path) if entry.artifact] == ["a", "b"]


def test_path_that_is_nothing_says_what_would_be(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no model, model cache"):
        detect_kind(tmp_path)
    with pytest.raises(SourceError, match="nothing is there"):
        detect_kind(tmp_path / "x")
    with pytest.raises(SourceError, match="no model in it"):
        list(read_source(tmp_path, "model"))
    with pytest.raises(SourceError, match="kind 'zip' is not known"):
        list(read_source(tmp_path, "zip"))
    (tmp_path / "a.pdf").touch()
    with pytest.raises(SourceError, match=r"ends in '\.pdf'"):
        detect_kind(tmp_path / "a.pdf")


def test_manifest_in_a_models_folder_speaks_for_it(tmp_path: Path) -> None:
    model(tmp_path)
    assert detect_kind(tmp_path) == "model"
    (tmp_path / "matchgraph.yml").write_text("artifact: {name: x, type: model, license: MIT, weights: {path: .}}\n")
    (entry,) = read_source(tmp_path)
    assert entry.bucket == "manifest" and entry.artifact is not None
    assert entry.artifact.weights.path == str(tmp_path.resolve())


def test_examples_are_loadable_and_claim_what_their_cards_say(repository: Path) -> None:
    entries = list(read_source(repository / "examples" / "models"))
    assert {entry.bucket for entry in entries} == {"loadable"} and len(entries) >= 3
    silent = [entry.artifact.id for entry in entries if entry.artifact and not entry.artifact.claims]
    assert silent == ["tiny-flux-shapes"]  # adherence is no metric of `model-index`
