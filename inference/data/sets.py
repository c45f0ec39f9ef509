"""Labelled sets, the room's one door: built in, from a CSV or parquet file, or from a folder of pictures by label."""

from inference.data.built_in import BUILT_IN, built_in
from inference.data.labelled import (
    KNOWN_FILE,
    Item,
    ItemKind,
    LabelledSet,
    digests_of,
    finished,
    known_sets,
    same_name,
    sample,
    shown_labels,
)
from inference.data.pictures import open_picture
from inference.data.read import open_data

__all__ = [
    "BUILT_IN", "KNOWN_FILE", "Item", "ItemKind", "LabelledSet", "built_in", "digests_of", "finished", "known_sets",
    "open_data", "open_picture", "same_name", "sample", "shown_labels",
]  # fmt: skip
