"""Hostile configurations and files: numbers nobody has memory for, JSON that is none, links, pipes, odd names."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import zipfile
from pathlib import Path

from hostile_base import (
    NO_WEIGHTS,
    NORMAL,
    NOT_LOADED,
    NOT_RUNNABLE,
    REFUSED,
    STOPPED,
    case,
    honest,
    sparse,
    with_config,
)


# Numbers nobody has memory for --------------------------------------------------------------------------
@case("unsafe_refused", REFUSED)
def a_million_layers(folder: Path) -> None:
    with_config(folder, num_hidden_layers=1_000_000)


@case("unsafe_refused", REFUSED)
def hidden_size_of_a_billion(folder: Path) -> None:
    with_config(folder, hidden_size=1_000_000_000)


@case("unsafe_refused", REFUSED)
def vocabulary_of_a_billion(folder: Path) -> None:
    with_config(folder, vocab_size=1_000_000_000)


@case("unsafe_refused", REFUSED)
def positions_without_end(folder: Path) -> None:
    with_config(folder, max_position_embeddings=10**12)


@case("unsafe_refused", REFUSED)
def numbers_far_beyond_the_files(folder: Path) -> None:
    with_config(folder, hidden_size=65_536, num_hidden_layers=900, vocab_size=1_000_000)


@case("unsafe_refused", REFUSED)
def number_of_a_thousand_digits(folder: Path) -> None:
    with_config(folder, num_hidden_layers=10**1_000)


@case("unsafe_refused", REFUSED)
def ten_million_labels(folder: Path) -> None:
    with_config(folder, num_labels=10_000_000)


@case("unsafe_refused", REFUSED)
def picture_of_a_million_pixels_a_side(folder: Path) -> None:
    with_config(folder, image_size=1_000_000)


@case("unsafe_refused", REFUSED)
def list_of_a_hundred_thousand_layers(folder: Path) -> None:
    with_config(folder, hidden_sizes=[32] * 100_000)


@case(None, (*NOT_LOADED, *STOPPED), cheap=False)
def as_many_layers_as_are_read(folder: Path) -> None:
    with_config(folder, num_hidden_layers=1_000)


@case(None, (*NOT_LOADED, *STOPPED))
def positions_that_fill_the_memory(folder: Path) -> None:
    with_config(folder, max_position_embeddings=1 << 24)


# JSON that is none, or too much of it -------------------------------------------------------------------
@case("unsafe_refused", REFUSED)
def json_nested_deeply(folder: Path) -> None:
    honest(folder)
    (folder / "config.json").write_bytes(b'{"a":' * 100_000)


@case("unsafe_refused", REFUSED)
def json_of_a_gigabyte(folder: Path) -> None:
    honest(folder)
    sparse(folder / "config.json", 1 << 30, b"{")


@case("load_failed", NOT_LOADED)
def config_is_a_list(folder: Path) -> None:
    honest(folder)
    (folder / "config.json").write_text("[1, 2]")


@case("load_failed", NOT_LOADED)
def config_is_not_text(folder: Path) -> None:
    honest(folder)
    (folder / "config.json").write_bytes(bytes(range(256)))


@case(None, (*NOT_LOADED, ("unverifiable", "missing_dependency")))
def model_type_that_nobody_knows(folder: Path) -> None:
    with_config(folder, model_type="nonesuch", architectures=["NonesuchForSequenceClassification"])


@case(None, (*NOT_LOADED, ("unverifiable", "missing_dependency")))
def class_that_is_no_model(folder: Path) -> None:
    with_config(folder, architectures=["pipeline"])


@case(None, (*NORMAL, *NOT_LOADED, ("error", "crashed")))
def fields_of_the_wrong_kind(folder: Path) -> None:
    with_config(folder, id2label={"0": ["x"], "x": 1}, problem_type=7, torch_dtype={"a": 1}, label2id="no")


@case("unsafe_refused", REFUSED)
def tokenizer_of_a_gigabyte(folder: Path) -> None:
    honest(folder)
    sparse(folder / "tokenizer.json", 1 << 30, b"{")


@case("unsafe_refused", REFUSED)
def tokenizer_nested_deeply(folder: Path) -> None:
    honest(folder)
    (folder / "tokenizer.json").write_bytes(b"[" * 1_000_000)


@case(None, NORMAL, cheap=False)
def tokenizer_with_a_pattern_that_never_ends(folder: Path) -> None:
    honest(folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    pattern = {"Regex": r"((\w+\s?)+)+#$"}
    tokenizer["pre_tokenizer"] = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


@case(None, NORMAL, cheap=False)
def tokenizer_with_200_thousand_words(folder: Path) -> None:
    honest(folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    tokenizer["added_tokens"] = [{"id": 10_000 + n, "content": f"w{n}", **flags} for n in range(200_000)]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


@case(None, NORMAL)
def words_that_move_the_cursor(folder: Path) -> None:
    with_config(folder, id2label={"0": "\x1b[2Jcode\u202e", "1": "prose\x00\n"}, label2id={})


@case(None, NORMAL)
def chat_template_that_never_ends(folder: Path) -> None:
    honest(folder)
    (folder / "chat_template.jinja").write_text("{% for a in range(10**9) %}{{ ''.__class__.__mro__ }}{% endfor %}")


# Files that are not what they seem, or lie elsewhere ----------------------------------------------------
@case("unsafe_refused", REFUSED)
def shard_index_out_of_the_folder(folder: Path) -> None:
    honest(folder.parent / f"{folder.name}-other")
    honest(folder)
    (folder / "model.safetensors").unlink()
    name = f"../{folder.name}-other/model.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": name}}))


@case("unsafe_refused", REFUSED)
def shard_index_with_backslashes(folder: Path) -> None:
    honest(folder)
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "..\\part.safetensors"}}))


@case("no_weights", NO_WEIGHTS)
def shard_index_of_absent_shards(folder: Path) -> None:
    honest(folder)
    (folder / "model.safetensors").unlink()
    shards = {f"w{n}": f"model-{n:05}-of-00009.safetensors" for n in range(1, 10)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


@case("unsafe_refused", REFUSED)
def weights_named_elsewhere(folder: Path) -> None:
    with_config(folder, transformers_weights="../secret.safetensors")


@case("unsafe_refused", REFUSED)
def link_out_of_the_folder(folder: Path) -> None:
    honest(folder)
    (folder.parent / f"{folder.name}-other").write_text("a secret")
    (folder / "vocab.txt").symlink_to(folder.parent / f"{folder.name}-other")


@case("unsafe_refused", REFUSED)
def link_to_a_folder_outside(folder: Path) -> None:
    honest(folder)
    other = folder.parent / f"{folder.name}-other"  # of its own: nobody's attack may hit a folder of the system
    other.mkdir()
    (other / "config.json").write_text("{}")
    (folder / "more").symlink_to(other)


@case("no_weights", NO_WEIGHTS)
def link_to_itself(folder: Path) -> None:
    honest(folder)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("model.safetensors")


@case("no_weights", NO_WEIGHTS)
def pipe_for_weights(folder: Path) -> None:
    honest(folder)
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")


@case("not_runnable", NOT_RUNNABLE)
def socket_for_the_config(folder: Path) -> None:
    honest(folder)
    (folder / "config.json").unlink()
    before = Path.cwd()
    os.chdir(folder)  # a socket's path may have 107 bytes only
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("config.json")
    finally:
        os.chdir(before)


@case(None, NORMAL)
def device_beside_the_weights(folder: Path) -> None:
    honest(folder)
    with contextlib.suppress(PermissionError):  # only root makes devices: else it stays honest
        os.mknod(folder / "device.safetensors", stat.S_IFCHR | 0o666, os.makedev(1, 5))


@case(None, NORMAL)
def folders_thirty_deep(folder: Path) -> None:
    honest(folder)
    deep = folder.joinpath(*["x"] * 30)
    deep.mkdir(parents=True)
    (deep / "model.safetensors").write_bytes(b"x")


@case("unsafe_refused", REFUSED)
def eleven_thousand_files(folder: Path) -> None:
    honest(folder)
    (folder / "a").mkdir()
    for number in range(11_000):
        (folder / "a" / f"{number}.json").touch()


@case(None, NORMAL)
def names_that_are_no_text(folder: Path) -> None:
    honest(folder)
    for name in (b"\xff\xfe.json", b"two\nlines.json", b"\x1b[2J.safetensors", "\u202egnp.json".encode()):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_text("{}")


@case("load_failed", NOT_LOADED)
def zip_bomb_for_weights(folder: Path) -> None:
    honest(folder)
    with zipfile.ZipFile(folder / "model.safetensors", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("data.pkl", bytes(50_000_000))


@case("not_runnable", NOT_RUNNABLE)
def zip_bomb_for_another_library(folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(folder / "model.keras", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("config.json", bytes(50_000_000))


@case("not_runnable", NOT_RUNNABLE)
def onnx_with_data_elsewhere(folder: Path) -> None:
    from onnx import TensorProto, helper, save_model

    folder.mkdir()
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [4], bytes(16), raw=True)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../secret"), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    save_model(helper.make_model(helper.make_graph([], "g", [], [], [tensor])), folder / "model.onnx")


@case(None, NORMAL)
def second_weights_that_are_broken(folder: Path) -> None:
    honest(folder)
    (folder / "model.fp16.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")


@case(None, NORMAL)
def folder_that_cannot_be_read(folder: Path) -> None:
    honest(folder)
    (folder / "more").mkdir()
    (folder / "more" / "model.safetensors").write_bytes(b"x")
    (folder / "more").chmod(0)  # root reads it all the same
