"""A model's files, seen from outside: bounded, regular, and inside the model's own folder or its cache."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from graph.errors import ModelError

ProblemCode = Literal["escape", "broken_link", "not_regular", "too_many_files", "unreadable"]
MOST_FILES: Final = 10_000
DEEPEST_FOLDER: Final = 8
_SKIPPED_FOLDERS: Final = frozenset({".git", ".cache", ".no_exist", "__pycache__"})
_STORE_NAME: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelFile:
    """A regular file: its name relative to the model's folder ("/" between parts), and where its bytes really lie."""

    name: str
    size_bytes: int
    path: Path


@dataclass(frozen=True)
class FileProblem:
    """A name that is no usable file, and why; `escape` means that its link leaves the model's folder and its cache."""

    name: str
    code: ProblemCode
    reason: str


@dataclass(frozen=True)
class Listing:
    """Files and problems of a folder, each sorted by name."""

    files: tuple[ModelFile, ...]
    problems: tuple[FileProblem, ...]

    def named(self, name: str) -> ModelFile | None:
        """The file of this name, or None where there is none."""
        return next((file for file in self.files if file.name == name), None)


@dataclass(frozen=True)
class Bounds:
    """Where the links of a model may end: folders (real paths), and the cache-wide blob store, if there is one."""

    roots: tuple[Path, ...]
    store: Path | None = None

    def hold(self, real: Path) -> bool:
        """True if a real path lies inside."""
        if self.store is not None and real.is_relative_to(self.store):
            return _STORE_NAME.fullmatch(real.relative_to(self.store).as_posix()) is not None
        return any(real.is_relative_to(root) for root in self.roots)


def bounds_of(directory: Path) -> Bounds:
    """Where a model folder's links may end.

    A plain folder: itself. A snapshot of a Hugging Face cache (`models--…/snapshots/REVISION`): its `models--…`
    folder, and the cache-wide blob store of huggingface_hub 2.4 where the cache has a marked one.
    """
    real = Path(os.path.realpath(directory))
    repository = real.parent.parent
    if real.parent.name == "snapshots" and repository.name.startswith("models--"):
        return Bounds((repository,), shared_store(repository.parent))
    return Bounds((real,))


def shared_store(cache: Path) -> Path | None:
    """The cache-wide blob store of a Hugging Face cache, or None where there is none that bears the library's mark."""
    from huggingface_hub.utils import _shared_blobs

    store = _shared_blobs.shared_blobs_dir(os.path.realpath(cache))
    return store if _shared_blobs.is_shared_blobs_dir(store) else None


def list_files(directory: Path) -> Listing:
    """All usable files of a model's folder, its sub-folders included; links are resolved and held to its bounds.

    Raises
    ------
    ModelError
        The folder cannot be read.
    """
    bounds = bounds_of(directory)
    files: list[ModelFile] = []
    problems: list[FileProblem] = []
    for entry, name in _walk(directory, problems):
        found = resolve_file(Path(entry.path), name, bounds)
        if isinstance(found, ModelFile):
            files.append(found)
        else:
            problems.append(found)
        if len(files) + len(problems) >= MOST_FILES:
            problems.append(FileProblem("", "too_many_files", f"more than {MOST_FILES} files: the rest was not read"))
            break
    return Listing(tuple(sorted(files, key=_name)), tuple(sorted(problems, key=_name)))


def resolve_file(path: Path, name: str, bounds: Bounds) -> ModelFile | FileProblem:
    """The regular file behind a path, links resolved; or the problem that keeps it out."""
    try:
        real = Path(os.path.realpath(path, strict=True))
        state = real.stat()
    except FileNotFoundError:
        return FileProblem(name, "broken_link", f"{name} links to a file that is not there")
    except OSError as error:
        return FileProblem(name, "unreadable", f"{name}: {error.strerror or error}")
    if not bounds.hold(real):
        return FileProblem(name, "escape", f"{name} links out of its cache or folder: refused")
    if not stat.S_ISREG(state.st_mode):
        return FileProblem(name, "not_regular", f"{name} is no regular file")
    return ModelFile(name, state.st_size, real)


def _walk(directory: Path, problems: list[FileProblem]) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Every entry that is no folder, with its relative name; links to folders are not followed."""
    pending = [(str(directory), "", 0)]
    while pending:
        folder, prefix, depth = pending.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise ModelError(f"{directory}: {error.strerror or error}: give a readable folder") from error
            problems.append(FileProblem(prefix.rstrip("/"), "unreadable", f"{prefix}: {error.strerror or error}"))
            continue
        for entry in entries:
            name = prefix + entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield entry, name
            elif entry.name in _SKIPPED_FOLDERS:
                continue
            elif depth < DEEPEST_FOLDER:
                pending.append((entry.path, name + "/", depth + 1))
            else:
                problems.append(FileProblem(name, "too_many_files", f"{name}: nested too deeply, not read"))


def _name(item: ModelFile | FileProblem) -> str:
    return item.name


def read_json(file: ModelFile, most_bytes: int = 4 << 20) -> dict[str, Any]:
    """The JSON object in a file.

    Raises
    ------
    ModelError
        It is larger than `most_bytes`, cannot be read, or holds no JSON object.
    """
    if file.size_bytes > most_bytes:
        raise ModelError(f"{file.name} has {file.size_bytes} bytes; at most {most_bytes} are read")
    try:
        value = json.loads(file.path.read_bytes())
    except OSError as error:
        raise ModelError(f"{file.name}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file.name} is not valid JSON: fetch the model again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{file.name} holds no JSON object: fetch the model again")
    return value
