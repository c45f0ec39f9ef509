"""The judge of drawings: right on real ones, silent on everything else; and the built-in prompt set."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from inference.data import drawings
from inference.data.sets import built_in

Picture = NDArray[np.uint8]
GROUND, RED, BLUE = (30, 30, 30), (215, 45, 40), (60, 85, 220)


@pytest.fixture(scope="module")
def real(repository: Path) -> ModuleType:
    """The module that draws what the example model was trained on."""
    path = repository / "examples" / "train" / "tiny_flux_shapes_data.py"
    spec = importlib.util.spec_from_file_location("tiny_flux_shapes_data", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def canvas(side: int = 32) -> Picture:
    return np.full((side, side, 3), GROUND, np.uint8)


def square(picture: Picture, top: int, left: int, side: int, colour: tuple[int, int, int]) -> Picture:
    picture[top : top + side, left : left + side] = colour
    return picture


def test_every_one_of_600_real_drawings_is_named(real: ModuleType) -> None:
    pictures, pairs = real.draw_many(600, seed=20_000)
    named = [drawings.judge(picture) for picture in pictures]
    assert named == [" ".join(real.PAIRS[pair]) for pair in pairs]
    assert set(named) == set(drawings.LABELS)


def test_size_does_not_matter(real: ModuleType) -> None:
    for picture in real.draw_many(24, seed=7)[0]:
        assert drawings.judge(np.kron(picture, np.ones((4, 4, 1), np.uint8))) == drawings.judge(picture)


def test_noise_and_blank_pictures_are_named_nothing() -> None:
    draw = np.random.default_rng(0)
    noise = [draw.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(100)]
    plain = [np.full((32, 32, 3), colour, np.uint8) for colour in (GROUND, RED, BLUE, (0, 0, 0), (255, 255, 255))]
    blobs = [gaussian_filter(draw.normal(size=(32, 32, 3)), (4, 4, 0)) for _ in range(100)]
    soft = [np.round(255 * (blob - blob.min()) / np.ptp(blob)).astype(np.uint8) for blob in blobs]
    assert {drawings.judge(picture) for picture in (*noise, *plain, *soft)} == {""}


def test_what_is_no_single_plain_shape_is_named_nothing() -> None:
    one = square(canvas(), 8, 8, 14, RED)
    assert drawings.judge(one) == "red square"
    assert drawings.judge(square(square(canvas(), 2, 2, 10, RED), 18, 18, 10, RED)) == ""  # two of them
    assert drawings.judge(square(one.copy(), 15, 8, 14, BLUE)) == ""  # two colours
    assert drawings.judge(square(canvas(), 8, 8, 14, (120, 120, 120))) == ""  # grey
    assert drawings.judge(square(canvas(), 14, 14, 4, RED)) == ""  # too small
    bar = canvas()
    bar[4:28, 14:18] = RED
    assert drawings.judge(bar) == ""
    places = np.arange(32) - 15.5
    diamond = canvas()
    diamond[np.abs(places)[:, None] + np.abs(places)[None, :] <= 12] = RED
    assert drawings.judge(diamond) == ""


def test_upside_down_is_no_triangle(real: ModuleType) -> None:
    picture = real.draw_shape("green", "triangle", np.random.default_rng(1))
    assert drawings.judge(picture) == "green triangle"
    assert drawings.judge(picture[::-1]) == ""


@pytest.mark.parametrize("colour", [(215, 45, 40), (150, 90, 30), (200, 60, 200), (60, 200, 210)])
def test_only_colours_with_a_name_are_named(colour: tuple[int, int, int]) -> None:
    assert drawings.judge(square(canvas(), 8, 8, 14, colour)) == ("red square" if colour == RED else "")


@pytest.mark.parametrize(
    "picture",
    [np.zeros((32, 32), np.uint8), np.zeros((32, 32, 4), np.uint8), np.zeros((32, 32, 3)), np.zeros((4, 32, 3), "u1"),
     np.zeros((32, 4096, 3), np.uint8)],
)  # fmt: skip
def test_what_is_no_picture_is_refused(picture: NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match="a picture"):
        drawings.judge(picture)  # type: ignore[arg-type]


def test_the_built_in_prompts() -> None:
    data = built_in("drawings")
    assert (data.kind, len(data.items), data.classes) == ("prompt", 48, tuple(sorted(drawings.LABELS)))
    assert data.majority == pytest.approx(1 / 12)
    assert len(set(data.items)) == 48
    assert data.warnings == ()
    for prompt, label in zip(data.items, data.labels, strict=True):
        assert set(label.split()) <= set(str(prompt).split())


def test_training_knows_the_same_names_and_not_one_wording(real: ModuleType) -> None:
    assert sorted(" ".join(pair) for pair in real.PAIRS) == sorted(drawings.LABELS)
    assert set(drawings.WORDINGS) - set(real.WORDINGS) == {"a picture of a {shape} in {colour}"}


def test_labels_the_judge_knows() -> None:
    assert drawings.knows(" Red   CIRCLE ")
    assert not any(drawings.knows(label) for label in ("red", "circle", "red hexagon", "purple circle", ""))
