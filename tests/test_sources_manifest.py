"""Manifests and their validator: a table of bad ones with their codes and lines, and good ones as controls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from graph.artifacts import Artifact
from indexer.passages import Passage
from indexer.sources import ERRORS, WARNINGS, Entry, parse_manifests, read_source, validate_manifests
from indexer.sources.manifest import Parsed

GOOD = """\
artifact:
  name: Tiny digits
  slug: tiny-digits
  type: model
  description: Reads digits.
  license: Apache-2.0
  params: 243K
  released: 2026-01-31
  pricing: {model: open source, free: true}
  signals: {downloads: 12, likes: 3}
  declared_total: 3
capabilities:
  - id: read
    name: Digit reading
    task: image-classification
    description: Names the digit in a picture.
    intents_served: [read a digit]
    conditions:
      best_for: [scans]
      limitations: [one digit a picture]
    tags: [digits]
  - id: embed
    name: Picture embedding
    task: vision.image-feature-extraction
    description: A vector for a picture.
    intents_served: [embed a digit]
claims:
  - {metric: accuracy, capability: read, comparator: ">=", value: 96, unit: percent, dataset: sklearn-digits}
  - {metric: parameters, value: 243K, text: "243K parameters"}
"""


def only(text: str, **options: object) -> Parsed:
    """The single document of a manifest."""
    (parsed,) = parse_manifests(text, "matchgraph.yml", **options)  # type: ignore[arg-type]
    return parsed


def kept(text: str, **options: object) -> Artifact:
    """The artifact of a manifest that must be kept."""
    artifact = only(text, **options).artifact
    assert artifact is not None
    return artifact


def test_good_manifest_is_read_without_a_finding() -> None:
    parsed = only(GOOD)
    assert parsed.problems == ()
    artifact = parsed.artifact
    assert artifact is not None
    assert (artifact.id, artifact.slug, artifact.params) == ("tiny-digits", "tiny-digits", 243_000)
    assert (artifact.released, artifact.declared_total, artifact.pricing.free) == ("2026-01-31", 3, True)
    assert [capability.task for capability in artifact.capabilities] == [
        "vision.image-classification",
        "vision.image-feature-extraction",
    ]
    accuracy, parameters = artifact.claims
    assert (accuracy.capability, accuracy.subject, accuracy.value) == ("read", "read", 96.0)
    assert (accuracy.comparator, accuracy.unit, accuracy.conditions.dataset) == (">=", "percent", "sklearn-digits")
    assert (parameters.capability, parameters.value, parameters.unit) == (None, 243_000.0, "parameters")
    assert accuracy.span is not None
    assert GOOD[accuracy.span.start : accuracy.span.end].startswith("{metric: accuracy, capability: read")


def test_the_same_manifest_in_json_gives_the_same_artifact() -> None:
    document = yaml.safe_load(GOOD)
    document["artifact"]["released"] = "2026-01-31"
    document["artifact"]["description"] = "Reads digits. \U0001f522"
    text = json.dumps(document, indent="\t")  # tabs and surrogate pairs: JSON that is no YAML
    artifact = kept(text, is_json=True)
    assert artifact.description == "Reads digits. \U0001f522"
    expected = kept(GOOD)
    assert artifact.capabilities == expected.capabilities
    assert [claim.id for claim in artifact.claims] == [claim.id for claim in expected.claims]


HEADER = "artifact: {name: x, type: model, license: MIT}\n"
CAPABILITY = "capabilities:\n  - {id: c, name: n, task: fill-mask, description: d, intents_served: [i]}\n"

BAD = [
    ("capabilities: []\n", "not_a_manifest", 1),
    ("artifact: 7\n", "not_a_manifest", 1),
    ("- artifact\n", "not_a_manifest", 1),
    ("artifact:\n  type: model\n  license: MIT\n", "missing_name", 1),
    ("artifact:\n  name: x\n  licence: MIT\n", "unknown_field", 3),
    ("artifact: {name: x}\nclaim: []\n", "unknown_field", 2),
    ("artifact:\n  name: x\n  type: modle\n", "unknown_type", 3),
    ("artifact:\n  name: x\n  slug: Not A Slug\n", "bad_slug", 3),
    ("artifact:\n  name: [x]\n", "bad_type", 2),
    ("artifact:\n  name: x\n  url: javascript:alert(1)\n", "bad_url", 3),
    ("artifact:\n  name: x\n  params: many\n", "bad_count", 3),
    ("artifact:\n  name: x\n  signals: {likes: -1}\n", "bad_count", 3),
    ("artifact:\n  name: x\n  declared_total: 20000\n", "bad_count", 3),
    ("artifact:\n  name: x\n  weights:\n    path: a\n    hub_id: o/n\n", "two_weights", 4),
    ("artifact:\n  name: x\n  weights:\n    hub_id: a/b/c\n", "bad_hub_id", 4),
    ("artifact:\n  name: x\n  weights: here\n", "bad_type", 3),
    ("artifact:\n  name: x\n  pricing: {free: maybe}\n", "bad_type", 3),
    ("artifact:\n  name: " + "x" * 501 + "\n", "too_long", 2),
    ("artifact: {name: x}\nartifact: {name: y}\n", "duplicate_field", 2),
    ("artifact: {name: x}\ncapabilities: {}\n", "bad_type", 2),
    ("artifact:\n  name: x\n   type: y\n", "syntax", 3),
    ("artifact: {name: !!python/object/apply:os.system [ls]}\n", "bad_tag", 1),
    ("artifact: {? [a] : b}\n", "bad_field", 1),
    ("[" * 40 + "]" * 40, "too_large", 1),
    ("[" * 20_000, "too_large", 1),
    ("", "empty", 1),
    ("name: \x07\n", "syntax", 1),
]


@pytest.mark.parametrize(("text", "code", "line"), BAD, ids=[f"{code}-{n}" for n, (_, code, _) in enumerate(BAD)])
def test_bad_header_rejects_the_manifest_with_its_code_and_line(text: str, code: str, line: int) -> None:
    parsed = only(text)
    assert parsed.artifact is None
    first = parsed.problems[0]
    assert (first.level, first.code, first.line) == ("error", code, line)
    assert code in ERRORS
    entry = parsed.as_entry()
    assert entry.problem is not None and str(entry.problem).startswith(f"matchgraph.yml:{line}: ")


BAD_PARTS = [
    ("  - {name: n, task: fil-mask}\n", "", "unknown_task", 4),
    ("  - {task: fill-mask}\n", "", "missing_name", 4),
    ("  - {id: c, name: again, task: fill-mask}\n", "", "duplicate_capability", 4),
    ("  - {id: A B, name: n}\n", "", "bad_slug", 4),
    ("  - {name: n, unqiue: x}\n", "", "unknown_field", 4),
    ("  - just a text\n", "", "bad_type", 4),
    ("", "  - {value: 1}\n", "missing_metric", 6),
    ("", "  - {metric: acuracy, value: 1}\n", "unknown_metric", 6),
    ("", "  - {metric: accuracy, comparator: '~', value: 1}\n", "bad_comparator", 6),
    ("", "  - {metric: accuracy}\n", "bad_value", 6),
    ("", "  - {metric: accuracy, value: .nan}\n", "bad_value", 6),
    ("", "  - {metric: accuracy, value: 1e999}\n", "bad_value", 6),
    ("", "  - {metric: accuracy, value: great}\n", "bad_value", 6),
    ("", "  - {metric: accuracy, value: true}\n", "bad_value", 6),
    ("", "  - {metric: speedup, value: [4, 2]}\n", "bad_value", 6),
    ("", "  - {metric: speedup, value: [1, 2, 3]}\n", "bad_value", 6),
    ("", "  - {metric: exports}\n", "bad_value", 6),
    ("", "  - {metric: latency_s, value: 3, unit: bytes}\n", "unknown_unit", 6),
    ("", "  - {metric: accuracy, capability: d, value: 1}\n", "unknown_capability", 6),
    ("", "  - {metric: accuracy, value: 1, conditions: {batch_size: 0}}\n", "bad_scope", 6),
    ("", "  - {metric: accuracy, value: 1, conditions: {gpu: yes}}\n", "unknown_field", 6),
    ("", "  - {metric: accuracy, value: 1, dataest: x}\n", "unknown_field", 6),
]


@pytest.mark.parametrize(
    ("capability", "claim", "code", "line"), BAD_PARTS, ids=[f"{row[2]}-{n}" for n, row in enumerate(BAD_PARTS)]
)
def test_bad_part_is_rejected_alone(capability: str, claim: str, code: str, line: int) -> None:
    good_claim = "claims:\n  - {metric: parameters, value: 5}\n"
    text = HEADER + CAPABILITY + capability + ("" if capability else good_claim + claim)
    parsed = only(text)
    artifact = parsed.artifact
    assert artifact is not None  # the good ones are kept
    assert [kept.id for kept in artifact.capabilities] == ["c"]
    assert len(artifact.claims) == (0 if capability else 1)
    errors = [problem for problem in parsed.problems if problem.level == "error"]
    assert [(problem.code, problem.line) for problem in errors] == [(code, line)]
    assert parsed.as_entry().left_out[0].line == line


WARNED = [
    ("artifact: {name: x, type: model}\n" + CAPABILITY, "no_license", 1),
    ("artifact: {name: x, license: MIT}\n" + CAPABILITY, "no_type", 1),
    (HEADER, "no_capabilities", 1),
    (HEADER + "capabilities:\n  - {name: n, task: fill-mask, description: d}\n", "no_intents", 3),
    (HEADER + "capabilities:\n  - {name: n, task: fill-mask, intents_served: [i]}\n", "missing_description", 3),
    (HEADER + "capabilities:\n  - {name: n, description: d, intents_served: [i]}\n", "no_task", 3),
    (HEADER + CAPABILITY + "claims:\n  - {metric: accuracy, value: 9, text: likely 9}\n", "hedged", 5),
    ("artifact:\n  name: x\n  type: model\n  license: MIT\n  released: last week\n" + CAPABILITY, "bad_date", 5),
    (HEADER + "declared_total: 1\n" + CAPABILITY + CAPABILITY[14:].replace("id: c", "id: d"), "declared_too_low", 1),
]


@pytest.mark.parametrize(("text", "code", "line"), WARNED, ids=[row[1] for row in WARNED])
def test_warnings_reject_nothing(text: str, code: str, line: int) -> None:
    parsed = only(text)
    assert parsed.artifact is not None
    assert [(problem.level, problem.code, problem.line) for problem in parsed.problems] == [("warning", code, line)]
    assert code in WARNINGS


def test_control_of_the_warnings_has_none() -> None:
    assert only(HEADER + CAPABILITY).problems == ()


def test_hedged_claim_is_marked_and_a_plain_one_is_not() -> None:
    text = HEADER + CAPABILITY + "claims:\n  - {metric: f1, value: 9, text: may reach 9}\n  - {metric: f1, value: 8}\n"
    hedged, plain = kept(text).claims
    assert (hedged.hedged, hedged.flags) == (True, ("hedged",))
    assert (plain.hedged, plain.flags) == (False, ())


def test_values_come_in_the_metrics_unit() -> None:
    rows = [
        ("{metric: latency_s, value: 14, unit: ms}", 0.014),
        ("{metric: latency_s, value: 14 ms}", 0.014),
        ("{metric: size_bytes, value: 1.5, unit: MiB}", 1_572_864.0),
        ("{metric: accuracy, value: 95 %}", 95.0),
        ("{metric: accuracy, value: 0.95, unit: fraction}", 95.0),
        ("{metric: parameters, value: 5.6M}", 5_600_000.0),
        ("{metric: parameters, value: 5.6e6}", 5_600_000.0),  # a text in YAML 1.1
        ("{metric: parameters, value: '22,713,216'}", 22_713_216.0),
        ("{metric: speedup, value: 2x}", 2.0),
    ]
    text = HEADER + CAPABILITY + "claims:\n" + "".join(f"  - {row}\n" for row, _ in rows)
    for row, value in rows:
        (claim,) = kept(HEADER + CAPABILITY + f"claims:\n  - {row}\n").claims
        assert claim.value == value, row
    assert len(kept(text).claims) == 6  # what states the same is one claim


def test_range_is_two_claims() -> None:
    low, high = kept(HEADER + CAPABILITY + "claims:\n  - {metric: speedup, value: [2, 4]}\n").claims
    assert (low.comparator, low.value) == (">=", 2.0)
    assert (high.comparator, high.value) == ("up_to", 4.0)


def test_fact_carries_a_word_and_conditions_a_scope() -> None:
    text = HEADER + CAPABILITY + (
        "claims:\n  - {metric: exports, value: onnx}\n  - {metric: loads}\n"
        "  - {metric: accuracy, value: 9, dataset: d, conditions: {device: cpu, batch_size: 8}}\n"
    )  # fmt: skip
    exports, loads, accuracy = kept(text).claims
    assert (exports.value, loads.value) == ("onnx", None)
    assert (accuracy.conditions.dataset, accuracy.conditions.device, accuracy.conditions.batch_size) == ("d", "cpu", 8)


def test_claims_id_does_not_depend_on_where_it_stands() -> None:
    claim = "claims:\n  - {metric: accuracy, value: 96, dataset: d}\n"
    one = kept(HEADER + CAPABILITY + claim).claims[0]
    other = kept(HEADER + claim + CAPABILITY + "declared_total: 4\n").claims[0]
    assert one.id == other.id and one.span != other.span


def test_relative_weights_become_absolute(tmp_path: Path) -> None:
    file = tmp_path / "matchgraph.yml"
    file.write_text(HEADER.replace("}", ", weights: {path: models/a}}") + CAPABILITY)
    problems = validate_manifests(file)
    assert [(problem.level, problem.code) for problem in problems] == [("warning", "missing_weights")]
    (tmp_path / "models" / "a").mkdir(parents=True)
    assert validate_manifests(file) == []
    (entry,) = read_source(file)
    assert entry.artifact is not None and entry.artifact.weights.path == str((tmp_path / "models" / "a").resolve())


def test_documents_of_one_file_stand_alone() -> None:
    text = f"{HEADER}---\nartifact: {{type: model}}\n---\n{HEADER.replace('name: x', 'name: z')}---\na: b: c\n"
    found = list(parse_manifests(text, "m.yml"))
    assert [parsed.artifact.id if parsed.artifact else None for parsed in found] == ["x", None, "z", None]
    assert [parsed.problems[0].line for parsed in found if parsed.artifact is None] == [3, 7]


def test_aliases_may_be_used_but_not_blow_up() -> None:
    few = "artifact: {name: x, type: model, license: &m MIT, library: *m}\n" + CAPABILITY
    assert kept(few).library == "MIT"
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    for number in range(8):
        bomb += f"{chr(98 + number)}: &{chr(98 + number)} [{','.join(['*' + chr(97 + number)] * 10)}]\n"
    assert only(bomb + HEADER).problems[0].code == "too_large"


def test_folder_keeps_the_good_ones_and_names_the_bad(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(HEADER + CAPABILITY)
    (tmp_path / "b.yaml").write_text("artifact: [")
    (tmp_path / "c.json").write_text(json.dumps({"artifact": {"name": "c", "type": "tool", "license": "MIT"}}))
    (tmp_path / "package.json").write_text("{}")  # no manifest, none of ours
    (tmp_path / "d.yml").write_bytes(b"artifact: {name: \xff}\n")
    (tmp_path / "e.yml").write_text(HEADER)  # the same id as a.yml
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "matchgraph.yml").write_text(HEADER.replace("name: x", "name: below"))
    entries: list[Entry] = list(read_source(tmp_path, "manifest"))
    assert [entry.artifact.id for entry in entries if entry.artifact] == ["x", "c", "below"]
    problems = [entry.problem for entry in entries if entry.problem]
    assert [(Path(problem.file).name, problem.line, problem.code) for problem in problems] == [
        ("b.yaml", 1, "syntax"),
        ("d.yml", 1, "not_utf8"),
        ("e.yml", 1, "duplicate_id"),
    ]
    assert sorted({entry.bucket for entry in entries}) == ["manifest", "rejected"]


def test_huge_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.yml"
    file.write_text(HEADER + "# " + "x" * 2_000_000)
    (problem,) = validate_manifests(file)
    assert problem.code == "too_large"


UNFRAGILE = """\
unfragile_version: "1.0"
artifact:
  name: Router
  slug: router
  type: mcp
  maintainer: ann
  repository: https://example.org/repo
  license: MIT
  mood: good
capabilities:
  - id: route
    name: Request routing
    description: Sends requests where they belong.
    intents_served: [route a request]
    conditions: {bestFor: [teams], limitations: [no streaming], requires: [a key]}
    unique_aspect: Learns from outcomes.
pricing: {model: freemium}
failure_modes:
  - {mode: times out, frequency: rare, mitigation: retry}
execution: {protocol: mcp, auth_method: oauth}
"""


def test_open_format_is_read_and_its_unknown_fields_only_warn() -> None:
    parsed = only(UNFRAGILE)
    artifact = parsed.artifact
    assert artifact is not None
    assert (artifact.slug, artifact.url, artifact.pricing.model) == ("router", "https://example.org/repo", "freemium")
    (capability,) = artifact.capabilities
    assert capability.unique == "Learns from outcomes."
    assert capability.conditions.best_for == ("teams",)
    assert capability.conditions.limitations == ("no streaming", "times out (rare): retry")
    assert capability.tags == ("protocol:mcp", "auth:oauth")
    found = [(problem.level, problem.code, problem.line) for problem in parsed.problems]
    assert ("warning", "unknown_field", 9) in found
    assert {level for level, _, _ in found} == {"warning"}


def test_open_format_with_a_wrong_type_is_rejected_as_ours_is() -> None:
    assert only(UNFRAGILE.replace("type: mcp", "type: robot")).problems[0].code == "unknown_type"


def test_examples_of_the_repository_have_no_error(repository: Path) -> None:
    problems = validate_manifests(repository / "examples" / "artifacts")
    assert [problem for problem in problems if problem.level == "error"] == []
    assert {problem.code for problem in problems} <= {"no_license", "missing_weights"}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    ["name", "slug", "id", "type", "task", "url", "license", "params", "weights", "signals", "pricing", "conditions",
     "tags", "metric", "value", "unit", "comparator", "capability", "released", "declared_total", "description"]
)  # fmt: skip
_PART = st.dictionaries(_NAMES, _VALUES, max_size=5)


@given(_PART, st.lists(_PART | _VALUES, max_size=3), st.lists(_PART | _VALUES, max_size=3))
def test_any_manifest_gives_an_artifact_or_a_reason(
    artifact: dict[str, object], capabilities: list[object], claims: list[object]
) -> None:
    document = {"artifact": {"name": "x", **artifact}, "capabilities": capabilities, "claims": claims}
    for text, is_json in ((json.dumps(document), True), (yaml.safe_dump(document, allow_unicode=True), False)):
        for parsed in parse_manifests(text, "m", is_json=is_json):
            entry = parsed.as_entry()
            assert (entry.artifact is None) == (entry.problem is not None)
            assert all(problem.code in ERRORS or problem.code in WARNINGS for problem in parsed.problems)
            for passage in parsed.passages:
                assert_placed(passage, text)
            if parsed.artifact is not None:
                said = [parsed.artifact.description, *(c.description for c in parsed.artifact.capabilities)]
                assert {passage.text for passage in parsed.passages} <= set(said)


TEXTS = """artifact:
  name: wren
  license: mit
  description: 'It''s small:
    5.6M parameters.'
capabilities:
  - name: Sing & count
    description: >-
      Counts   up to
      ten.
    unique: "Says \\"hi\\" \\u00e9."
    vs_alternatives: |
      Better than *lark*.
  - {name: broken, task: nothing, description: not read}
"""


def assert_placed(passage: Passage, raw: str) -> None:
    for position, char in enumerate(passage.text):
        there = raw[passage.span(position, position + 1).start]
        assert there in (char, "\\") or (char == " " and there.isspace())


def test_texts_are_passages_in_place() -> None:
    (parsed,) = parse_manifests(TEXTS, "m.yml")
    assert parsed.artifact is not None
    assert [(p.text, p.capability) for p in parsed.passages] == [
        ("It's small: 5.6M parameters.", None), ("Counts up to ten.", "sing-count"),
        ('Says "hi" é.', "sing-count"), ("Better than *lark*.", "sing-count"),
    ]  # fmt: skip
    for passage in parsed.passages:
        assert_placed(passage, TEXTS)


def test_texts_and_claims_of_json_are_in_place_too() -> None:
    raw = json.dumps(
        {"artifact": {"name": "😀 wren", "description": "Has\t😀\n5.6M."},
         "capabilities": [{"name": "a", "description": "b"}],
         "claims": [{"metric": "parameters", "value": "5.6M"}]}
    )  # fmt: skip
    assert "\\ud83d" in raw
    (parsed,) = parse_manifests(raw, "m.json", is_json=True)
    assert parsed.artifact is not None
    assert [passage.text for passage in parsed.passages] == ["Has 😀 5.6M.", "b"]
    for passage in parsed.passages:
        assert_placed(passage, raw)
    (claim,) = parsed.artifact.claims
    assert claim.span is not None and json.loads(raw[claim.span.start : claim.span.end])["metric"] == "parameters"


def test_unfragile_texts_are_passages_of_their_new_fields() -> None:
    raw = (
        "unfragile_version: '1.0'\nartifact: {name: w, type: model}\n"
        "capabilities:\n- {id: a, name: A, unique_aspect: Sings.}\n"
    )
    (parsed,) = parse_manifests(raw, "u.yml")
    (passage,) = parsed.passages
    assert (passage.text, passage.capability, raw[passage.start : passage.start + 6]) == ("Sings.", "a", "Sings.")
