"""Hostile model directories: each refused or contained, named, and followed by a normal verdict for the next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_models import CASES, NORMAL, PAYLOAD, HostileModel, artifact_of, ending, honest, listing, offspring

from graph.home import Home
from inference.ground import sandbox_confines, survey
from inference.models.digests import FileDigests
from inference.models.estimate import estimate_memory_bytes
from inference.models.facts import inspect_model
from inference.sandbox.layers import confines
from inference.sandbox.zygote import Limits, Zygote
from inference.stage import stage_model

BY_NAME = {case.name: case for case in CASES}
SAMPLE = [case for case in CASES if case.cheap and case.refused is None]
REFUSED_SAMPLE = ("pickle-alone", "own-code-by-auto-map", "a-million-layers", "link-out-of-the-folder",
                  "shard-index-out-of-the-folder", "custom-diffusers-pipeline")  # fmt: skip


@pytest.fixture(scope="module")
def worker() -> Iterator[Zygote]:
    with Zygote(["torch", "transformers.pipelines"]) as running:
        running.layers()  # starts it: what follows has a budget of seconds
        yield running


def test_there_are_cases_of_every_kind() -> None:
    assert len(CASES) >= 30 and len(BY_NAME) == len(CASES)
    assert {case.refused for case in CASES} == {None, "load_failed", "unsafe_refused", "no_weights", "not_runnable"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pre_flight_names_what_is_wrong(case: HostileModel, tmp_path: Path) -> None:
    folder = tmp_path / case.name
    case.write(folder)
    before = listing(tmp_path)
    facts = inspect_model(folder)
    assert (None if facts.loadable else facts.reason_code) == case.refused
    assert facts.loadable or (facts.reason and "\n" not in facts.reason and facts.reason.isprintable())
    assert listing(tmp_path) == before and not (tmp_path / PAYLOAD).exists()
    assert all(problem.reason.isprintable() for problem in facts.problems)


def test_the_honest_twin_passes(tmp_path: Path) -> None:
    honest(tmp_path / "honest")
    facts = inspect_model(tmp_path / "honest")
    assert (facts.loadable, facts.reason, facts.problems, facts.flags) == (True, "", (), ())


def test_payloads_do_write_where_they_are_run(tmp_path: Path) -> None:
    """The control: what is never run would leave its mark."""
    import pickle

    folder = tmp_path / "m"
    BY_NAME["pickle-alone"].write(folder)
    BY_NAME["own-code-by-auto-map"].write(tmp_path / "c")
    with (folder / "pytorch_model.bin").open("rb") as stream:
        pickle.load(stream)
    assert (tmp_path / PAYLOAD).exists()
    (tmp_path / PAYLOAD).unlink()
    exec((tmp_path / "c" / "modeling.py").read_text(), {})
    assert (tmp_path / PAYLOAD).exists()


def test_a_refused_model_is_not_hashed_file_by_file_for_ever(tmp_path: Path) -> None:
    """A gigabyte of nothing costs no time: its name is not among the files that are read."""
    for name in ("json-of-a-gigabyte", "tokenizer-of-a-gigabyte", "weights-of-200-gigabytes"):
        BY_NAME[name].write(tmp_path / name)
        ground = survey(artifact_of(tmp_path / name), frozenset(), FileDigests(), confined=True)
        assert ground.facts is not None and max(file.size_bytes for file in ground.facts.files) < 1 << 20
        assert ground.problem is not None and ground.problem[0] == "unsafe_refused"


@pytest.mark.slow
@pytest.mark.parametrize("case", [*SAMPLE, *map(BY_NAME.__getitem__, REFUSED_SAMPLE)], ids=lambda case: case.name)
def test_contained_named_and_the_next_is_judged(case: HostileModel, tmp_path: Path, home: Home, worker: Zygote) -> None:
    if not sandbox_confines():
        pytest.skip("this machine cannot confine a stranger's model, which is refused here")
    folder = tmp_path / "models" / case.name
    case.write(folder)
    honest(tmp_path / "models" / "next", seed=SAMPLE.index(case) if case in SAMPLE else 999)
    before, others = listing(tmp_path / "models"), offspring(os.getpid())  # of tests that ran here before
    found = ending(home, folder, worker)
    assert found.fits(case), (found, case.ends)
    after = ending(home, tmp_path / "models" / "next", worker)
    assert after.loads == NORMAL[0] and confines(after.layers)
    assert listing(tmp_path / "models") == before and not (tmp_path / "models" / PAYLOAD).exists()
    process = worker._process
    assert process is not None and offspring(os.getpid()) <= {process.pid, *offspring(process.pid), *others}
    assert not offspring(process.pid)


@pytest.mark.slow
def test_a_pickle_trusted_by_name_loads_if_it_holds_tensors_alone(tmp_path: Path, home: Home, worker: Zygote) -> None:
    import torch
    from hostile_base import pickled
    from safetensors.numpy import load_file

    honest(tmp_path / "m")
    weights = load_file(tmp_path / "m" / "model.safetensors")
    (tmp_path / "m" / "model.safetensors").unlink()
    bin_file = tmp_path / "m" / "pytorch_model.bin"
    torch.save({name: torch.from_numpy(tensor) for name, tensor in weights.items()}, bin_file)
    assert ending(home, tmp_path / "m", worker).loads == ("error", "unsafe_refused")
    assert ending(home, tmp_path / "m", worker, trust=("stranger/m",)).loads == NORMAL[0]
    bin_file.write_bytes(pickled(tmp_path / "m"))
    before = listing(tmp_path / "m")
    found = ending(home, tmp_path / "m", worker, trust=("stranger/m",))
    assert found.loads == ("error", "unsafe_refused") and "holds more than tensors" in found.reason
    assert listing(tmp_path / "m") == before and not (tmp_path / PAYLOAD).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [("missing-tensors", "5 tensors are not in the files"), ("tensors-of-another-shape", "tensors have another shape")],
)
def test_what_does_not_fit_is_named(name: str, said: str, tmp_path: Path, home: Home, worker: Zygote) -> None:
    BY_NAME[name].write(tmp_path / name)
    found = ending(home, tmp_path / name, worker)
    assert found.loads == ("refuted", "load_failed") and said in found.reason and " first" in found.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "probe", "failure"),
    [
        ("tuples-instead-of-names", "text-classification", None),
        ("normalizer-that-doubles-forty-times", "text-classification", "timeout"),
        ("tokenizer-with-code-of-its-own", "text-classification", None),
        ("modules-behind-a-router", "embedding", "unsafe_refused"),
        ("module-that-loads-itself", "embedding", "load_failed"),
    ],
)
def test_what_loading_does_not_touch_is_contained_too(
    name: str, probe: str, failure: str | None, tmp_path: Path, worker: Zygote
) -> None:
    BY_NAME[name].write(tmp_path / name)
    facts = inspect_model(tmp_path / name)
    staged = worker.scratch / name
    readable = stage_model(facts.files, staged / "model")
    (staged / "items").mkdir()
    (staged / "items" / "items.json").write_text('["aaaa bbb a", "def f(x): return x"]')
    limits = Limits(estimate_memory_bytes(facts.size_bytes, facts.parameters, probe), 60)
    answer = worker.run(probe, staged / "model", staged / "items", limits, 8.0, 0, readable=readable)
    assert answer.failure == failure, answer.what
    assert not (tmp_path / PAYLOAD).exists()


def test_label_names_that_move_the_cursor_are_flagged(tmp_path: Path) -> None:
    BY_NAME["words-that-move-the-cursor"].write(tmp_path / "m")
    assert inspect_model(tmp_path / "m").flags == ("odd_label_names",)
