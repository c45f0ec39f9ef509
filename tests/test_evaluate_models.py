"""`evaluate models`: the user's data decides, in pairs; the oracle is scikit-learn and scipy on a plain pipeline."""

from __future__ import annotations

import csv
import json
import math
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cli.comparison_report import report_text
from graph.artifacts import Artifact, Source, Weights
from graph.contracts import schemas
from graph.errors import InputError
from graph.home import Home, open_home
from graph.model_comparison import ComparedModel, EvaluateModelsResponse
from graph.settings import Settings
from graph.store.catalogue import save_artifacts
from graph.store.evidence import check_evidence_chain, observations
from graph.taxonomy import full_task
from inference.comparison.labels import LabelMap, read_map, translated_answer, translated_data
from inference.comparison.models import NotComparable, find_candidates, plan_trial
from inference.comparison.options import CompareOptions, open_source
from inference.comparison.outcomes import Outcome, outcome_of, pack_bits, unpack_bits
from inference.comparison.response import comparison_response
from inference.comparison.run import compare_models
from inference.comparison.statistics import (
    Answers,
    compare_pairs,
    detectable_points,
    holm,
    leaders,
    mcnemar_p,
    pair_level,
)
from inference.comparison.verdict import decide_winner
from inference.data.sets import LabelledSet, built_in
from inference.judging.results import UnitResult
from inference.probes.base import Measured, Measurement
from inference.sandbox.zygote import Zygote

DIGITS, SHUFFLED, TEXT = "digits-mobilevit", "digits-mobilevit-shuffled", "code-or-prose"


def answers(name: str, right: str) -> Answers:
    """A model's answers from a line of 1 and 0."""
    return Answers(name, tuple(letter == "1" for letter in right))


def drawn(name: str, share: float, n: int, seed: int) -> Answers:
    return Answers(name, tuple(bool(hit) for hit in np.random.default_rng(seed).random(n) < share))


# Pairs --------------------------------------------------------------------------------------------------
def test_a_pair_counts_who_was_right() -> None:
    (pair,) = compare_pairs([answers("a", "1110001"), answers("b", "1001100")])
    assert (pair.both, pair.only_first, pair.only_second, pair.neither) == (1, 3, 2, 1)
    assert pair.difference == pytest.approx(100 / 7)
    assert pair.interval.low < pair.difference < pair.interval.high
    assert pair.interval.level == pytest.approx(0.95)


def test_intervals_of_many_pairs_hold_together() -> None:
    four = [drawn(name, 0.8, 300, seed) for seed, name in enumerate("abcd")]
    pairs, alone = compare_pairs(four), compare_pairs(four[:2])
    assert {pair.interval.level for pair in pairs} == {pair_level(4)} == {1 - 0.05 / 6}
    assert pairs[0].interval.low < alone[0].interval.low < alone[0].interval.high < pairs[0].interval.high


def test_p_values_are_those_of_the_books() -> None:
    assert mcnemar_p(10, 2) == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert mcnemar_p(0, 0) == 1.0
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_a_detectable_difference_is_found_by_four_of_five_comparisons() -> None:
    n, differing = 500, 0.2
    gap = detectable_points(differing, n, 0.95)
    assert gap is not None
    draw, found = np.random.default_rng(0), 0
    for _ in range(400):
        only_first = int(draw.binomial(n, (differing + gap / 100) / 2))
        only_second = int(draw.binomial(n - only_first, (differing - gap / 100) / 2 / (1 - only_first / n)))
        table = [True] * only_first + [False] * (n - only_first)
        other = [False] * only_first + [True] * only_second + [False] * (n - only_first - only_second)
        (pair,) = compare_pairs([Answers("a", tuple(table)), Answers("b", tuple(other))])
        found += pair.interval.low > 0
    assert 0.73 < found / 400 < 0.87
    assert detectable_points(0.0, 3, 0.95) is None


def test_losses_are_compared_by_the_mean_of_their_differences() -> None:
    draw = np.random.default_rng(0)
    base = draw.normal(3, 1, 200)
    better = Answers("better", losses=tuple(base - 0.1 + draw.normal(0, 0.2, 200)))
    worse = Answers("worse", losses=tuple(base))
    pairs = compare_pairs([worse, better])
    assert pairs[0].difference == pytest.approx(worse.score - better.score)
    assert pairs[0].p_mcnemar is None
    winner, said = decide_winner([worse, better], pairs, None)
    assert winner == "better"
    assert said.startswith("better is ahead")


def test_bits_come_back() -> None:
    right = tuple(bool(bit) for bit in np.random.default_rng(0).random(1003) < 0.5)
    assert unpack_bits(pack_bits(right), 1003) == right


def finished_result(*measurements: Measurement) -> UnitResult:
    measured = Measured(loads=True, finite=True, measurements=measurements)
    return UnitResult(unit="un_1", probe="any", version="1", measured=measured)


def test_items_are_scored_by_what_their_kind_asks() -> None:
    """A sentence is right when all its tags are; a passage counts bits by its bytes, whatever the tokenizer."""
    accuracy = Measurement(metric="accuracy", value=50.0, successes=1, n=2)
    tags = LabelledSet("t", "tokens", [["a", "b"], ["c", "d"]], ("O B-X", "O O"), "d", "operator")
    raw = json.dumps({"tags": [["O", "B-X"], ["O", "B-X"]]}).encode()
    assert outcome_of(finished_result(accuracy), raw, tags).answers("m").right == (True, False)
    passages = LabelledSet("p", "passages", ["abcd", "é" * 8], (), "d", "operator")
    perplexity = Measurement(metric="perplexity", value=2.0, n=2)
    raw = json.dumps({"passages": [{"loss": 8 * math.log(2), "tokens": 2}, {"loss": 4 * math.log(2), "tokens": 9}]})
    outcome = outcome_of(finished_result(perplexity), raw.encode(), passages)
    assert outcome.answers("m").losses == pytest.approx((2.0, 0.25))
    assert outcome.metric == "bits_per_byte"
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome
    with pytest.raises(ValueError, match="nothing to compare"):
        outcome_of(finished_result(), raw.encode(), passages)


def test_a_probe_answer_of_another_length_is_refused() -> None:
    data = LabelledSet("mine", "text", ["a", "b"], ("x", "y"), "d", "operator")
    accuracy = Measurement(metric="accuracy", value=50.0, successes=1, n=2)
    with pytest.raises(ValueError, match=r"zip|items"):
        outcome_of(finished_result(accuracy), b'{"answers": ["x"]}', data)


# The sentence -------------------------------------------------------------------------------------------
def verdict(*models: Answers, chance: float | None = 0.1) -> tuple[str | None, str]:
    return decide_winner(models, compare_pairs(models), chance)


def test_a_winner_is_ahead_of_every_other() -> None:
    winner, said = verdict(drawn("b", 0.6, 400, 1), drawn("a", 0.9, 400, 2), drawn("c", 0.3, 400, 3))
    assert winner == "a"
    assert "better than b" in said
    assert said.endswith("and ahead of every other")


def test_the_best_of_two_alike_is_no_winner() -> None:
    models = (drawn("a", 0.9, 200, 1), drawn("b", 0.89, 200, 2), drawn("c", 0.3, 200, 3))
    winner, said = verdict(*models)
    assert winner is None
    assert "cannot be told apart on 200 items" in said
    assert "could have been found" in said
    assert "; c is behind" in said
    assert set(leaders(models, compare_pairs(models))) == {"a", "b"}


def test_ties_are_named_and_guessing_wins_nothing() -> None:
    one = drawn("a", 0.9, 200, 1)
    assert (
        "b and a tie" in verdict(Answers("b", one.right), one)[1]
        or "a and b tie" in verdict(one, Answers("b", one.right))[1]
    )
    winner, said = verdict(answers("a", "1" * 20 + "0" * 180), answers("b", "0" * 200), chance=0.115)
    assert (winner, "no model is better than guessing (11.50 %)" in said) == (None, True)
    assert verdict(one)[0] is None
    assert verdict() == (None, "no winner: no model could be measured")


def test_models_that_are_alike_seldom_have_a_winner() -> None:
    """Under the null the simultaneous level bounds how often any of three models is called ahead."""
    wins = 0
    for seed in range(200):
        models = [drawn(name, 0.8, 150, 10 * seed + place) for place, name in enumerate("abc")]
        wins += verdict(*models)[0] is not None
    assert wins <= 10  # 5 % of 200


# Labels -------------------------------------------------------------------------------------------------
def two_labels(*labels: str) -> LabelledSet:
    return LabelledSet("mine", "text", [str(n) for n in range(len(labels))], labels, "d", "operator")


def test_labels_mean_the_same_by_name_or_by_map() -> None:
    data = two_labels("good", "bad")
    assert LabelMap().for_model(data, ["Good", "BAD", "other"]) == {"good": "good", "bad": "bad"}
    mapped = read_map(["good=LABEL_1", "good=joy", "bad=LABEL_0"])
    assert mapped.for_model(data, ["LABEL_0", "LABEL_1"]) == {"label_0": "bad", "label_1": "good"}
    assert mapped.for_model(data, ["joy", "bad"]) == {"joy": "good", "bad": "bad"}
    swapped = read_map(["good=bad", "bad=good"])
    assert swapped.for_model(data, ["good", "bad"]) == {"bad": "good", "good": "bad"}


def test_labels_without_a_meaning_are_refused_with_both_lists() -> None:
    data = two_labels("good", "bad")
    with pytest.raises(InputError) as caught:
        LabelMap().for_model(data, ["LABEL_0", "LABEL_1"])
    for words in ("bad, good", "LABEL_0, LABEL_1", "--map bad=MODELLABEL"):
        assert words in str(caught.value)
    with pytest.raises(InputError, match="would mean both"):
        read_map(["good=x", "bad=x", "bad=bad", "good=good"]).for_model(data, ["x", "good", "bad"])
    with pytest.raises(InputError, match="no such label"):
        read_map(["great=x"]).check(data)
    for wrong in ("good", "=x", "good="):
        with pytest.raises(InputError, match="LABEL=MODELLABEL"):
            read_map([wrong])


def test_a_translated_set_has_a_digest_of_its_own() -> None:
    data, meaning = two_labels("good", "bad"), {"label_1": "good", "label_0": "bad"}
    assert translated_data(data, {"good": "good", "bad": "bad"}) is data
    assert translated_data(data, meaning).digest != data.digest
    raw = json.dumps({"answers": ["LABEL_1", "neutral"], "load_s": 1.0}).encode()
    assert json.loads(translated_answer(raw, meaning)) == {"answers": ["good", "neutral"], "load_s": 1.0}


# Real models --------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def examples(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.rootpath) / "examples"


@pytest.fixture(scope="module")
def worker() -> Iterator[Zygote]:
    with Zygote(["torch", "transformers.pipelines"]) as running:
        yield running


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for all comparisons, so that models are loaded once."""
    opened = open_home(Settings(home=tmp_path_factory.mktemp("compared") / "home"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 of the built-in scans as a folder of pictures by label."""
    folder, data = tmp_path_factory.mktemp("pictures") / "scans", built_in("sklearn-digits")
    for number, (item, label) in enumerate(zip(data.items[:200], data.labels[:200], strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        item.save(folder / label / f"{number:03d}.png")
    return folder


def by_name(answer: EvaluateModelsResponse) -> dict[str, ComparedModel]:
    return {model.name: model for model in answer.models}


def oracle(model: Path, pictures: Path) -> tuple[float, float, float, float]:
    """Accuracy with its interval, and macro F1, in percent: what anybody would write with scikit-learn and scipy."""
    from PIL import Image
    from scipy.stats import binomtest
    from sklearn.metrics import accuracy_score, f1_score
    from transformers import pipeline

    files = sorted(pictures.glob("*/*.png"))
    classify = pipeline("image-classification", model=str(model), device="cpu")
    given = [classify(Image.open(file).convert("RGB"), top_k=1)[0]["label"] for file in files]
    right = [file.parent.name for file in files]
    hits = round(accuracy_score(right, given) * len(files))
    interval = binomtest(hits, len(files)).proportion_ci(method="exact")
    macro = f1_score(right, given, average="macro")
    return 100 * hits / len(files), 100 * interval.low, 100 * interval.high, 100 * macro


@pytest.mark.slow
def test_it_agrees_with_scikit_learn_and_scipy(kept: Home, worker: Zygote, examples: Path, pictures: Path) -> None:
    folders = [examples / "models" / name for name in (DIGITS, SHUFFLED)]
    answer = compare_models(kept, [str(folder) for folder in folders], pictures, CompareOptions(), worker=worker)
    for folder, model in zip(folders, answer.models, strict=True):
        accuracy, low, high, macro = oracle(folder, pictures)
        assert model.interval is not None
        assert (model.score, model.f1) == pytest.approx((accuracy, macro))
        assert (model.interval.low, model.interval.high) == pytest.approx((low, high))
    assert (answer.winner, answer.metric, answer.task) == (DIGITS, "accuracy", "vision.image-classification")
    assert (answer.data.items, answer.data.declared_by) == (200, "operator")
    for model in answer.models:
        assert model.size_bytes
        assert model.parameters
        assert model.load_s
        assert model.seconds_per_item


@pytest.mark.slow
def test_shuffled_labels_give_no_winner(kept: Home, worker: Zygote, examples: Path, tmp_path: Path) -> None:
    with (examples / "data" / "code-or-prose.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    labels = [row[1] for row in rows]
    random.Random(0).shuffle(labels)
    for name, column in (("true", [row[1] for row in rows]), ("shuffled", labels)):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header, *zip((row[0] for row in rows), column, strict=True)])
    honest, twin = examples / "models" / TEXT, broken_twin(examples / "models" / TEXT, tmp_path / "twin")
    options = CompareOptions(trust=("twin",))
    names = [str(honest), str(twin)]
    true = compare_models(kept, names, tmp_path / "true.csv", options, worker=worker)
    shuffled = compare_models(kept, names, tmp_path / "shuffled.csv", options, worker=worker)
    assert true.winner == TEXT
    assert shuffled.winner is None
    assert shuffled.verdict.startswith("no winner")


def broken_twin(model: Path, folder: Path, *, without: str = "") -> Path:
    """A copy of a model whose weights are shuffled; `without` leaves a tensor out."""
    shutil.copytree(model, folder)
    tensors = load_file(folder / "model.safetensors")
    draw = np.random.default_rng(0)
    made = {name: draw.permutation(value.ravel()).reshape(value.shape) for name, value in tensors.items()}
    made = {name: value for name, value in made.items() if not without or without not in name}
    save_file(made, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.slow
def test_a_model_that_fails_is_listed_and_the_others_go_on(
    kept: Home, worker: Zygote, examples: Path, pictures: Path, tmp_path: Path
) -> None:
    models = examples / "models"
    lacking = broken_twin(models / DIGITS, tmp_path / "lacking", without="classifier")
    stranger = broken_twin(models / DIGITS, tmp_path / "stranger")
    names = [str(models / DIGITS), str(lacking), str(models / TEXT), str(stranger)]
    answer = compare_models(kept, names, pictures, CompareOptions(trust=("lacking",)), worker=worker)
    found = by_name(answer)
    assert found[DIGITS].score is not None
    assert found["lacking"].reason_code == "load_failed"
    assert (found[TEXT].reason_code, "image" in found[TEXT].reason) == ("no_data", True)
    assert found["stranger"].score is not None or found["stranger"].reason_code == "unsafe_refused"
    assert [model.name for model in answer.models] == [DIGITS, "lacking", TEXT, "stranger"]


@pytest.mark.slow
def test_a_picture_that_cannot_be_unpacked_is_named(
    home: Home, worker: Zygote, examples: Path, pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "set")
    file = sorted((tmp_path / "set" / "3").iterdir())[2]
    file.write_bytes(file.read_bytes()[:60])
    model = str(examples / "models" / DIGITS)
    answer = compare_models(home, [model], tmp_path / "set", CompareOptions(), worker=worker)
    assert answer.models[0].reason_code == "no_data"
    assert f"3/{file.name}" in answer.models[0].reason
    assert answer.verdict == "no winner: no model could be measured"


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on_where_it_stopped(
    home: Home, worker: Zygote, examples: Path, pictures: Path
) -> None:
    names = [str(examples / "models" / name) for name in (DIGITS, SHUFFLED)]

    def interrupt(name: str, done: int, of: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_models(home, names, pictures, CompareOptions(limit=50), interrupt, worker=worker)
    again = compare_models(home, names, pictures, CompareOptions(limit=50), worker=worker)
    assert (again.units_resumed, again.units_run) == (1, 1)
    once_more = compare_models(home, names, pictures, CompareOptions(limit=50), worker=worker)
    assert (once_more.units_resumed, once_more.units_run) == (2, 0)
    assert once_more.pairs == again.pairs
    assert (again.data.items, again.data.of_items) == (50, 200)
    left = compare_models(home, names, pictures, CompareOptions(limit=60, budget_s=0), worker=worker)
    assert {model.reason_code for model in left.models} == {"budget"}
    assert left.units_left == 2


@pytest.mark.slow
def test_labels_of_another_spelling_are_mapped(kept: Home, worker: Zygote, examples: Path, tmp_path: Path) -> None:
    with (examples / "data" / "code-or-prose.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    with (tmp_path / "mine.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *((text, f"is-{label}") for text, label in rows)])
    name = str(examples / "models" / TEXT)
    plain = compare_models(kept, [name], examples / "data" / "code-or-prose.csv", CompareOptions(), worker=worker)
    unmapped = compare_models(kept, [name], tmp_path / "mine.csv", CompareOptions(), worker=worker)
    assert unmapped.models[0].reason_code == "no_data"
    assert "--map is-code=MODELLABEL" in unmapped.models[0].reason
    labels = read_map(["is-code=code", "is-prose=prose"])
    mapped = compare_models(kept, [name], tmp_path / "mine.csv", CompareOptions(labels=labels), worker=worker)
    assert (mapped.models[0].score, mapped.models[0].f1) == (plain.models[0].score, plain.models[0].f1)
    crossed = read_map(["is-code=prose", "is-prose=code"])
    wrong = compare_models(kept, [name], tmp_path / "mine.csv", CompareOptions(labels=crossed), worker=worker)
    assert wrong.models[0].score == pytest.approx(100 - (plain.models[0].score or 0))


@pytest.mark.slow
def test_an_artifact_of_the_home_keeps_what_was_measured(
    home: Home, worker: Zygote, examples: Path, pictures: Path
) -> None:
    artifact = Artifact(
        id="ann/digits", slug="ann--digits", name="digits", source=Source(kind="model", file="x"),
        weights=Weights(path=str(examples / "models" / DIGITS)),
    )  # fmt: skip
    with home.store.writing() as connection:
        save_artifacts(connection, [artifact])
    answer = compare_models(home, ["ann/digits"], pictures, CompareOptions(limit=50), worker=worker)
    with home.store.reading() as connection:
        found = {record.metric: record for record in observations(connection, "ann/digits")}
        check_evidence_chain(connection)
    record = found["accuracy"]
    assert record.measured == answer.models[0].score
    assert record.data is not None
    assert (record.data.digest, record.data.declared_by) == (answer.data.digest, "operator")
    assert record.id in answer.models[0].evidence
    assert str(examples) not in record.model_dump_json()


def test_what_is_no_model_is_said_before_anything_runs(home: Home, tmp_path: Path, examples: Path) -> None:
    data = examples / "data" / "code-or-prose.csv"
    (tmp_path / "empty").mkdir()
    for name, words in (("nothing-here", "no folder of this name"), (str(tmp_path / "empty"), "no model lies in this")):
        with pytest.raises(InputError, match=words):
            compare_models(home, [name], data, CompareOptions())
    model = str(examples / "models" / TEXT)
    with pytest.raises(InputError, match="--trust else"):
        compare_models(home, [model], data, CompareOptions(trust=("else",)))
    with pytest.raises(InputError, match="no such task"):
        compare_models(home, [model], data, CompareOptions(task="mind-reading"))
    with pytest.raises(InputError, match="device"):
        compare_models(home, [model], data, CompareOptions(device="abacus"))


@pytest.mark.parametrize(
    ("model", "data", "task", "probe"),
    [
        ("topic-nli", "library-topics.csv", None, "zero-shot-classification"),
        ("topic-nli", "library-topics.csv", "zero-shot-classification", "zero-shot-classification"),
        ("tiny-flux-shapes", "drawings", None, "text-to-image"),
        (TEXT, "code-or-prose.csv", None, "text-classification"),
    ],
)
def test_a_model_is_asked_by_the_probe_that_fits_the_items(
    home: Home, examples: Path, model: str, data: str, task: str | None, probe: str
) -> None:
    (candidate,) = find_candidates(home, [str(examples / "models" / model)], [model])
    file = examples / "data" / data
    source = open_source(file if file.exists() else Path(data))
    found = plan_trial(candidate, source, full_task(task) if task else None, LabelMap())
    assert found.probe.info.name == probe


def test_a_model_that_entails_nothing_is_no_zero_shot_classifier(home: Home, examples: Path) -> None:
    (candidate,) = find_candidates(home, [str(examples / "models" / TEXT)], [TEXT])
    data = open_source(examples / "data" / "library-topics.csv")
    with pytest.raises(NotComparable, match="its files do text classification, not zero shot classification"):
        plan_trial(candidate, data, "text.zero-shot-classification", LabelMap())
    with pytest.raises(NotComparable, match="--map concurrency=MODELLABEL"):
        plan_trial(candidate, data, None, LabelMap())


def test_a_stranger_is_not_asked_where_the_operator_switched_its_confinement_off(
    tmp_path: Path, examples: Path
) -> None:
    stranger = str(broken_twin(examples / "models" / TEXT, tmp_path / "stranger"))
    opened = open_home(Settings(home=tmp_path / "home", sandbox="-landlock"))
    try:
        (candidate,) = find_candidates(opened, [stranger], [])
        with pytest.raises(NotComparable) as refused:
            plan_trial(candidate, open_source(examples / "data" / "code-or-prose.csv"), None, LabelMap())
        assert refused.value.code == "unsafe_refused"
        (trusted,) = find_candidates(opened, [stranger], ["stranger"])
        assert plan_trial(trusted, open_source(examples / "data" / "code-or-prose.csv"), None, LabelMap())
    finally:
        opened.close()


def test_the_report_holds_names_and_labels_as_text_alone(tmp_path: Path) -> None:
    label = "\x1b[31m<img src=x>|`[go](http://x)` " + 200 * "x"
    data = LabelledSet("a|b\n# own", "text", ["one", "two"], (label, "b"), "digest", "operator")
    answer = comparison_response(
        [], data, of_items=2, task=None, seed=0, device="cpu", units={}, duration_s=0.0,
        repeat="matchgraph evaluate models a\n```\n# own",
    )  # fmt: skip
    report = report_text(answer)
    assert "\x1b" not in report and "[go](" not in report
    assert "<img" not in report.replace("\\<", "") and "`[" not in report.replace("\\`", "")
    assert [line for line in report.splitlines() if line.startswith("#")] == ["# Models on a\\|b # own"]
    assert "x" * 100 not in report
    assert report.endswith("\n    matchgraph evaluate models a ``` # own\n")


@pytest.mark.slow
def test_one_command_on_a_fresh_home(tmp_path: Path, examples: Path, repository: Path) -> None:
    models = [str(examples / "models" / name) for name in (DIGITS, SHUFFLED)]
    words = [
        sys.executable, "-m", "cli.main", "evaluate", "models", *models,
        "--data", "sklearn-digits", "--limit", "60", "--home", str(tmp_path / "home"),
    ]  # fmt: skip
    report = tmp_path / "report.md"
    table = subprocess.run(
        [*words, "--report", str(report)], capture_output=True, text=True, cwd=repository, check=True
    )
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert f"{DIGITS} is ahead" in table.stdout
    plain = subprocess.run([*words, "--json"], capture_output=True, text=True, cwd=repository, check=True)
    document = json.loads(plain.stdout)
    jsonschema.validate(document, schemas()["evaluate-models"])
    assert (document["units_run"], document["units_resumed"]) == (0, 2)
    assert document["verdict"] in report.read_text(encoding="utf-8")
    assert str(tmp_path) not in document["repeat"]
