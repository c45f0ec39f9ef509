"""The committed tables of known things: models of the examples (safe to run), labelled sets (declared by nobody).

`python -m inference.models.known` writes both anew from `examples/` and the package of all-MiniLM-L6-v2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"


def compute_known_models(examples: Path = EXAMPLES) -> dict[str, str]:
    """The table of known models as the files now are: digest to name, sorted by name."""
    from graph.artifacts import Artifact, Source, Weights
    from inference.ground import survey
    from inference.models.digests import FileDigests
    from inference.models.facts import looks_like_model
    from inference.models.locate import MINILM, packaged_minilm

    folders = {folder.name: folder for folder in (examples / "models").glob("*") if looks_like_model(folder)}
    packaged = packaged_minilm()
    if packaged is not None:
        folders[MINILM] = packaged
    table = {}
    for name, folder in sorted(folders.items()):
        source = Source(kind="model", file=name)
        artifact = Artifact(id=name, slug="x", name=name, weights=Weights(path=str(folder)), source=source)
        ground = survey(artifact, frozenset(), FileDigests())
        if ground.model is not None:
            table[ground.model.digest] = name
    return table


def compute_known_data(examples: Path = EXAMPLES) -> dict[str, str]:
    """The table of known labelled sets as the files now are: content digest to name, built-in ones first."""
    from inference.data.sets import BUILT_IN, built_in, open_data

    sets = [built_in(name) for name in BUILT_IN]
    sets += [open_data(file.stem, file) for file in sorted((examples / "data").glob("*.csv"))]
    return {data.digest: data.name for data in sets}


def write_tables() -> None:
    """Write both tables anew."""
    from inference.data.sets import KNOWN_FILE
    from inference.ground import MODELS_FILE

    for file, table in ((MODELS_FILE, compute_known_models()), (KNOWN_FILE, compute_known_data())):
        file.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        sys.stdout.write(f"{file.name}: {', '.join(table.values())}\n")


if __name__ == "__main__":
    write_tables()
