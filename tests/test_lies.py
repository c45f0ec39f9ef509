"""Planted lies are caught and their honest twins are not: a sample of the battery, the rule simulated, its results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lies import LEVEL, MODULES, Outcome, all_pairs, digest_of_names, verify_pairs
from lies_simulated import simulate
from lies_sizes import in_detectable
from scipy.stats import binom

from graph.claims import Claim, Evidence, Interval
from graph.errors import InputError
from graph.home import open_home
from graph.settings import Settings
from inference.ground import sandbox_confines
from inference.sandbox.zygote import Zygote
from inference.verdicts.intervals import perplexity_interval, proportion_interval
from inference.verdicts.levels import deciding_at
from inference.work.executor import VerifyOptions, check_options

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "verdicts" / "results" / "lies.json"
SAMPLE = (
    "code-or-prose-parameters-last-digit-down", "code-or-prose-labels-swapped", "code-or-prose-vocabulary-moved",
    "code-or-prose-not-a-number", "code-or-prose-tensor-missing", "python-names-layer-zeroed",
    "topic-nli-accuracy-four-more", "pydoc-llama-perplexity-halved", "pydoc-llama-other-rotation",
)  # fmt: skip
ALPHA = (1 - LEVEL) / 2


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Outcome]]:
    if not sandbox_confines():
        pytest.skip("this machine cannot confine a changed model, which nobody vouches for")
    work = tmp_path_factory.mktemp("lies")
    pairs = [pair for pair in all_pairs() if pair.name in SAMPLE]
    assert len(pairs) == len(SAMPLE)
    home = open_home(Settings(home=work / "home"))
    with Zygote(MODULES[:2]) as worker:
        yield verify_pairs(home, work / "battery", pairs, worker)
    home.close()


@pytest.mark.slow
def test_lies_are_refuted_and_each_is_twice_the_detectable_difference(outcomes: list[Outcome]) -> None:
    lies = {one.name: one for one in outcomes if one.is_lie}
    assert {name: one.verdict for name, one in lies.items()} == dict.fromkeys(SAMPLE, "refuted")
    assert all(one.size is None or one.size >= 2 for one in lies.values())
    assert {one.name for one in lies.values() if one.size is None} == {
        "code-or-prose-not-a-number", "code-or-prose-tensor-missing"
    }  # fmt: skip


@pytest.mark.slow
def test_honest_twins_are_verified(outcomes: list[Outcome]) -> None:
    twins = {one.name: one for one in outcomes if not one.is_lie}
    assert {name: one.verdict for name, one in twins.items()} == dict.fromkeys(SAMPLE, "verified")


@pytest.mark.slow
def test_the_level_is_in_every_record_with_a_sample(outcomes: list[Outcome]) -> None:
    intervals = [one.record.interval for one in outcomes if one.record is not None]
    assert {(one.method, one.level) for one in intervals if one is not None} == {
        ("clopper-pearson", LEVEL), ("korn-graubard", LEVEL), ("t-of-log-ratio", LEVEL), ("whole-set", 1.0)
    }  # fmt: skip


@pytest.mark.slow
def test_the_rule_errs_no_more_often_than_said_and_sees_twice_the_detectable_difference() -> None:
    found = {one.kind: one for one in simulate(2_400, LEVEL, seed=1)}
    for kind in ("honest", "false", "runs"):
        assert found[kind].claims >= 1_000
        assert found[kind].wrong <= binom.ppf(0.9999, found[kind].claims, ALPHA)
    assert found["lies"].claims >= 1_000 and found["lies"].share <= 0.001
    bold = {one.kind: one for one in simulate(480, 0.8, seed=1)}  # the control: a lax level must show
    assert bold["honest"].wrong > binom.ppf(0.9999, bold["honest"].claims, ALPHA)


def test_the_committed_battery_is_of_this_list_and_caught_all() -> None:
    found, pairs = json.loads(RESULTS.read_text(encoding="utf-8")), all_pairs()
    lies, twins = ([row for row in found["rows"] if row["lie"] is is_lie] for is_lie in (True, False))
    assert found["names"] == digest_of_names(pairs), "run benchmarks/verdicts/lies.py: the list of lies has changed"
    assert found["level"] == LEVEL
    assert len(lies) == len(twins) == len(pairs) == len({pair.name for pair in pairs})
    assert len(lies) >= 30 and [row["name"] for row in lies if row["verdict"] != "refuted"] == []
    assert [row["name"] for row in lies if row["size"] is not None and row["size"] < 2] == []
    assert len(twins) >= 30 and [row["name"] for row in twins if row["verdict"] == "refuted"] == []
    assert [row["name"] for row in twins if row["verdict"] not in ("verified", "inconclusive")] == []
    honest = next(one for one in found["simulated"] if one["kind"] == "honest")
    assert honest["claims"] >= 20_000 and honest["wrong"] <= binom.ppf(0.9999, honest["claims"], ALPHA)


def test_a_level_is_taken_by_whatever_is_scored_within_it_and_only_there() -> None:
    losses, tokens = [float(10 + number % 7) for number in range(40)], [4] * 40
    ordinary, share = perplexity_interval(losses, tokens), proportion_interval(90, 100)
    with deciding_at(LEVEL):
        wide = perplexity_interval(losses, tokens)
        assert proportion_interval(90, 100) == proportion_interval(90, 100, LEVEL) != share
    assert (ordinary.level, wide.level) == (0.95, LEVEL)
    assert wide.low < ordinary.low < ordinary.high < wide.high
    assert perplexity_interval(losses, tokens) == ordinary


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0, 95.0, float("nan")])
def test_no_level_that_decides_nothing_or_everything(level: float) -> None:
    with pytest.raises(InputError, match="level"):
        check_options(VerifyOptions(level=level))


def test_sizes_are_distances_in_what_can_be_told() -> None:
    def size(metric: str, value: float, comparator: str, **measured: object) -> float | None:
        claim = Claim(id="c", artifact="a", metric=metric, comparator=comparator, value=value)  # type: ignore[arg-type]
        record = Evidence(id="e", kind="probe", artifact="a", metric=metric, verdict="refuted", method="m",
                          method_version="1", time_us=1, **measured)  # type: ignore[arg-type]  # fmt: skip
        return in_detectable(claim, record, LEVEL)

    whole = Interval(low=89.5, high=90.5, level=1.0, method="whole-set")
    assert size("labels", 11.0, "=", measured=10.0) == 2.0  # one more, told by a half
    assert size("size_bytes", 1e6, "<=", measured=900_000.0) == -2.0  # on the safe side
    assert size("accuracy", 93.0, ">=", measured=90.0, successes=90, n=100, interval=whole) == 2.0
    assert size("accuracy", 93.0, "<=", measured=90.0, successes=90, n=100, interval=whole) == -2.0
    assert size("exports", 1.0, "=", measured="onnx") is None
    few, many = (
        size("accuracy", 99.0, ">=", measured=80.0, successes=8 * n // 10, n=n,
             interval=Interval(low=0.0, high=100.0, level=LEVEL, method="clopper-pearson"))
        for n in (50, 5_000)
    )  # fmt: skip
    assert few is not None and many is not None and few < 2 < many
