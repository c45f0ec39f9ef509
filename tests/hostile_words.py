"""Hostile words in configurations, vocabularies and headers: names of code, of other folders, of other libraries."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from hostile_base import (
    NORMAL,
    NOT_LOADED,
    NOT_RUNNABLE,
    REFUSED,
    STOPPED,
    Ends,
    case,
    code,
    honest,
    pipeline,
    with_config,
)
from safetensors.numpy import load_file, save_file

POOLING = "sentence_transformers.models.Pooling"
TRANSFORMER = "sentence_transformers.models.Transformer"
NO_LIBRARY: Ends = (("unverifiable", "missing_dependency"),)


def write(folder: Path, name: str, content: Any) -> None:
    """A file of the model: text as it is, anything else as JSON."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def with_file(folder: Path, name: str, **fields: Any) -> None:
    honest(folder)
    before = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
    write(folder, name, before | fields)


def with_modules(folder: Path, *modules: dict[str, str]) -> None:
    honest(folder)
    write(folder, "modules.json", [{"idx": n, "name": str(n), "path": "", **one} for n, one in enumerate(modules)])


def with_tensors(folder: Path, **entries: Any) -> None:
    """The honest weights with more entries in their header."""
    honest(folder)
    data = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    text = json.dumps(json.loads(data[8 : 8 + length]) | entries).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def nothing(*shape: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 0]}


# Words that are judged as a whole, however they begin -----------------------------------------------------
@case("unsafe_refused", REFUSED)
def module_whose_path_leads_out_after_a_long_way(folder: Path) -> None:
    path = "a" * 120 + "/../../../../other"
    with_modules(folder, {"type": TRANSFORMER}, {"type": POOLING, "path": path})


@case("unsafe_refused", REFUSED)
def module_that_is_another_library(folder: Path) -> None:
    with_modules(folder, {"type": "sentence_transformers.base.model.pickle"})


@case("unsafe_refused", REFUSED)
def module_that_is_a_function(folder: Path) -> None:
    with_modules(folder, {"type": "sentence_transformers.util.http_get"})


@case("unsafe_refused", REFUSED)
def module_with_a_long_beginning(folder: Path) -> None:
    with_modules(folder, {"type": "sentence_transformers." + "a" * 78 + ".os.abort"})


@case("unsafe_refused", REFUSED)
def activation_with_a_long_beginning(folder: Path) -> None:
    with_modules(folder, {"type": TRANSFORMER}, {"type": "sentence_transformers.models.Dense", "path": "1_Dense"})
    function = "torch.nn." + "a" * 91 + ".os-abort"
    write(folder, "1_Dense/config.json", {"in_features": 2, "out_features": 2, "activation_function": function})


@case("unsafe_refused", REFUSED)
def attention_with_a_long_beginning(folder: Path) -> None:
    with_config(folder, text_config={"attn_implementation": "x" * 120 + "/kernel"})


@case("unsafe_refused", REFUSED)
def experts_from_the_hub(folder: Path) -> None:
    with_config(folder, experts_implementation="stranger/kernel")


@case("unsafe_refused", REFUSED)
def keys_that_move_the_cursor(folder: Path) -> None:
    with_config(folder, **{"\x1b[2J\u202e\nhidden_size": 10**12})


@case("not_runnable", NOT_RUNNABLE)
def adapter_whose_base_moves_the_cursor(folder: Path) -> None:
    folder.mkdir()
    write(folder, "adapter_config.json", {"base_model_name_or_path": "\x1b[2J\u202ebase\n", "peft_type": "LORA"})
    save_file({"w": np.zeros(4, np.float32)}, folder / "adapter_model.safetensors")


# Other libraries, other folders, other classes --------------------------------------------------------------
@case(None, NORMAL)
def module_that_loads_itself(folder: Path) -> None:
    with_modules(folder, {"type": "sentence_transformers.SentenceTransformer"})


@case(None, NORMAL)
def modules_behind_a_router(folder: Path) -> None:
    with_modules(folder, {"type": "sentence_transformers.models.Router", "path": "r"})
    write(folder, "r/router_config.json", {"types": {"a": "os.system"}, "structure": {"q": ["a"]}, "parameters": {}})


@case(None, NORMAL)
def sentence_settings_that_trust_everyone(folder: Path) -> None:
    with_modules(folder, {"type": TRANSFORMER})
    everyone = {"trust_remote_code": True, "weights_only": False, "use_safetensors": False}
    write(folder, "sentence_bert_config.json", {"model_args": everyone, "config_args": everyone})


@case(None, NO_LIBRARY)
def quantized_by_another_library(folder: Path) -> None:
    with_config(folder, quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True})


@case(None, (*NO_LIBRARY, *NOT_LOADED))
def attention_by_another_library(folder: Path) -> None:
    with_config(folder, attn_implementation="flash_attention_2")


@case(None, NOT_LOADED)
def backbone_of_another_folder(folder: Path) -> None:
    with_config(folder, model_type="detr", architectures=["DetrForObjectDetection"], backbone="../other",
                use_timm_backbone=False, use_pretrained_backbone=True)  # fmt: skip


@case(None, (*NOT_LOADED, *STOPPED), cheap=False)
def retriever_of_another_folder(folder: Path) -> None:
    parts = {"question_encoder": {"model_type": "dpr"}, "generator": {"model_type": "bart"}}
    with_config(folder, model_type="rag", architectures=["RagModel"], index_path="/proc/1", **parts)


@case(None, NORMAL)
def tokenizer_with_code_of_its_own(folder: Path) -> None:
    with_file(folder, "tokenizer_config.json", tokenizer_class="Mine", auto_map={"AutoTokenizer": ["m.Mine", "m.Mine"]},
              vocab_file="/proc/1/environ", tokenizer_file="/proc/1/environ", trust_remote_code=True)  # fmt: skip
    write(folder, "m.py", code(folder))


@case(None, NORMAL)
def processors_with_code_of_their_own(folder: Path) -> None:
    honest(folder)
    for name in ("processor_config.json", "preprocessor_config.json"):
        write(folder, name, {"auto_map": {"AutoProcessor": "m.M", "AutoImageProcessor": "m.M"}})
    write(folder, "m.py", code(folder))


@case(None, NORMAL)
def words_that_loaders_know(folder: Path) -> None:
    with_config(folder, gguf_file="../x", use_safetensors=False, weights_only=False, trust_remote_code=True,
                subfolder="../..", variant="../x", device_map="auto", _name_or_path="http://127.0.0.1/")  # fmt: skip


@case(None, NOT_LOADED)
def numbers_of_a_type_that_is_code(folder: Path) -> None:
    with_config(folder, dtype="serialization", torch_dtype="serialization")


@case(None, (*NOT_LOADED, *NO_LIBRARY))
def class_that_is_no_text(folder: Path) -> None:
    with_config(folder, architectures=[["x"], {"a": 1}])


@case(None, NOT_LOADED)
def fields_named_like_methods(folder: Path) -> None:
    with_config(folder, get_text_config=5, to_dict="x", attribute_map={"hidden_size": "hidden_size"})


@case(None, NORMAL)
def tuples_instead_of_names(folder: Path) -> None:
    with_config(folder, torchscript=True, return_dict=False)


@case(None, NOT_LOADED)
def ninety_thousand_labels(folder: Path) -> None:
    with_config(folder, id2label={str(number): "x" * 20 for number in range(90_000)}, label2id={})


@case(None, NOT_LOADED)
def component_under_a_private_name(folder: Path) -> None:
    pipeline(folder, {"_mine": ["os", "system"], "_name_or_path": "../other"})


@case(None, NOT_LOADED)
def pipeline_in_a_pipeline(folder: Path) -> None:
    pipeline(folder, {"inner": ["diffusers", "DDPMPipeline"]})
    write(folder, "inner/model_index.json", {"_class_name": "DDPMPipeline", "unet": ["os", "system"]})
    save_file({"w": np.zeros(4, np.float32)}, folder / "inner" / "model.safetensors")


# Headers and vocabularies that the library's own reader lets pass --------------------------------------------
@case(None, NORMAL)
def tensor_of_nothing_with_huge_sides(folder: Path) -> None:
    with_tensors(folder, z=nothing(0, 1 << 61, 1 << 61))


@case(None, NOT_LOADED)
def notes_that_are_no_text(folder: Path) -> None:
    with_tensors(folder, __metadata__={"format": "pt", "x": {"a": [1]}})


@case(None, NORMAL)
def notes_of_twenty_megabytes(folder: Path) -> None:
    with_tensors(folder, __metadata__={"format": "pt", "x": "a" * 20_000_000})


@case(None, NORMAL)
def tensors_with_odd_names(folder: Path) -> None:
    with_tensors(folder, **{name: nothing(0) for name in ("\x1b[2J", "../../x", "__class__", "", ".", "a" * 100_000)})


@case(None, (*NORMAL, *STOPPED), cheap=False)
def a_hundred_thousand_empty_tensors(folder: Path) -> None:
    with_tensors(folder, **{f"z{number}": nothing(0) for number in range(100_000)})


@case(None, NORMAL)
def shards_that_hold_the_same_tensors(folder: Path) -> None:
    honest(folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for number, name in enumerate(names, 1):
        save_file({key: tensor * number for key, tensor in weights.items()}, folder / name, metadata={"format": "pt"})
    table = {key: names[place % 2] for place, key in enumerate(sorted(weights))}
    write(folder, "model.safetensors.index.json", {"metadata": {}, "weight_map": table})


@case(None, NORMAL)
def normalizer_that_doubles_forty_times(folder: Path) -> None:
    rule = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    with_file(folder, "tokenizer.json", normalizer={"type": "Sequence", "normalizers": [rule] * 40})


@case(None, NORMAL, cheap=False)
def text_of_200_thousand_copies(folder: Path) -> None:
    piece, other = ({"Sequence": {"id": which, "type_id": 0}} for which in "AB")
    shape = {"type": "TemplateProcessing", "single": [piece] * 200_000, "pair": [piece, other], "special_tokens": {}}
    with_file(folder, "tokenizer.json", post_processor=shape)


@case(None, NORMAL, cheap=False)
def a_million_merges(folder: Path) -> None:
    letters = {chr(33 + number): number for number in range(90)}
    merges = [[chr(33 + number % 90), chr(33 + number // 90 % 90)] for number in range(1_000_000)]
    with_file(folder, "tokenizer.json", model={"type": "BPE", "vocab": letters, "merges": merges})
