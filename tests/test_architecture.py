"""Architectures without weights: where they come from, and what they measure against what publishers say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from graph.artifacts import Artifact, Source, Weights
from inference.models.architecture import (
    Architecture,
    family_note,
    find_architecture,
    known_architectures,
    read_architecture,
    stage_architecture,
)
from inference.models.locate import Located
from inference.probes.architecture import ArchitectureProbe
from inference.probes.base import Measured, ProbeFailure, RunTask, Subject
from inference.probes.models import LARGEST_INITIALISED, initialised_model, made_up, main_output

MOBILEVIT = "apple/mobilevit-small"


def artifact(hub_id: str | None = None, family: str | None = None) -> Artifact:
    source = Source(kind="manifest", file="a.yml")
    return Artifact(id="a", slug="a", name="a", weights=Weights(hub_id=hub_id), family=family, source=source)


def measure(architecture: Architecture, folder: Path) -> Measured:
    stage_architecture(architecture, folder)
    probe = ArchitectureProbe()
    raw = probe.run(RunTask(folder, None, initialised=True))
    return probe.score(json.dumps(raw).encode(), None)


def number(measured: Measured, metric: str) -> float:
    return float(measured.all_of(metric)[0].value)


# Where it comes from ------------------------------------------------------------------------------------
def test_a_hub_id_of_the_table_has_the_librarys_default() -> None:
    found = find_architecture(artifact("Apple/MobileViT-small"), Located(None, "not here"))
    assert found is not None
    assert (found.origin, found.parameters, found.task) == ("library default", 5_578_632, "vision.image-classification")
    assert len(found.labels) == 1000


@pytest.mark.parametrize("hub_id", ["apple/mobilevit-x-small", "someone/mobilevit-small", None])
def test_no_other_model_gets_it(hub_id: str | None) -> None:
    assert find_architecture(artifact(hub_id), Located(None, "not here")) is None


def test_flux_pro_has_a_note_about_its_family_and_no_architecture() -> None:
    pro = artifact(family="flux")
    assert find_architecture(pro, Located(None, "its source names no weights")) is None
    assert "11.9 B" in family_note(pro)
    assert family_note(artifact(family="mobilevit")) == ""


def test_a_folder_with_a_configuration_only_is_read(tmp_path: Path, repository: Path) -> None:
    config = json.loads((repository / "examples/models/digits-mobilevit/config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Model"}}), "utf-8")
    found = find_architecture(artifact("someone/else"), Located(tmp_path))
    assert found is not None
    assert (found.origin, found.class_name) == ("config.json", "MobileViTForImageClassification")
    assert found.labels == tuple("0123456789")
    assert "auto_map" not in found.config
    (tmp_path / "config.json").write_text(json.dumps(config | {"image_size": 64}), "utf-8")
    assert read_architecture(tmp_path).digest != found.digest  # type: ignore[union-attr]


def test_the_transformer_of_a_pipeline_is_read(tmp_path: Path) -> None:
    (tmp_path / "transformer").mkdir()
    part = {"_class_name": "FluxTransformer2DModel", "num_layers": 1}
    (tmp_path / "transformer" / "config.json").write_text(json.dumps(part), "utf-8")
    found = read_architecture(tmp_path)
    assert found is not None
    assert (found.library, found.class_name, found.task) == ("diffusers", "FluxTransformer2DModel", None)


@pytest.mark.parametrize("config", ["{", "[]", '{"model_type": "vit"}', '{"architectures": [3], "model_type": "vit"}'])
def test_a_configuration_that_names_no_class_is_none(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config, "utf-8")
    assert read_architecture(tmp_path) is None
    assert read_architecture(tmp_path / "absent") is None


# What it measures ---------------------------------------------------------------------------------------
def printed(published: str) -> tuple[float, float]:
    """The number that was printed, and half a unit of its last digit."""
    scale = {"M": 1e6, "B": 1e9}.get(published[-1], 1.0)
    digits = published.rstrip("MB")
    return float(digits) * scale, 0.5 * scale * 10.0 ** -len(digits.partition(".")[2])


@pytest.mark.slow
@pytest.mark.parametrize("hub_id", sorted(known_architectures()))
def test_the_table_agrees_with_the_library_and_with_the_publisher(hub_id: str, tmp_path: Path) -> None:
    architecture = known_architectures()[hub_id]
    measured = measure(architecture, tmp_path / "model")
    assert number(measured, "parameters") == architecture.parameters
    value, half = printed(architecture.published)
    cut = 0 <= architecture.parameters - value < 2 * half  # "60M" of 60,506,624 is cut
    assert abs(architecture.parameters - value) <= half or cut
    control = measured.measurements[0].control
    assert control is not None
    assert control["passed"]
    if architecture.labels and "Classification" in architecture.class_name:
        assert number(measured, "labels") == len(architecture.labels)


@pytest.mark.slow
def test_a_configuration_measures_what_its_weights_hold(tmp_path: Path, repository: Path) -> None:
    model = repository / "examples/models/digits-mobilevit"
    held = load_file(model / "model.safetensors")
    trained = sum(value.size for name, value in held.items() if "running_" not in name and "num_batches" not in name)
    found = read_architecture(model)
    assert found is not None
    measured = measure(found, tmp_path / "model")
    assert (number(measured, "parameters"), number(measured, "labels")) == (trained, 10)
    wider = Architecture("wider", found.library, found.class_name,
                         {**found.config, "hidden_sizes": [32, 40, 56]}, "config.json")  # fmt: skip
    assert number(measure(wider, tmp_path / "wider"), "parameters") > trained


@pytest.mark.slow
def test_an_embedder_and_a_language_model_show_dimensions_and_context(tmp_path: Path) -> None:
    bert = {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 48, "num_attention_heads": 4,
            "num_hidden_layers": 1, "max_position_embeddings": 40}  # fmt: skip
    measured = measure(Architecture("b", "transformers", "BertModel", bert, "config.json"), tmp_path / "bert")
    assert (number(measured, "dimensions"), number(measured, "context")) == (48, 40)
    gpt2 = known_architectures()["openai-community/gpt2"]
    assert number(measure(gpt2, tmp_path / "gpt2"), "context") == 1024


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [{"architectures": ["logging"], "model_type": "vit"}, {"_class_name": "DDIMScheduler"}]
)
def test_what_is_no_model_is_not_built(names: dict[str, Any], tmp_path: Path) -> None:
    stage_architecture(Architecture("x", "transformers", "x", names, "config.json"), tmp_path / "model")
    with pytest.raises(ProbeFailure) as caught:
        ArchitectureProbe().run(RunTask(tmp_path / "model", None, initialised=True))
    assert caught.value.code == "missing_dependency"


@pytest.mark.slow
def test_initialised_weights_give_numbers_of_a_trained_models_size(tmp_path: Path) -> None:
    stage_architecture(known_architectures()[MOBILEVIT], tmp_path / "model")
    model = initialised_model(tmp_path / "model", seed=0)
    inputs = made_up(model, 2, tmp_path / "model", size="64x64")
    logits = main_output(model(**inputs)).detach().numpy()
    assert logits.shape == (2, 1000)
    assert 1e-2 < float(logits.std()) < 1e2  # the library's own initialisation gives 1e-40 here
    again = initialised_model(tmp_path / "model", seed=0)
    assert np.array_equal(logits, main_output(again(**inputs)).detach().numpy())


@pytest.mark.slow
def test_a_model_too_large_to_initialise_says_so(tmp_path: Path) -> None:
    stage_architecture(known_architectures()["black-forest-labs/flux.1-schnell"], tmp_path / "model")
    with pytest.raises(ProbeFailure, match=f"at most {LARGEST_INITIALISED:,}") as caught:
        initialised_model(tmp_path / "model", seed=0)
    assert caught.value.code == "oom"


def test_the_architecture_probe_is_for_absent_weights_only() -> None:
    probe = ArchitectureProbe()
    assert probe.cost_s(Subject(0, None, None, tier="architecture"), None) is not None
    assert probe.cost_s(Subject(10, 1, None), None) is None
    with pytest.raises(ValueError, match="no such metric"):
        probe.score(b'{"parameters": 1, "with_one_more": 2, "values": {"accuracy": 99}}', None)
    lying = probe.score(b'{"parameters": 5, "with_one_more": 5, "values": {}}', None)
    assert lying.measurements[0].control is not None
    assert not lying.measurements[0].control["passed"]


@pytest.mark.slow
@pytest.mark.parametrize("hub_id", sorted(name for name, found in known_architectures().items() if found.groups))
def test_the_parts_of_the_table_are_counted_on_the_meta_device(hub_id: str, tmp_path: Path) -> None:
    from inference.probes.models import build_on_meta

    architecture = known_architectures()[hub_id]
    stage_architecture(architecture, tmp_path / "model")
    tensors = list(build_on_meta(tmp_path / "model").named_parameters())
    names = {"attention": ("attention", "attn")}
    for part, count in architecture.groups.items():
        own = [tensor.numel() for name, tensor in tensors if any(word in name for word in names[part])]
        assert sum(own) == count
    assert sum(tensor.numel() for _, tensor in tensors) == architecture.parameters
