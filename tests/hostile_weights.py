"""Hostile weights: headers that lie, numbers that are none, pickles, and code where a model should be."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
from hostile_base import (
    NORMAL,
    NOT_FINITE,
    NOT_LOADED,
    NOT_RUNNABLE,
    REFUSED,
    case,
    code,
    entry,
    honest,
    pickled,
    pipeline,
    sparse,
    with_config,
    with_header,
    with_weights,
)
from safetensors.numpy import save_file


# Headers that lie --------------------------------------------------------------------------------------
@case("load_failed", NOT_LOADED)
def header_cut_off(folder: Path) -> None:
    honest(folder)
    os.truncate(folder / "model.safetensors", 100)


@case("load_failed", NOT_LOADED)
def data_cut_off(folder: Path) -> None:
    honest(folder)
    os.truncate(folder / "model.safetensors", (folder / "model.safetensors").stat().st_size - 4_096)


@case("load_failed", NOT_LOADED)
def offsets_beyond_the_file(folder: Path) -> None:
    with_header(folder, {"w": entry(0, 1 << 40)}, bytes(16))


@case("load_failed", NOT_LOADED)
def negative_offsets(folder: Path) -> None:
    with_header(folder, {"w": entry(-16, 0)}, bytes(16))


@case("load_failed", NOT_LOADED)
def overlapping_tensors(folder: Path) -> None:
    with_header(folder, {"a": entry(0, 16), "b": entry(8, 24)}, bytes(24))


@case("load_failed", NOT_LOADED)
def hidden_bytes_between_tensors(folder: Path) -> None:
    with_header(folder, {"a": entry(0, 16), "b": entry(1_016, 1_032)}, bytes(1_032))


@case("load_failed", NOT_LOADED)
def one_name_for_two_tensors(folder: Path) -> None:
    text = b'{"a": %s, "\\u0061": %s}' % (json.dumps(entry(0, 16)).encode(), json.dumps(entry(0, 16)).encode())
    with_header(folder, text, bytes(16))


@case("load_failed", NOT_LOADED)
def shape_that_overflows(folder: Path) -> None:
    with_header(folder, {"w": entry(0, 16, [1 << 33, 1 << 33])}, bytes(16))


@case("load_failed", NOT_LOADED)
def unknown_type_of_numbers(folder: Path) -> None:
    with_header(folder, {"w": entry(0, 16, dtype="F3")}, bytes(16))


@case("load_failed", NOT_LOADED, cheap=False)
def header_of_two_gigabytes(folder: Path) -> None:
    with_header(folder, b"{", length=2 << 30)
    sparse(folder / "model.safetensors", (2 << 30) + 8, struct.pack("<Q", 2 << 30) + b"{")


@case("load_failed", NOT_LOADED)
def header_nested_deeply(folder: Path) -> None:
    with_header(folder, b'{"a":' + b"[" * 500_000)


@case("load_failed", NOT_LOADED)
def no_tensor_at_all(folder: Path) -> None:
    with_header(folder, {})


@case("load_failed", NOT_LOADED)
def pointer_instead_of_weights(folder: Path) -> None:
    honest(folder)
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 377136\n"
    (folder / "model.safetensors").write_text(text)


@case("unsafe_refused", REFUSED)
def weights_of_200_gigabytes(folder: Path) -> None:
    honest(folder)
    sparse(folder / "model.safetensors", 200 << 30)


@case("load_failed", NOT_LOADED)
def gguf_with_lying_counts(folder: Path) -> None:
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60))


# Weights that are not what they should be ----------------------------------------------------------------
@case(None, (*NORMAL, *NOT_FINITE), runs=NOT_FINITE)
def weights_not_a_number(folder: Path) -> None:
    with_weights(folder, lambda weights: [tensor.fill(np.nan) for tensor in weights.values() if tensor.ndim == 2])


@case(None, (*NORMAL, *NOT_FINITE), runs=NOT_FINITE)
def weights_infinite(folder: Path) -> None:
    with_weights(folder, lambda weights: [tensor.fill(np.inf) for tensor in weights.values() if tensor.ndim == 2])


@case(None, (*NORMAL, *NOT_FINITE))
def weights_with_flipped_bits(folder: Path) -> None:
    honest(folder)
    data = bytearray((folder / "model.safetensors").read_bytes())
    draw = np.random.default_rng(0)
    for place in draw.integers(20_000, len(data), 2_000):
        data[place] ^= 1 << int(draw.integers(8))
    (folder / "model.safetensors").write_bytes(data)


@case(None, NOT_LOADED)
def missing_tensors(folder: Path) -> None:
    with_weights(folder, lambda weights: [weights.pop(name) for name in sorted(weights)[:5]])


@case(None, NORMAL)
def tensors_too_many(folder: Path) -> None:
    with_weights(folder, lambda weights: weights.update(unknown=np.zeros((64, 64), np.float32)))


@case(None, NOT_LOADED)
def tensors_of_another_shape(folder: Path) -> None:
    def change(weights: dict[str, np.ndarray]) -> None:
        name = next(name for name in sorted(weights) if weights[name].ndim == 2)
        weights[name] = weights[name][:, :3].copy()

    with_weights(folder, change)


# Pickles and code ---------------------------------------------------------------------------------------
@case("unsafe_refused", REFUSED)
def pickle_alone(folder: Path) -> None:
    honest(folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickled(folder))


@case(None, NORMAL)
def pickle_beside_safetensors(folder: Path) -> None:
    honest(folder)
    (folder / "pytorch_model.bin").write_bytes(pickled(folder))
    (folder / "training_args.bin").write_bytes(pickled(folder))


@case("load_failed", NOT_LOADED)
def pickle_named_safetensors(folder: Path) -> None:
    honest(folder)
    (folder / "model.safetensors").write_bytes(pickled(folder))


@case("unsafe_refused", REFUSED)
def pickled_shards(folder: Path) -> None:
    honest(folder)
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    (folder / "part.bin").write_bytes(pickled(folder))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "part.bin"}}))


@case("unsafe_refused", REFUSED)
def own_code_by_auto_map(folder: Path) -> None:
    with_config(folder, auto_map={"AutoModelForSequenceClassification": "modeling.Mine"})
    (folder / "modeling.py").write_text(code(folder))


@case("unsafe_refused", REFUSED)
def own_pipeline_by_auto_map(folder: Path) -> None:
    with_config(folder, custom_pipelines={"text-classification": {"impl": "pipeline.Mine", "pt": ["AutoModel"]}})
    (folder / "pipeline.py").write_text(code(folder))


@case(None, NORMAL)
def code_beside_the_model(folder: Path) -> None:
    honest(folder)
    for name in ("modeling_bert.py", "torch.py", "sitecustomize.py", "__init__.py"):
        (folder / name).write_text(code(folder))


@case("unsafe_refused", REFUSED)
def custom_diffusers_pipeline(folder: Path) -> None:
    pipeline(folder, {"_class_name": ["pipeline", "Mine"]})
    (folder / "pipeline.py").write_text(code(folder))


@case("unsafe_refused", REFUSED)
def component_from_another_library(folder: Path) -> None:
    pipeline(folder, {"scheduler": ["os", "system"]})


@case("unsafe_refused", REFUSED)
def component_with_code_for_a_class(folder: Path) -> None:
    pipeline(folder, {"unet": ["diffusers", "__import__('os').abort()"]})


@case("unsafe_refused", REFUSED)
def component_out_of_the_folder(folder: Path) -> None:
    pipeline(folder, {"../unet": ["diffusers", "UNet2DModel"]})


@case("unsafe_refused", REFUSED)
def attention_from_the_hub(folder: Path) -> None:
    with_config(folder, _attn_implementation="stranger/kernel")


@case("unsafe_refused", REFUSED)
def sentence_module_of_another_library(folder: Path) -> None:
    honest(folder)
    modules = [{"idx": 0, "name": "0", "path": "", "type": "subprocess.Popen"}]
    (folder / "modules.json").write_text(json.dumps(modules))


@case("unsafe_refused", REFUSED)
def activation_that_is_code(folder: Path) -> None:
    honest(folder)
    modules = [{"idx": 0, "name": "0", "path": "1_Dense", "type": "sentence_transformers.models.Dense"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Dense").mkdir()
    dense = {"in_features": 2, "out_features": 2, "activation_function": "os.abort"}
    (folder / "1_Dense" / "config.json").write_text(json.dumps(dense))


@case("not_runnable", NOT_RUNNABLE)
def adapter_without_its_base(folder: Path) -> None:
    folder.mkdir()
    adapter = {"base_model_name_or_path": "../../secrets", "peft_type": "LORA", "task_type": "SEQ_CLS"}
    (folder / "adapter_config.json").write_text(json.dumps(adapter))
    save_file({"w": np.zeros(4, np.float32)}, folder / "adapter_model.safetensors")


@case(None, NORMAL)
def adapter_beside_the_model(folder: Path) -> None:
    honest(folder)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/etc", "peft_type": "LORA"}))
