"""The four policies rule by rule, waivers, and users' own files refused with file and line."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from factories import DAY_0_US, make_artifact, make_evidence

from graph.artifacts import Artifact
from graph.claims import Claim, Evidence
from graph.constants import DAY_US
from graph.errors import QueryError, SourceError
from graph.policy import DEFAULT, OPEN, POLICIES, PRODUCTION, STRICT, Policy, Waiver, objections, standings_of
from graph.policy_file import find_policy, read_policy

NAME = "ann/tiny-classifier"
RUNS = Claim(id="cl_runs", artifact=NAME, capability="classify", subject="classify", metric="runs", comparator=">=")
SIZE = Claim(id="cl_size", artifact=NAME, metric="parameters", value=1000.0, unit="parameters")
LOADS = Claim(id="cl_loads", artifact=NAME, metric="loads", value="transformers")
OTHER = Claim(id="cl_other", artifact=NAME, capability="another", metric="accuracy", value=90.0)


def make_mit(*claims: Claim) -> Artifact:
    return make_artifact(license="MIT", claims=claims)


def about(claim: Claim, verdict: str, **fields: Any) -> dict[str, Evidence]:
    return {claim.id: make_evidence(verdict=verdict, claim=claim.id, **({"time_us": DAY_0_US} | fields))}


def rules_broken(policy: Policy, artifact: Artifact, evidence: dict[str, Evidence], days: float = 1) -> list[str]:
    standings = standings_of(artifact, "classify", evidence)
    as_of_us = DAY_0_US + int(days * DAY_US)
    return [objection.rule for objection in objections(policy, artifact, "classify", standings, as_of_us)]


WORKS = about(RUNS, "verified", n=540)
CASES: list[tuple[str, Artifact, dict[str, Evidence], dict[str, list[str]]]] = [
    ("nothing tried", make_mit(RUNS), {}, {"production": ["runs"], "strict": ["runs"]}),
    ("no runs claim", make_mit(), {}, {"production": ["runs"], "strict": ["runs"]}),
    ("works", make_mit(RUNS), WORKS, {}),
    ("does not work", make_mit(RUNS), about(RUNS, "refuted"), {name: ["runs_refuted"] for name in POLICIES}),
    ("unsafe", make_mit(RUNS), about(RUNS, "error", reason_code="unsafe_refused"),
     {"default": ["unsafe"], "production": ["unsafe", "runs"], "strict": ["unsafe", "runs"]}),
    ("timed out", make_mit(RUNS), about(RUNS, "error", reason_code="timeout"),
     {"production": ["runs"], "strict": ["runs"]}),
    ("architecture only", make_mit(RUNS), about(RUNS, "verified", tier="architecture"),
     {"production": ["runs"], "strict": ["runs"]}),
    ("a lie beside it", make_mit(RUNS, SIZE), WORKS | about(SIZE, "refuted"),
     {"production": ["refuted_claims"], "strict": ["refuted_claims"]}),
    ("an open number", make_mit(RUNS, SIZE), WORKS, {"strict": ["undecided_claims"]}),
    ("an open fact", make_mit(RUNS, LOADS), WORKS, {}),
    ("another capability's lie", make_mit(RUNS, OTHER), WORKS | about(OTHER, "refuted"), {}),
    ("no licence", make_artifact(claims=(RUNS,)), WORKS, {"strict": ["licence"]}),
    ("a closed licence", make_artifact(claims=(RUNS,), license="cc-by-nc-4.0"), WORKS, {"strict": ["licence"]}),
]  # fmt: skip


@pytest.mark.parametrize(("artifact", "evidence", "broken"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_each_policy_refuses_what_its_rules_say(
    policy: Policy, artifact: Artifact, evidence: dict[str, Evidence], broken: dict[str, list[str]]
) -> None:
    assert rules_broken(policy, artifact, evidence) == broken.get(policy.name, [])


@pytest.mark.parametrize(("policy", "days"), [(PRODUCTION, 180), (STRICT, 90)])
def test_evidence_is_good_up_to_its_age(policy: Policy, days: int) -> None:
    assert rules_broken(policy, make_mit(RUNS), WORKS, days) == []
    assert rules_broken(policy, make_mit(RUNS), WORKS, days + 1e-6) == ["age"]
    assert rules_broken(OPEN, make_mit(RUNS), WORKS, 10_000) == rules_broken(DEFAULT, make_mit(RUNS), WORKS, 10_000)


def test_strict_asks_that_old_numbers_are_measured_again() -> None:
    artifact = make_mit(RUNS, SIZE)
    fresh = about(RUNS, "verified", time_us=DAY_0_US + 100 * DAY_US)
    assert rules_broken(STRICT, artifact, fresh | about(SIZE, "verified"), 101) == ["age"]
    assert rules_broken(PRODUCTION, artifact, fresh | about(SIZE, "verified"), 101) == []


def test_least_n() -> None:
    policy = replace(OPEN, least_n=541)
    assert rules_broken(policy, make_mit(RUNS), WORKS) == ["n"]
    assert rules_broken(replace(OPEN, least_n=540), make_mit(RUNS), WORKS) == []
    assert rules_broken(policy, make_mit(RUNS), {}) == ["n"]


@pytest.mark.parametrize(
    ("waiver", "broken"),
    [
        ({}, []),
        ({"artifact": "ann--tiny-classifier"}, []),
        ({"capability": "classify"}, []),
        ({"capability": "another"}, ["runs"]),
        ({"artifact": "bob/other"}, ["runs"]),
        ({"rule": "age"}, ["runs"]),
        ({"until": date(2025, 10, 1)}, ["runs"]),
    ],
)
def test_a_waiver_excepts_what_it_names_until_its_last_day(waiver: dict[str, Any], broken: list[str]) -> None:
    named = {"artifact": NAME, "rule": "runs", "who": "Ann", "why": "known good", "until": date(2027, 1, 1)} | waiver
    policy = replace(PRODUCTION, waivers=(Waiver(**named),))
    assert rules_broken(policy, make_mit(RUNS), {}) == broken


def test_a_waiver_holds_on_its_last_day_and_not_after() -> None:
    waiver = Waiver(artifact=NAME, rule="runs", who="Ann", why="known good", until=date(2025, 10, 9))
    policy = replace(PRODUCTION, waivers=(waiver,))
    assert DAY_0_US // 1_000_000 == 1_760_000_000  # 2025-10-09 08:53:20 UTC
    assert rules_broken(policy, make_mit(RUNS), {}, days=0.6) == []
    assert rules_broken(policy, make_mit(RUNS), {}, days=0.7) == ["runs"]


def test_a_refuted_runs_cannot_be_waived(tmp_path: Path) -> None:
    file = tmp_path / "p.yml"
    file.write_text("waivers:\n  - {artifact: a, rule: runs_refuted, who: Ann, why: no, until: 2027-01-01}\n")
    with pytest.raises(SourceError, match=r"p\.yml:2: waivers\.0\.rule"):
        read_policy(file)


def test_a_users_policy(tmp_path: Path) -> None:
    file = tmp_path / "house.yml"
    file.write_text(
        "name: house\nbase: production\ngreatest_age_days: 365\nlicences: [apache-2.0, MIT]\nwaivers:\n"
        "  - {artifact: ann/digits, rule: age, who: Ann, why: the set is frozen, until: 2027-01-31}\n"
    )
    policy = find_policy(str(file))
    waiver = Waiver("ann/digits", "age", "Ann", "the set is frozen", date(2027, 1, 31))
    licences = ("apache-2.0", "MIT")
    assert policy == replace(PRODUCTION, name="house", greatest_age_days=365.0, licences=licences, waivers=(waiver,))
    assert rules_broken(policy, make_mit(RUNS), WORKS, 300) == []
    file.write_text("least_n: 5\n")
    assert read_policy(file) == replace(OPEN, name="house", least_n=5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: x\nages: 3\n", r"p\.yml:2: ages"),
        ("name: x\n\ngreatest_age_days: -1\n", r"p\.yml:3: greatest_age_days"),
        ("name: x\ngreatest_age_days: .nan\n", r"p\.yml:2: greatest_age_days"),
        ("runs: maybe\n", r"p\.yml:1: runs"),
        ("base: lax\n", r"p\.yml:1: base is no preset"),
        ("least_n: 3\nname: strict\n", r"p\.yml:2: name 'strict' is a preset's"),
        ("waivers:\n  - {artifact: a, rule: age, why: w, until: 2027-01-01}\n", r"p\.yml:2: waivers\.0\.who"),
        ("waivers:\n  - {artifact: a, rule: age, who: ' ', why: w, until: 2027-01-01}\n", r"p\.yml:2: waivers\.0\.who"),
        ("waivers:\n  - {artifact: a, rule: age, who: b, why: w, until: soon}\n", r"p\.yml:2: waivers\.0\.until"),
        ("name: [\n", r"p\.yml:2: .*YAML"),
        ("name: &a x\nbase: *a\n", r"p\.yml:2: has YAML aliases"),
        ("- a\n", r"p\.yml:1: is not a mapping"),
        ("", r"p\.yml:1: is not a mapping"),
        ("\xff\xfe".encode("latin-1").decode("latin-1") + "\x00", r"p\.yml"),
        ("!!python/object/apply:os.system [echo]\n", r"p\.yml"),
        ("a: " + "[" * 60_000, r"p\.yml:1: is nested deeper"),
        ("#" * 70_000, r"p\.yml: is larger"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "p.yml"
    file.write_text(text)
    with pytest.raises(SourceError, match=says) as caught:
        read_policy(file)
    assert "\n" not in str(caught.value)


def test_unknown_names_and_absent_files() -> None:
    with pytest.raises(QueryError, match="open, default, production, strict"):
        find_policy("lenient")
    with pytest.raises(SourceError, match=r"absent\.yml"):
        find_policy("absent.yml")
    assert find_policy("strict") is STRICT
