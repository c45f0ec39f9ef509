"""Make the negative control: the digits model with its weights shuffled and its card kept.

Run from the root of the repository (under a second, no network)::

    python examples/train/digits_mobilevit_shuffled.py \
        --source examples/models/digits-mobilevit --output examples/models/digits-mobilevit-shuffled

Every tensor keeps its shape and its values but not their order, so size, parameters, labels and the
card's claims are those of the honest model, and only running it tells the two apart. The order depends
on the seed alone: the same source gives the same bytes everywhere.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

NOTICE = """
## Negative control

Not the model it says it is: the weights were shuffled on purpose by
`examples/train/digits_mobilevit_shuffled.py` and the text above was left as it was. It exists to test
whether a check that runs the model notices.
"""


def shuffle_weights(tensors: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Return the tensors with the values of each in random order; names, shapes and dtypes stay."""
    draw = np.random.default_rng(seed)
    return {name: draw.permutation(tensors[name].reshape(-1)).reshape(tensors[name].shape) for name in sorted(tensors)}


def main() -> None:
    """Copy the source's files, with shuffled weights and a notice at the end of the card."""
    parser = argparse.ArgumentParser(description="Make the shuffled twin of the digits model.")
    parser.add_argument("--source", type=Path, required=True, help="directory of the honest model")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copyfile(arguments.source / name, arguments.output / name)
    weights = arguments.output / "model.safetensors"
    shuffled = shuffle_weights(load_file(arguments.source / "model.safetensors"), arguments.seed)
    save_file(shuffled, weights, metadata={"format": "pt"})
    card = (arguments.source / "README.md").read_text(encoding="utf-8")
    card = card.replace("digits-mobilevit", "digits-mobilevit-shuffled")
    (arguments.output / "README.md").write_text(card + NOTICE, encoding="utf-8")
    for path in arguments.output.iterdir():
        path.chmod(0o644)
    print(f"{len(shuffled)} tensors shuffled")
    print(f"model.safetensors sha256 {hashlib.sha256(weights.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
