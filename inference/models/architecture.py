"""The architecture of a model whose weights are not at hand: its configuration, or the library's default for it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from graph.artifacts import Artifact
from graph.digest import digest_of
from graph.errors import ModelError
from inference.models.architectures import label_names, task_of_architecture
from inference.models.files import list_files, read_json
from inference.models.locate import Located

Origin = Literal["config.json", "library default"]
TABLE: Final = Path(__file__).with_name("known_architectures.json")
_CONFIGS: Final = ("config.json", "transformer/config.json", "unet/config.json")
_LARGEST_CONFIG_BYTES: Final = 1 << 20
_CODE: Final = ("auto_map", "custom_pipelines")


@dataclass(frozen=True)
class Architecture:
    """What a model is built from when no weights are at hand.

    `config` is what its config.json says; `origin` whether the publisher wrote that or the library's default stands in
    for it. `parameters` is the count of the committed table, None where nobody has counted yet, and
    `groups` that of its parts by their name in the tensors' names ("attention").
    """

    name: str
    library: str
    class_name: str
    config: Mapping[str, Any] = field(repr=False)
    origin: Origin
    parameters: int | None = None
    published: str = ""
    source: str = ""
    groups: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """The same for the same configuration, wherever it was read."""
        return digest_of([self.library, self.class_name, dict(self.config)])

    @property
    def task(self) -> str | None:
        """`domain.task` of its class; None for one part of a pipeline."""
        if self.library == "diffusers":
            return None
        model_type = self.config.get("model_type")
        return task_of_architecture(self.class_name, model_type if isinstance(model_type, str) else None)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its output classes, where its configuration gives them."""
        return label_names(self.config)


def find_architecture(artifact: Artifact, located: Located) -> Architecture | None:
    """The architecture of an artifact without weights: from its config.json, else from the table; None where neither.

    Only an artifact that names a table's hub id as its weights gets the library's default: one of the same family may
    be another model.
    """
    if located.path is not None:
        return read_architecture(located.path)
    hub_id = artifact.weights.hub_id
    return known_architectures().get(hub_id.casefold()) if hub_id is not None else None


def read_architecture(folder: Path) -> Architecture | None:
    """The architecture that a folder's configuration describes; None where it names no class or cannot be read."""
    try:
        listing = list_files(folder)
        for name in _CONFIGS:
            file = listing.named(name)
            config = read_json(file, _LARGEST_CONFIG_BYTES) if file is not None else {}
            found = _from_config(folder.name, config)
            if found is not None:
                return found
    except ModelError:  # its facts say what is wrong with it
        return None
    return None


def _from_config(name: str, config: Mapping[str, Any]) -> Architecture | None:
    """An architecture of transformers (`architectures`, `model_type`) or of diffusers (`_class_name`), or None."""
    plain = {key: value for key, value in config.items() if key not in _CODE}
    names, part = config.get("architectures"), config.get("_class_name")
    if isinstance(part, str):
        return Architecture(name, "diffusers", part[:200], plain, "config.json")
    if isinstance(config.get("model_type"), str) and isinstance(names, list) and names and isinstance(names[0], str):
        return Architecture(name, "transformers", names[0][:200], plain, "config.json")
    return None


@functools.cache
def known_architectures() -> dict[str, Architecture]:
    """The committed table by hub id in lower case: models that are the library's default but for the named changes.

    `published` is what the publisher says of its size, and `source` where; a test holds the two together.
    """
    rows = json.loads(TABLE.read_text(encoding="utf-8"))
    return {row["hub_id"].casefold(): _from_row(row) for row in rows}


def _from_row(row: Mapping[str, Any]) -> Architecture:
    library = row.get("library", "transformers")
    changes = dict(row["changes"])
    if library == "diffusers":
        config = {"_class_name": row["class"], **changes}
    else:
        config = {"model_type": row["model_type"], "architectures": [row["class"]], **_named_labels(changes)}
    return Architecture(
        row["hub_id"], library, row["class"], config, "library default", row["parameters"], row["published"],
        row["source"], {part: row[part] for part in ("attention",) if part in row},
    )  # fmt: skip


def _named_labels(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes as a config.json writes them: a number of labels as a table of their names."""
    count = changes.pop("num_labels", None)
    named = {str(number): f"LABEL_{number}" for number in range(count or 0)}
    return changes | ({"id2label": named} if named else {})


def family_note(artifact: Artifact) -> str:
    """What is known of the open models of an artifact's family, one line; "" where it is not in the table.

    A note and never a verdict: a model whose own weights are not public may differ from its family.
    """
    rows = json.loads(TABLE.read_text(encoding="utf-8"))
    row = next((row for row in rows if row.get("family") and row["family"] == artifact.family), None)
    if row is None:
        return ""
    billions = row["parameters"] / 1e9
    return (
        f"the open {row['hub_id']} of its family has a transformer of {billions:.1f} B parameters (library default); "
        "that decides nothing about other weights"
    )


def stage_architecture(architecture: Architecture, folder: Path) -> None:
    """Write the configuration as config.json into a new folder, all that a child sees of an architecture.

    Raises
    ------
    ModelError
        The scratch folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, mode=0o755)
        file = folder / "config.json"
        file.write_text(json.dumps(dict(architecture.config)), encoding="utf-8")
        file.chmod(0o444)
    except OSError as error:
        raise ModelError(f"scratch folder: {error.strerror or error}: check that the disk has room") from error
