"""Probes of picture generators, on the tiny FLUX pipeline in the sandbox: what a whole one shows, and broken ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from graph.claims import Claim
from graph.metrics import METRICS
from inference.data import drawings
from inference.data.sets import LabelledSet, built_in
from inference.models.facts import inspect_model
from inference.probes.base import Measured, Measurement, Subject
from inference.probes.diffusion import DIFFUSION
from inference.probes.diffusion.drawing import misfit, seeds_of
from inference.probes.diffusion.editing import follows, grows, rotated
from inference.probes.diffusion.inpainting import follows_prompts, keeps
from inference.probes.diffusion.pictures import PackedPictures, pack
from inference.probes.diffusion.pipes import MODULES
from inference.sandbox.zygote import Answer, Limits, Zygote
from inference.stage import stage_items, stage_model
from inference.verdicts.rules import judge_exact, judge_interval, judge_proportion, judge_runs

LIMITS = Limits(memory_bytes=4 << 30, cpu_s=120)
TINY = Subject(2_100_000, 521_683, "vision.text-to-image", library="diffusers")
Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(MODULES, probes="inference.probes.diffusion:DIFFUSION") as running:
        yield running


@pytest.fixture(scope="module")
def shapes(repository: Path) -> Path:
    return repository / "examples" / "models" / "tiny-flux-shapes"


@pytest.fixture
def copied(shapes: Path, tmp_path: Path) -> Path:
    shutil.copytree(shapes, tmp_path / "model")
    return tmp_path / "model"


def ask(zygote: Zygote, probe: str, model: Path, data: LabelledSet | None = None, **settings: int) -> Answer:
    folder = zygote.scratch / "unit"
    shutil.rmtree(folder, ignore_errors=True)
    stage_model(inspect_model(model).files, folder / "model")
    if data is not None:
        stage_items(data, folder / "items")
    items = folder / "items" if data is not None else None
    return zygote.run(probe, folder / "model", items, LIMITS, 300.0, 0, settings=settings, untrusted=False)


def measure(zygote: Zygote, probe: str, model: Path, data: LabelledSet | None = None, **settings: int) -> Measured:
    answer = ask(zygote, probe, model, data, **settings)
    assert answer.raw is not None, answer.what
    return DIFFUSION[probe].score(answer.raw, data)


def first(measured: Measured, metric: str) -> Measurement:
    return measured.all_of(metric)[0]


def adherence_verdict(found: Measurement, claimed: float = 75) -> str:
    assert found.successes is not None
    assert found.n is not None
    return judge_proportion(found.successes, found.n, claimed, ">=").verdict


def runs_verdict(measured: Measured) -> str:
    found = first(measured, "runs")
    assert None not in (found.successes, found.n, found.chance)
    return judge_runs(found.successes or 0, found.n or 0, found.chance or 0.0).verdict


def claim(metric: str, comparator: Any, value: float) -> Claim:
    return Claim(id="c", artifact="a", metric=metric, comparator=comparator, value=value, unit=METRICS[metric].unit)


def change(model: Path, network: str, name: str, value: NDArray[Any] | None) -> None:
    """Replace the first tensor of a network whose name holds `name`; None removes it."""
    path = next((model / network).glob("*.safetensors"))
    weights = load_file(path)
    key = next(key for key in sorted(weights) if name in key)
    if value is None:
        del weights[key]
    else:
        weights[key] = np.broadcast_to(value, weights[key].shape).astype(weights[key].dtype).copy()
    save_file(weights, path, {"format": "pt"})


# The whole pipeline ---------------------------------------------------------------------------------------
@pytest.mark.slow
def test_loading_counts_every_network(zygote: Zygote, shapes: Path) -> None:
    measured = measure(zygote, "pipeline-loading", shapes)
    held = {path.parent.name: sum(tensor.size for tensor in load_file(path).values())
            for path in shapes.glob("*/*.safetensors")}  # fmt: skip
    by_network = {found.scope.note: found.value for found in measured.all_of("component_parameters")}
    assert by_network == held
    assert first(measured, "parameters").value == sum(held.values()) == inspect_model(shapes).parameters
    assert first(measured, "loads").holds
    assert (measured.finite, measured.flags) == (True, ())


@pytest.mark.slow
def test_four_steps_draw_the_prompt_and_one_does_not(zygote: Zygote, shapes: Path) -> None:
    few = measure(zygote, "text-to-image", shapes, built_in("drawings"), steps=4)
    one = measure(zygote, "text-to-image", shapes, built_in("drawings"), steps=1)
    shares = first(few, "adherence"), first(one, "adherence")
    assert [share.n for share in shares] == [144, 144]
    assert [share.scope.steps for share in shares] == [4, 1]
    assert [share.scope.size for share in shares] == ["32x32", "32x32"]
    assert [adherence_verdict(share) for share in shares] == ["verified", "refuted"]
    assert all(share.control is not None and share.control["passed"] for share in shares)
    assert not few.all_of("runs")  # a statement about 4 steps is none about the pipeline's own number


@pytest.mark.slow
def test_it_runs_at_its_own_number_of_steps(zygote: Zygote, shapes: Path) -> None:
    measured = measure(zygote, "text-to-image", shapes, built_in("drawings"))
    assert runs_verdict(measured) == "verified"
    assert first(measured, "runs").scope.steps == 28
    assert first(measured, "runs").chance == pytest.approx(1 / 12)


@pytest.mark.slow
def test_calls_are_counted(zygote: Zygote, shapes: Path) -> None:
    measured = measure(zygote, "diffusion-calls", shapes, steps=4)
    steps, plain, guided = first(measured, "steps"), *measured.all_of("guidance_calls")
    assert (steps.value, steps.scope.steps) == (4, 4)
    assert plain.value == 0
    assert (guided.value, guided.scope.steps) == (2, 2)  # with a negative prompt each step costs one call more
    assert plain.control is not None
    assert plain.control["passed"]
    verdicts = [judge_exact(float(found.value), claim(found.metric, "=", value), METRICS[found.metric]).verdict
                for found, value in ((steps, 4), (steps, 3), (plain, 0), (plain, 4))]  # fmt: skip
    assert verdicts == ["verified", "refuted", "verified", "refuted"]


@pytest.mark.slow
def test_without_a_word_about_steps_none_are_claimed(zygote: Zygote, shapes: Path) -> None:
    measured = measure(zygote, "diffusion-calls", shapes)
    assert not measured.all_of("steps")
    assert first(measured, "default_steps").value == 28
    assert measured.flags == ("guidance_ignored", "size_rounded")
    assert "35x33 gives 32x32" in str(first(measured, "sizes").value)
    same, other = first(measured, "same_seed_same_picture"), first(measured, "other_seed_other_picture")
    assert (same.value, other.value) == (1, 1)
    largest = first(measured, "max_pixels")
    assert largest.value == 128 * 128
    assert largest.interval is not None
    for comparator, value, verdict in (("up_to", 4e6, "inconclusive"), (">=", 4e6, "inconclusive"),
                                       (">=", 1024, "verified")):  # fmt: skip
        stated = claim("max_pixels", comparator, value)
        judged = judge_interval(float(largest.value), largest.interval, stated, METRICS["max_pixels"], None)
        assert judged.verdict == verdict


@pytest.mark.slow
def test_editing_follows_picture_and_prompt(zygote: Zygote, shapes: Path) -> None:
    measured = measure(zygote, "image-to-image", shapes, built_in("drawings"))
    assert runs_verdict(measured) == "verified"
    control = first(measured, "runs").control
    assert control is not None
    assert control["passed"]
    by_strength = [float(found.value) for found in measured.all_of("distance_from_source")]
    assert by_strength == sorted(by_strength)
    assert by_strength[0] > 0


@pytest.mark.slow
def test_inpainting_keeps_one_half_and_changes_the_other(zygote: Zygote, shapes: Path) -> None:
    measured = measure(zygote, "inpainting", shapes, built_in("drawings"))
    assert runs_verdict(measured) == "verified"
    control = first(measured, "runs").control
    assert control is not None
    assert control["passed"]
    outside, inside = (float(first(measured, f"inpaint_{name}").value) for name in ("outside_error", "inside_change"))
    assert 0 < outside < inside


# Broken pipelines -----------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("network", ["text_encoder", "text_encoder_2", "transformer", "vae"])
def test_a_missing_tensor_is_named_with_its_network(zygote: Zygote, copied: Path, network: str) -> None:
    change(copied, network, "weight", None)
    answer = ask(zygote, "diffusion-calls", copied)
    assert (answer.raw, answer.failure) == (None, "load_failed")
    assert f"{network}: 1 tensors are not in its files" in answer.what


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_noticed(zygote: Zygote, copied: Path) -> None:
    change(copied, "transformer", "proj_out.weight", np.array(np.nan))
    answer = ask(zygote, "pipeline-loading", copied)
    assert (answer.raw, answer.failure) == (None, "non_finite")


@pytest.mark.slow
def test_a_pipeline_that_draws_nothing_is_refuted(zygote: Zygote, copied: Path) -> None:
    change(copied, "transformer", "proj_out.weight", np.array(0.0))
    measured = measure(zygote, "text-to-image", copied, built_in("drawings"))
    assert runs_verdict(measured) == "refuted"
    assert adherence_verdict(first(measured, "adherence")) == "refuted"


@pytest.mark.slow
def test_a_pipeline_deaf_to_its_prompt_is_refuted(zygote: Zygote, copied: Path) -> None:
    for network, name in (("text_encoder", "token_embedding"), ("text_encoder_2", "shared.weight")):
        change(copied, network, name, np.array(0.5))
    measured = measure(zygote, "text-to-image", copied, built_in("drawings"), steps=4)
    assert adherence_verdict(first(measured, "adherence")) == "refuted"


@pytest.mark.slow
def test_inpainting_deaf_to_its_prompt_is_not_verified(zygote: Zygote, copied: Path) -> None:
    for network, name in (("text_encoder", "token_embedding"), ("text_encoder_2", "shared.weight")):
        change(copied, network, name, np.array(0.5))
    control = first(measure(zygote, "inpainting", copied, built_in("drawings")), "runs").control
    assert control is not None
    assert control["colours"] < control["colours_needed"]
    assert not control["passed"]


def test_colours_follow_prompts_more_than_by_chance() -> None:
    colours = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
    wanted = [f"{name} circle" for name in colours] * 6
    parts = np.array([np.full((8, 4, 3), colours[label.partition(" ")[0]], np.uint8) for label in wanted])
    hits, needed = follows_prompts(parts, wanted)
    assert (hits, needed) == (24, pytest.approx(6 + 3 * (6 * 0.75) ** 0.5))
    assert follows_prompts(np.roll(parts, 1, axis=0), wanted)[0] == 0
    assert follows_prompts(np.zeros_like(parts), wanted) == (0, pytest.approx(1.5))  # no colour at all
    assert follows_prompts(np.roll(parts[:1].repeat(24, axis=0), 1, axis=0), wanted)[0] < needed  # always the same


@pytest.mark.slow
def test_code_of_its_own_is_refused(zygote: Zygote, copied: Path) -> None:
    table = json.loads((copied / "model_index.json").read_text(encoding="utf-8"))
    table["vae"] = ["my_own_code", "AutoencoderKL"]
    staged = zygote.scratch / "own-code"
    stage_model(inspect_model(copied).files, staged)
    (staged / "model_index.json").unlink()
    (staged / "model_index.json").write_text(json.dumps(table), encoding="utf-8")
    answer = zygote.run("pipeline-loading", staged, None, LIMITS, 120.0, 0, untrusted=False)
    assert (answer.raw, answer.failure) == (None, "unsafe_refused")
    assert "my_own_code" in answer.what


# Scores without a model -----------------------------------------------------------------------------------
def made_pictures(seed: int, count: int = 12) -> Picture:
    """Squares of the four colours in random places on grounds of random grey."""
    draw = np.random.default_rng(seed)
    colours = ((215, 45, 40), (50, 170, 70), (60, 85, 220), (235, 205, 50))
    made = np.repeat(draw.integers(10, 60, (count, 1, 1, 1), dtype=np.uint8), 32, axis=1).repeat(32, 2).repeat(3, 3)
    for number, picture in enumerate(made):
        top, left = draw.integers(2, 16), draw.integers(9, 17)  # in both halves
        picture[top : top + 13, left : left + 13] = colours[number % 4]
    return made


def mixed(one: Picture, other: Picture, share: float) -> Picture:
    return np.round((1 - share) * one + share * other).astype(np.uint8)


def test_an_editor_that_ignores_or_returns_its_picture_fails() -> None:
    sources, targets = made_pictures(1), made_pictures(2)
    targets = np.concatenate([targets[1:], targets[:1]])
    wanted = [drawings.judge(picture) for picture in targets]
    assert "" not in wanted
    honest = [mixed(sources, targets, share) for share in (0.2, 0.6, 1.0)]
    assert follows(sources, honest, wanted).all()
    assert grows(sources, honest).all()
    assert not follows(sources, [targets, targets, targets], wanted).any()  # ignores the strength
    assert not follows(sources, [np.roll(sources, 1, axis=0), targets, targets], wanted).any()  # ignores the picture
    own = [drawings.judge(picture) for picture in sources]
    assert not follows(sources, [sources, sources, sources], own).any()  # returns it, which happens to be right
    assert not follows(sources, [sources, sources, sources], wanted).any()  # returns it
    assert not grows(sources, [sources, sources, sources]).any()
    assert not follows(sources, [*honest[:2], made_pictures(3)[::-1]], wanted).all()  # ignores the prompt


def test_a_painter_that_ignores_or_returns_its_picture_fails() -> None:
    sources, other = made_pictures(1), made_pictures(2)
    trip = mixed(sources, np.full_like(sources, 128), 0.02)
    honest = trip.copy()
    honest[:, :, :16] = 255 - sources[:, :, :16]
    assert keeps(sources, trip, honest).all()
    assert not keeps(sources, trip, trip).any()  # nothing new
    assert keeps(sources, trip, other[::-1]).mean() < 0.2  # somebody else's picture
    assert not keeps(sources, trip, np.roll(honest, 1, axis=0)).any()


def test_prompts_are_given_to_other_pictures() -> None:
    assert rotated(["a", "b", "c"]) == ["c", "a", "b"]
    assert sorted(rotated(list("abcdefg"))) == list("abcdefg")
    assert rotated(list("abcde")) == list("bcdea")  # never the own one
    assert len({*seeds_of(0, 50), *seeds_of(1, 50)}) == 100


def raw_of(drawn: Picture, empty: int = 24, steps: int = 20, **more: Any) -> bytes:
    shown = drawn.astype(np.float32) / 255
    blank = np.zeros((empty, 32, 32, 3), np.float32)
    answer = {"pictures": pack(shown), "empty": pack(blank), "steps": steps, "stated": False, "size": "32x32",
              "load_s": 1.0, "run_s": 1.0}  # fmt: skip
    return json.dumps({**answer, **more}).encode()


def test_pictures_are_judged_here_by_the_labels_of_the_set() -> None:
    pictures = made_pictures(5, 48)
    labels = tuple(drawings.judge(picture) for picture in pictures)
    data = LabelledSet("mine", "prompt", [f"a {label}" for label in labels], labels, "d", "operator")
    probe = DIFFUSION["text-to-image"]
    measured = probe.score(raw_of(pictures), data)
    found = first(measured, "adherence")
    assert (found.successes, found.n, first(measured, "runs").chance) == (48, 48, 0.25)
    assert found.control is not None
    assert found.control["passed"]
    turned = LabelledSet("mine", "prompt", data.items, (*labels[1:], labels[0]), "d", "operator")
    assert first(probe.score(raw_of(pictures), turned), "adherence").successes == 0


@pytest.mark.parametrize(
    "change",
    [{"pictures": {"count": 48, "height": 32, "width": 32, "data": "AAAA"}}, {"steps": 2}, {"extra": 1},
     {"pictures": {"count": 48, "height": 32, "width": 32, "data": "?"}}, {"steps": 0}, {"load_s": float("nan")},
     {"pictures": {"count": 1, "height": 4096, "width": 1, "data": ""}}],
)  # fmt: skip
def test_an_answer_that_is_none_is_refused(change: dict[str, Any]) -> None:
    pictures = made_pictures(5, 48)
    labels = tuple(drawings.judge(picture) for picture in pictures)
    data = LabelledSet("mine", "prompt", [f"a {label}" for label in labels], labels, "d", "operator")
    with pytest.raises(ValueError, match=r".+"):
        DIFFUSION["text-to-image"].score(raw_of(pictures, **change), data)


def test_pictures_that_are_missing_are_missed() -> None:
    pictures = made_pictures(5, 48)
    labels = tuple(drawings.judge(picture) for picture in pictures)
    data = LabelledSet("mine", "prompt", [f"a {label}" for label in labels], labels, "d", "operator")
    with pytest.raises(ValueError, match="3 of 24"):
        DIFFUSION["text-to-image"].score(raw_of(pictures, empty=3), data)
    short = {"count": 2, "height": 32, "width": 32, "data": "AAAA"}
    with pytest.raises(ValueError, match="3 bytes of pictures"):
        PackedPictures.model_validate(short).unpack()


def test_large_pictures_are_averaged_down() -> None:
    large = np.kron(made_pictures(6, 4), np.ones((1, 8, 8, 1), np.uint8)).astype(np.float32) / 255
    packed = PackedPictures.model_validate(pack(large))
    assert (packed.count, packed.height, packed.width) == (4, 64, 64)
    assert [drawings.judge(picture) for picture in packed.unpack()] == [
        drawings.judge(picture) for picture in made_pictures(6, 4)
    ]


def test_sets_and_models_that_do_not_fit() -> None:
    probe, data = DIFFUSION["text-to-image"], built_in("drawings")
    assert probe.cost_s(TINY, data) is not None
    assert misfit(data) == ""
    odd = LabelledSet("mine", "prompt", ["x", "y"], ("red circle", "purple hexagon"), "d", "operator")
    assert probe.cost_s(TINY, odd) is None
    assert "no rule for the label 'purple hexagon' of mine" in misfit(odd)
    many = LabelledSet("mine", "prompt", ["x"] * 400, ("red circle", "blue circle") * 200, "d", "operator")
    assert probe.cost_s(TINY, many) is None
    assert "400 prompts" in misfit(many)
    assert probe.cost_s(Subject(1, 1, "text.text-classification"), data) is None
    assert probe.cost_s(TINY, built_in("sklearn-digits")) is None


def test_the_costs_are_those_of_a_small_model() -> None:
    data = built_in("drawings")
    costs = [probe.cost_s(TINY, data if probe.info.needs else None) for probe in DIFFUSION.values()]
    assert None not in costs
    assert sum(cost or 0 for cost in costs) < 40
    huge = Subject(24_000_000_000, 12_000_000_000, "vision.text-to-image", library="diffusers")
    assert (DIFFUSION["text-to-image"].cost_s(huge, data) or 0) > 3600
