"""Open Model Zoo: a folder per model with its `model.yml`, and its `README.md` as the page about it.

A composite model is a folder without `model.yml` of its own whose parts have one each: it is one artifact, its parts
are named in its tags.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from graph.artifacts import Artifact, Capability, Source, slug_of
from graph.claims import Claim, Scope, Span, claim_id
from graph.errors import SourceError
from graph.taxonomy import OTHER, full_task, task_words
from indexer.passages import Passage
from indexer.placing import placed_passage, yaml_pieces
from indexer.sources.cards import first_paragraph
from indexer.sources.entry import ZOO_MODEL, Entry, rejected
from indexer.sources.findings import LONGEST_LINE, LONGEST_TEXT, clean_text
from indexer.sources.licenses import spdx_of, words_of_address
from indexer.sources.nodes import Node, read_documents, read_text
from indexer.sources.text_file import read_text_file

MODEL_FILE: Final = "model.yml"
COMPOSITIONS: Final = ("composition.yml", "composition*.yml")
_TASKS: Final = {
    "action_recognition": "video-classification", "background_matting": "image-segmentation",
    "classification": "image-classification", "colorization": "image-to-image", "detection": "object-detection",
    "face_recognition": "image-feature-extraction", "feature_extraction": "image-feature-extraction",
    "head_pose_estimation": "keypoint-detection", "human_pose_estimation": "keypoint-detection",
    "image_inpainting": "inpainting", "image_processing": "image-to-image", "image_translation": "image-to-image",
    "instance_segmentation": "image-segmentation", "machine_translation": "translation",
    "object_attributes": "image-classification", "optical_character_recognition": "image-to-text",
    "place_recognition": "image-feature-extraction", "salient_object_detection": "image-segmentation",
    "sound_classification": "audio-classification", "style_transfer": "image-to-image",
    "token_recognition": "image-to-text",
}  # fmt: skip
_PARTLY: Final = ("feature_extraction",)
"""What an encoder alone does: the other part says what the whole does."""
_LIBRARIES: Final = {
    "dldt": "OpenVINO", "pytorch": "PyTorch", "tf": "TensorFlow", "onnx": "ONNX", "caffe": "Caffe", "caffe2": "Caffe2",
    "mxnet": "MXNet", "keras": "Keras", "paddle": "PaddlePaddle",
}  # fmt: skip
_FORMATS: Final = {
    ".xml": "openvino", ".onnx": "onnx", ".pth": "pytorch", ".pt": "pytorch", ".pb": "tensorflow", ".h5": "keras",
    ".caffemodel": "caffe", ".tflite": "tflite", ".params": "mxnet", ".pdparams": "paddle",
    ".safetensors": "safetensors",
}  # fmt: skip
_WEIGHTS: Final = (*_FORMATS, ".bin", ".pkl")
_LEGAL: Final = re.compile(r"^#{1,4}\s*(?:Legal|License|Licence)[^\n]*$", re.MULTILINE | re.IGNORECASE)
_DEEPEST: Final = 6


@dataclass(frozen=True)
class Described:
    """A `model.yml` or `composition.yml`: its file, text and document."""

    file: str
    text: str
    document: Node

    def word(self, name: str) -> str | None:
        """A field's text in one line; None where it is missing or no text."""
        node = self.document.get(name)
        return clean_text(node.raw)[:LONGEST_LINE] or None if node is not None and node.is_scalar else None


def is_zoo(path: Path) -> bool:
    """True if a folder, or one at most three levels below, holds a `model.yml` or `composition.yml`."""
    if not path.is_dir():
        return path.name == MODEL_FILE
    levels = ("", "*/", "*/*/", "*/*/*/")
    patterns = (level + name for level in levels for name in (MODEL_FILE, COMPOSITIONS[0]))
    return any(next(path.glob(pattern), None) is not None for pattern in patterns)


def read_open_model_zoo(path: Path) -> Iterator[Entry]:
    """One entry per model of a tree of folders, a composite one counting once, in the order of the folders' names.

    Raises
    ------
    SourceError
        There is no model.
    """
    unreadable: list[OSError] = []
    found = False
    for folder, parts in _model_folders(path if path.is_dir() else path.parent, unreadable):
        found = True
        yield read_zoo_model(folder, parts)
    for error in unreadable:
        yield rejected(SourceError(f"{error.strerror or error}: give a readable folder", file=str(error.filename)))
    if not found and not unreadable:
        raise SourceError(
            "no model.yml in it: give Open Model Zoo's folder, or a model's", file=str(path), code="empty"
        )


def _model_folders(top: Path, unreadable: list[OSError]) -> Iterator[tuple[Path, list[Path]]]:
    """Each model's folder, and the folders of its parts."""
    for name, folders, files in os.walk(top, onerror=unreadable.append):
        folder = Path(name)
        folders.sort()
        if len(folder.relative_to(top).parts) >= _DEEPEST:
            folders.clear()
        if MODEL_FILE in files:
            folders.clear()
            yield folder, []
            continue
        parts = [folder / inner for inner in folders if _holds_model(folder / inner)]
        composed = any(PurePosixPath(file).match(pattern) for file in files for pattern in COMPOSITIONS)
        if composed or (
            parts and "README.md" in files and all(p.name.startswith(folder.resolve().name) for p in parts)
        ):
            folders.clear()
            yield folder, parts


def _holds_model(folder: Path) -> bool:
    """True if a folder has a `model.yml`; one that may not be looked into is told of by the walk itself."""
    try:
        return (folder / MODEL_FILE).is_file()
    except PermissionError:
        return False


def read_zoo_model(folder: Path, parts: Sequence[Path] = ()) -> Entry:
    """The entry of one model's folder, or of a composite one with these parts."""
    own = next((folder / name for name in (MODEL_FILE, *_compositions(folder)) if (folder / name).is_file()), None)
    warnings: list[str] = []
    try:
        described = [_described(file) for file in ([own] if own else [])]
        described += [_described(part / MODEL_FILE) for part in parts]
        readme = _readme(folder, warnings)
    except SourceError as error:
        return rejected(error)
    identity = folder.resolve().name[:LONGEST_LINE] or "model"
    artifact = _artifact(identity, str(own or folder), described, [part.name for part in parts], readme, warnings)
    passages = [readme] if readme else []
    if own is not None and not _says(readme, artifact.description):
        passages += _description_passage(described[0])
    return Entry(artifact, ZOO_MODEL, 0, None, tuple(warnings), (), tuple(passages))


def _compositions(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob(COMPOSITIONS[1]))


def _described(file: Path) -> Described:
    text = read_text(file, str(file))
    document = next(iter(read_documents(text, str(file))), None)
    if isinstance(document, SourceError):
        raise document
    if document is None or document.fields is None:
        raise SourceError("no fields in it: a model.yml holds description: …", file=str(file), line=1, code="empty")
    return Described(str(file), text, document)


def _readme(folder: Path, warnings: list[str]) -> Passage | None:
    """The whole README as a passage; None where there is none, or it cannot be read (a warning says so)."""
    file = folder / "README.md"
    if not file.is_file():
        return None
    try:
        found = read_text_file(file, str(file))
    except SourceError as error:
        warnings.append(str(error))
        return None
    warnings += found.warnings
    return Passage(found.text, str(file), markup="markdown")


def _artifact(
    identity: str, file: str, described: list[Described], parts: list[str], readme: Passage | None, warnings: list[str]
) -> Artifact:
    described_itself = described if len(described) > len(parts) else []
    texts = [_description(d) for d in described_itself[:1]] + ([first_paragraph(readme.text)] if readme else [])
    description = next(filter(None, [*texts, *map(_description, described)]), "")
    task = _task(described, warnings)
    framework = _first(described, "framework")
    tags = (*dict.fromkeys(word for d in described if (word := d.word("task_type"))), *parts)
    capability = Capability(
        id="main", name=task_words(task) if task != OTHER else identity, task=task, description=description, tags=tags
    )
    return Artifact(
        id=identity, slug=slug_of(identity), name=identity, description=description,
        license=_license(_first(described, "license"), readme), library=_LIBRARIES.get(framework, framework) or None,
        formats=_formats(described), has_card=readme is not None, capabilities=(capability,),
        claims=_size_claims(identity, described) if not parts else (),
        source=Source(kind="open_model_zoo", file=file, line=1),
    )  # fmt: skip


def _first(described: list[Described], name: str) -> str:
    return next((word for d in described if (word := d.word(name))), "")


def _description(described: Described) -> str:
    node = described.document.get("description")
    return clean_text(node.raw)[:LONGEST_TEXT] if node is not None and node.is_scalar else ""


def _description_passage(described: Described) -> list[Passage]:
    node = described.document.get("description")
    if node is None or not node.is_scalar:
        return []
    return [placed_passage(yaml_pieces(described.text, node.start, node.end), described.file)]


def _says(readme: Passage | None, description: str) -> bool:
    """True if a README has every sentence of a description, markup and blanks aside."""
    if readme is None:
        return not description
    whole = _letters(readme.text)
    return all(_letters(sentence) in whole for sentence in re.split(r"(?<=[.:])\s", description))


def _letters(text: str) -> str:
    return "".join(re.findall(r"[^\W_]+", text)).casefold()


def _task(described: list[Described], warnings: list[str]) -> str:
    """The task of a model; of a composite one, that of the part which says more than that it makes features."""
    words = [(d, word) for d in described if (word := d.word("task_type"))]
    for d, word in sorted(words, key=lambda pair: pair[1] in _PARTLY):
        task = full_task(_TASKS.get(word, word))
        if task is not None:
            return task
        node = d.document.get("task_type")
        warnings.append(f"{d.file}:{node.line if node else 1}: task_type {word[:80]!r} is not known")
    return OTHER


def _license(address: str, readme: Passage | None) -> str | None:
    """The licence that the address or the README's legal part names; else the address in words."""
    legal = _LEGAL.search(readme.text) if readme else None
    named = spdx_of(address, readme.text[legal.end() :] if legal and readme else "")
    return named or (words_of_address(address)[:LONGEST_LINE] if address else None)


def _files(described: Described) -> list[tuple[str, Node | None]]:
    """Name and size of each file that a model lists."""
    node = described.document.get("files")
    items = (node.items if node is not None else None) or ()
    named = ((item.get("name"), item.get("size")) for item in items if item.fields is not None)
    return [(name.raw, size) for name, size in named if name is not None and name.is_scalar]


def _formats(described: list[Described]) -> tuple[str, ...]:
    suffixes = [PurePosixPath(name).suffix.lower() for d in described for name, _ in _files(d)]
    return tuple(sorted({_FORMATS[suffix] for suffix in suffixes if suffix in _FORMATS}))


def _size_claims(identity: str, described: list[Described]) -> tuple[Claim, ...]:
    """The size in bytes, where a model lists one file and that holds its weights: what else it lists is not weights."""
    files = _files(described[0]) if described else []
    if len(files) != 1 or PurePosixPath(files[0][0]).suffix.lower() not in _WEIGHTS:
        return ()
    node = files[0][1]
    if node is None or not isinstance(node.value, int) or isinstance(node.value, bool) or node.value <= 0:
        return ()
    scope, value = Scope(), float(node.value)
    span = Span(file=described[0].file, start=node.start, end=node.end)
    return (
        Claim(
            id=claim_id(identity, "", "size_bytes", "=", value, "bytes", scope), artifact=identity, capability="main",
            metric="size_bytes", value=value, unit="bytes", text=f"size {node.raw}", span=span,
        ),
    )  # fmt: skip
