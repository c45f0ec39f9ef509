"""The encoder in onnxruntime: torch's vectors, a graph that is made once, kept whole, and refused where it is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_catalogue import build_small

from graph.errors import ModelError
from graph.home import Home
from graph.settings import Settings
from indexer.snapshot import open_snapshot
from inference.embedder import Runtime, open_encoder, runtime_of
from inference.encoding import kept_graph
from inference.encoding.by_onnx import BATCH, OnnxEncoder
from inference.encoding.kept_graph import LARGEST_DIFFERENCE, SAMPLE
from inference.models import digests
from search.reports import build_response

pytestmark = pytest.mark.slow
WORDS = ("a", "model", "reads", "images", "of", "plants", "größer", "日本", "½", "don't", "C++", "names", "phones")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A home in which the tiny encoder's graph was made."""
    home = tmp_path_factory.mktemp("home")
    assert runtime_of(open_encoder(str(tiny_encoder), home=home)) is not None
    return home


@pytest.fixture
def graphs(kept: Path, tmp_path: Path) -> Path:
    """A copy of that home's folder of graphs."""
    shutil.copytree(kept, tmp_path / "home")
    return tmp_path / "home" / "encoders"


def _texts(count: int, seed: int = 0) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, int(draw.integers(0, 60)))) for _ in range(count)]


def _runtime(folder: Path, home: Path, runtime: Any = "auto") -> Runtime:
    found = runtime_of(open_encoder(str(folder), home=home, runtime=runtime))
    assert found is not None
    return found


def _only(folder: Path, ending: str) -> Path:
    [found] = folder.glob(f"*/*{ending}")
    return found


# The same vectors ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def real(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the real encoder's graph was made."""
    home = tmp_path_factory.mktemp("real")
    assert runtime_of(open_encoder(home=home)) is not None
    return home


def test_real_weights_give_the_same_vectors_in_both(real: Path) -> None:
    by_onnx, by_torch = open_encoder(home=real, threads=2), open_encoder(threads=2)
    runtime = runtime_of(by_onnx)
    assert runtime is not None
    assert (runtime.name, runtime.note) == ("onnxruntime", "")
    assert runtime.difference is not None
    assert 0 < runtime.difference < LARGEST_DIFFERENCE  # 0 would be torch beside itself
    texts = [*_texts(3 * BATCH + 5), "", "cat " * 400, "\ud800 \x00", "😀" * 300]
    right = by_torch.encode(texts)
    heard: list[int] = []
    assert by_onnx.encode(texts, heard.append) == pytest.approx(right, abs=LARGEST_DIFFERENCE)
    assert heard == [*range(BATCH, len(texts), BATCH), len(texts)]
    for text, vector in zip(texts[:5], right[:5], strict=True):
        assert by_onnx.encode([text])[0] == pytest.approx(vector, abs=LARGEST_DIFFERENCE)
    assert by_onnx.info == by_torch.info


def test_a_fresh_process_needs_neither_torch_nor_transformers(real: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from inference.embedder import open_encoder\n"
        f"vector = open_encoder(home=Path({str(real)!r})).encode(['a cat'])[0]\n"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers', 'onnx') if name in sys.modules])\n"
        "print(vector[:3].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, first = done.stdout.splitlines()
    assert loaded == "[]"
    assert json.loads(first) == pytest.approx(open_encoder(threads=1).encode(["a cat"])[0][:3].tolist(), abs=1e-5)


def test_threads_batches_and_order_change_nothing(kept: Path, tiny_encoder: Path) -> None:
    texts = ["a cat", "dog", "", "a a a cat dog"] * 9
    encoders = [open_encoder(str(tiny_encoder), home=kept, threads=threads) for threads in (1, 3)]
    one, three = (encoder.encode(texts) for encoder in encoders)
    assert (one == three).all()
    assert one[::-1] == pytest.approx(encoders[0].encode(texts[::-1]), abs=1e-6)
    assert encoders[1].encode([]).shape == (0, 32)


def test_no_more_batches_at_once_than_threads(kept: Path, tiny_encoder: Path, monkeypatch: Any) -> None:
    busy, most, lock, encode = [0], [0], threading.Lock(), OnnxEncoder._encode_batch

    def counted(self: OnnxEncoder, texts: list[str]) -> Any:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(0.01)
        with lock:
            busy[0] -= 1
        return encode(self, texts)

    monkeypatch.setattr(OnnxEncoder, "_encode_batch", counted)
    for threads in (1, 2):
        most[0] = 0
        open_encoder(str(tiny_encoder), home=kept, threads=threads).encode(["a cat"] * 10 * BATCH)
        assert most[0] == threads


def test_an_interrupted_call_begins_no_further_batch(kept: Path, tiny_encoder: Path, monkeypatch: Any) -> None:
    begun: list[int] = []
    encode = OnnxEncoder._encode_batch
    monkeypatch.setattr(
        OnnxEncoder, "_encode_batch", lambda self, texts: (begun.append(1), time.sleep(0.02), encode(self, texts))[2]
    )

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_encoder(str(tiny_encoder), home=kept, threads=2).encode(["a cat"] * 50 * BATCH, stop)
    assert len(begun) < 10


# Made once, kept whole ----------------------------------------------------------------------------------
def test_a_kept_graph_is_not_made_again(kept: Path, tiny_encoder: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(kept_graph, "_make", lambda *_: pytest.fail("made again"))
    assert _runtime(tiny_encoder, kept, "onnx").name == "onnxruntime"


@pytest.mark.parametrize("damage", ["graph", "truncated", "tokenizer", "gone", "json", "version"])
def test_what_is_damaged_is_noticed_and_made_again(
    graphs: Path, tiny_encoder: Path, monkeypatch: Any, damage: str
) -> None:
    monkeypatch.setattr(digests, "_SMALL_BYTES", 1_000)  # its digest is remembered, as a large file's is
    graph, made = _only(graphs, ".onnx"), _only(graphs, "made.json")
    before = graph.read_bytes()
    if damage == "graph":
        graph.write_bytes(before[:-100] + bytes([before[-100] ^ 1]) + before[-99:])
    elif damage == "truncated":
        graph.write_bytes(before[:1000])
    elif damage == "tokenizer":
        tokenizer = next(graphs.glob("*/tokenizer-*.json"))
        tokenizer.write_text(tokenizer.read_text(encoding="utf-8").replace('"cat"', '"tac"'), encoding="utf-8")
    elif damage == "gone":
        graph.unlink()
    elif damage == "json":
        made.write_text("{", encoding="utf-8")
    else:
        monkeypatch.setattr(kept_graph, "EXPORT_VERSION", "of tomorrow")
    encoder = open_encoder(str(tiny_encoder), home=graphs.parent, runtime="onnx")
    assert encoder.encode(["a cat"]) == pytest.approx(open_encoder(str(tiny_encoder)).encode(["a cat"]), abs=1e-5)
    assert _only(graphs, ".onnx").stat().st_size == len(before)
    assert {path.suffix for path in graphs.glob("*/*")} == {".onnx", ".json", ""}  # nothing half-written is left


def test_two_at_once_make_it_once(tmp_path: Path, tiny_encoder: Path, monkeypatch: Any) -> None:
    made: list[int] = []
    make = kept_graph._make
    monkeypatch.setattr(kept_graph, "_make", lambda *given: (made.append(1), make(*given))[1])
    with ThreadPoolExecutor(2) as pool:
        vectors = list(pool.map(lambda _: open_encoder(str(tiny_encoder), home=tmp_path).encode(["a cat"]), range(2)))
    assert len(made) == 1
    assert (vectors[0] == vectors[1]).all()


# Refused ------------------------------------------------------------------------------------------------
def _wrong(export: Any) -> Any:
    """An export with one weight changed a little."""

    def changed(encoder: Any) -> Any:
        import onnx

        content, tokenizer = export(encoder)
        graph = onnx.load_from_string(content)
        weights = next(one for one in graph.graph.initializer if one.name.endswith("word_embeddings.weight"))
        values = np.array(onnx.numpy_helper.to_array(weights))
        values += np.float32(0.01) * np.sign(values)
        weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
        return graph.SerializeToString(), tokenizer

    return changed


def test_a_graph_with_other_vectors_is_refused_and_the_refusal_remembered(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(kept_graph, "export", _wrong(kept_graph.export))
    encoder = open_encoder(str(tiny_encoder), home=tmp_path)
    assert (encoder.encode(["a cat"]) == open_encoder(str(tiny_encoder)).encode(["a cat"])).all()
    runtime = runtime_of(encoder)
    assert runtime is not None
    assert runtime.name == "torch"
    assert "differs from torch by" in runtime.note
    assert not list(tmp_path.glob("encoders/*/*.onnx"))
    monkeypatch.setattr(kept_graph, "export", lambda *_: pytest.fail("tried again"))
    assert _runtime(tiny_encoder, tmp_path).note == runtime.note
    with pytest.raises(ModelError, match=r"differs from torch by .* MATCHGRAPH_ENCODER_RUNTIME") as caught:
        open_encoder(str(tiny_encoder), home=tmp_path, runtime="onnx").encode(["a cat"])
    assert "\n" not in str(caught.value)


def test_an_encoder_with_a_prompt_of_its_own_stays_on_torch(tmp_path: Path, tiny_encoder: Path) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "prompted")
    file = tmp_path / "prompted" / "config_sentence_transformers.json"
    said = json.loads(file.read_text(encoding="utf-8")) | {"prompts": {"q": "a dog "}, "default_prompt_name": "q"}
    file.write_text(json.dumps(said), encoding="utf-8")
    assert _runtime(tmp_path / "prompted", tmp_path) == Runtime("torch", "it puts a prompt before each text")


def test_without_onnxruntime_it_is_torch_and_says_so(tmp_path: Path, tiny_encoder: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(kept_graph, "missing_package", lambda: "onnxruntime")
    assert _runtime(tiny_encoder, tmp_path) == Runtime("torch", "onnxruntime is not installed")
    with pytest.raises(ModelError, match="onnxruntime is not installed"):
        _runtime(tiny_encoder, tmp_path, "onnx")


def test_where_nothing_can_be_kept_it_is_torch(tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "encoders").write_text("in the way", encoding="utf-8")
    assert "cannot be kept" in _runtime(tiny_encoder, tmp_path).note


def test_torch_is_taken_where_it_is_asked_for_or_there_is_no_home(tmp_path: Path, tiny_encoder: Path) -> None:
    assert _runtime(tiny_encoder, tmp_path, "torch") == Runtime("torch")
    assert not (tmp_path / "encoders").exists()
    assert runtime_of(open_encoder(str(tiny_encoder))) == Runtime("torch")
    with pytest.raises(ModelError, match="kept in a home"):
        open_encoder(str(tiny_encoder), runtime="onnx")


def test_damaged_weights_are_an_error_in_both(tmp_path: Path, tiny_encoder: Path) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "broken")
    weights = tmp_path / "broken" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_encoder(str(tmp_path / "broken"), home=tmp_path).encode(["a cat"])


# Through the house --------------------------------------------------------------------------------------
def test_a_build_says_which_it_took_and_serves_the_other(
    home: Home, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_small(home)
    for runtime, ran in (("auto", "onnxruntime"), ("torch", "torch")):
        chosen = Settings(home=home.path, encoder=str(tiny_encoder), encoder_runtime=runtime)
        own = Home(home.path, home.store, chosen, home.keys)
        answer = build_response(own, "open", probe=False, budget_s=None, on_progress=lambda _: None)
        assert (answer.encoder.name, answer.encoder.runtime, answer.encoder.note) == ("tiny", ran, "")
        assert answer.unchanged == (runtime == "torch")  # the digest is of the weights, not of the runtime
        for other in ("onnx", "torch"):
            encoder = open_encoder(str(tiny_encoder), home=home.path, runtime=other)
            assert open_snapshot(home.snapshots, encoder=encoder.info).id == answer.snapshot


def test_the_sample_has_what_may_go_wrong() -> None:
    lengths = [len(text) for text in SAMPLE]
    assert min(lengths) == 0
    assert len(SAMPLE) > 2 * BATCH  # several batches, the last one smaller
    assert len(SAMPLE) % BATCH
    assert sum(length > 1_000 for length in lengths) >= 3
