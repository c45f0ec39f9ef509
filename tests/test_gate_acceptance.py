"""The gate, end to end on the command line: what a run shows to be false is found by nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_encoder import WordEncoder
from typer.testing import CliRunner

import inference.work.settle
import search.engine
import search.reports
from cli.main import app
from indexer.snapshot import open_snapshot

pytestmark = pytest.mark.slow
HONEST, SHUFFLED, FALSE = "digits-honest", "digits-shuffled", "digits-falsified"
LIE = "It flawlessly reads 99.9 % of scikit-learn's digits."
ASKED = "name the handwritten digit in a small picture"
MANIFEST = """\
artifact:
  name: {name}
  slug: {name}
  type: model
  license: apache-2.0
  weights: {{path: {path}}}
capabilities:
  - id: digits
    name: Handwritten digit classification
    task: vision.image-classification
    description: Names the handwritten digit in a small picture. {sentence} Runs on one processor core.
claims:
  - metric: accuracy
    capability: digits
    comparator: ">="
    value: {value}
    unit: percent
    dataset: sklearn-digits
    text: "{text}"
"""


@dataclass
class Gated:
    """A home in which the three models were read, run and built."""

    home: Path
    encoder: WordEncoder
    built: dict[str, Any]

    def ask(self, *words: str) -> Any:
        """The JSON that a command prints."""
        result = CliRunner().invoke(app, ["--home", str(self.home), *words, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def found(self, query: str = ASKED, *words: str) -> list[dict[str, Any]]:
        """The results of a search."""
        return list(self.ask("search", query, *words)["results"])


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Gated]:
    folder, models = tmp_path_factory.mktemp("gated"), repository / "examples" / "models"
    cards = folder / "cards"
    cards.mkdir()
    for name, model, sentence, value, text in (
        (HONEST, "digits-mobilevit", "It reads at least 96 % of scikit-learn's digits.", 96, "at least 96 %"),
        (SHUFFLED, "digits-mobilevit-shuffled", "It reads at least 96 % of scikit-learn's digits.", 96, "96 %"),
        (FALSE, "digits-mobilevit", LIE, 99.9, "flawlessly reads 99.9 % of scikit-learn's digits"),
    ):
        card = MANIFEST.format(name=name, path=models / model, sentence=sentence, value=value, text=text)
        (cards / f"{name}.yml").write_text(card, encoding="utf-8")
    encoder = WordEncoder()
    with pytest.MonkeyPatch.context() as patched:
        for module in (search.engine, search.reports):
            patched.setattr(module, "open_encoder", lambda *_, **__: encoder)
        # Observations without claims decide nothing here and take minutes.
        patched.setattr(inference.work.settle, "observation_needs", lambda *_: [])
        made = Gated(folder / "home", encoder, {})
        made.ask("ingest", str(cards))
        made.built = made.ask("build", "--report")
        yield made


def test_a_model_with_shuffled_weights_is_not_found_and_its_honest_twin_is(gated: Gated) -> None:
    names = {result["artifact"] for result in gated.found()}
    assert HONEST in names
    assert SHUFFLED not in names
    shown = gated.ask("show", SHUFFLED)
    runs = next(claim for claim in shown["claims"] if claim["metric"] == "runs")
    assert (runs["verdict"], runs["tier"]) == ("refuted", "artifact")
    assert runs["n"] == 540
    assert not any(capability["indexed"] for capability in shown["capabilities"])
    assert {claim["verdict"] for claim in gated.ask("show", HONEST)["claims"]} == {"verified"}


def test_a_falsified_card_is_found_only_by_its_other_text(gated: Gated) -> None:
    by_text = next(result for result in gated.found() if result["artifact"] == FALSE)
    assert by_text["verdicts"]["refuted"] == 1
    assert "flawless" not in by_text["why"]
    assert "99.9" not in by_text["why"]
    assert by_text["parts"]["lexical"] > 0
    by_lie = [result for result in gated.found("flawlessly reads 99.9") if result["artifact"] == FALSE]
    assert all(result["parts"]["lexical"] == 0 for result in by_lie)
    assert not any("flawless" in result["why"] for result in by_lie)
    claims = gated.ask("show", FALSE)["claims"]
    assert [claim["verdict"] for claim in claims if claim["metric"] == "accuracy"] == ["refuted"]
    assert [claim["verdict"] for claim in claims if claim["metric"] == "runs"] == ["verified"]


def test_the_false_sentence_is_in_no_vector_and_no_lexical_text(gated: Gated) -> None:
    assert gated.encoder.encoded  # what was embedded at all
    queries = {ASKED, "flawlessly reads 99.9"}
    assert not any("flawless" in text.lower() for text in gated.encoder.encoded if text not in queries)
    snapshot = open_snapshot(gated.home / "snapshots", encoder=gated.encoder.info)
    for word in ("flawlessly", "99.9"):
        assert not snapshot.lexical(word).any()
    assert snapshot.lexical("processor").any()  # the sentence beside it is there


def test_the_report_lists_what_was_refused_with_its_reason(gated: Gated) -> None:
    refused = {(each["artifact"], each["capability"], each["what"]): each["reason"] for each in gated.built["refused"]}
    assert refused[SHUFFLED, "digits", "capability"].startswith("runs refuted at tier artifact: ")
    sentence = refused[FALSE, "digits", "description, sentence 2"]
    assert sentence.startswith("holds refuted claim cl_")
    assert HONEST not in {artifact for artifact, _, _ in refused}
    shown = CliRunner().invoke(app, ["--home", str(gated.home), "build", "--no-probes", "--report"]).stdout
    assert "runs refuted at tier artifact" in " ".join(shown.split())


def test_under_production_and_strict_the_falsified_one_is_absent(gated: Gated) -> None:
    for policy in ("production", "strict"):
        built = gated.ask("build", "--no-probes", "--policy", policy)
        assert built["policy"] == policy
        assert {result["artifact"] for result in gated.found()} == {HONEST}
        reasons = [each["reason"] for each in built["refused"] if each["artifact"] == FALSE]
        assert any("is refuted" in reason for reason in reasons)
    gated.ask("build", "--no-probes")
    assert {result["artifact"] for result in gated.found("digit", "--policy", "production")} == {HONEST}
