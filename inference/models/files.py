"""A model's files, seen from outside: bounded, regular, and inside the model's own folder or its cache."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from graph.errors import ModelError

ProblemCode = Literal[
    "escape",
    "broken_link",
    "not_regular",
    "too_many_files",
    "too_deep",
    "too_large",
    "odd_name",
    "unreadable",
    "unsound",
]
MOST_FILES: Final = 10_000
DEEPEST_FOLDER: Final = 8
LARGEST_FILE_BYTES: Final = 64 << 30
"""Publishers split weights into files of at most 50 GB; a larger one is neither hashed nor staged."""
_LONGEST_NAME: Final = 400
_SKIPPED_FOLDERS: Final = frozenset({".git", ".cache", ".no_exist", "__pycache__"})
_STORE_NAME: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}")


class UnreadableError(ModelError):
    """A file cannot be read here, which says nothing about the model."""


@dataclass(frozen=True)
class ModelFile:
    """A regular file: its name relative to the model's folder ("/" between parts), and where its bytes really lie.

    `stamp` is what changes when the file does (see `stamp_of`), taken when it was listed; () where nobody took it.
    """

    name: str
    size_bytes: int
    path: Path
    stamp: tuple[int, ...] = ()


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
    return Listing(tuple(sorted(files, key=_name)), tuple(sorted(problems, key=_name)))


def resolve_file(path: Path, name: str, bounds: Bounds) -> ModelFile | FileProblem:
    """The regular file behind a path, links resolved; or the problem that keeps it out."""
    if len(name) > _LONGEST_NAME or not name.isprintable():
        return FileProblem(shown_name(name), "odd_name", f"{shown_name(name)}: a name no publisher gives, not read")
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
    if state.st_size > LARGEST_FILE_BYTES:
        what = f"{name} has {state.st_size} bytes; at most {LARGEST_FILE_BYTES} are read"
        return FileProblem(name, "too_large", what)
    return ModelFile(name, state.st_size, real, stamp_of(state))


def stamp_of(state: os.stat_result) -> tuple[int, ...]:
    """What changes when a file's bytes do: device, inode, size, times of modification and of change in ns."""
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def shown_name(name: str) -> str:
    """A file's name as messages show it: at most 80 characters, none of which moves a terminal's cursor."""
    return printable(name[:80])


def printable(text: str) -> str:
    """The text with a mark in the place of each character that moves a terminal's cursor or turns its direction."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def open_regular(path: Path) -> BinaryIO:
    """A regular file, opened for reading: what became a pipe or a device since it was listed is not waited for.

    Raises
    ------
    OSError
        It cannot be opened, or is no regular file any more.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file any more")
    return os.fdopen(descriptor, "rb")


def _walk(directory: Path, problems: list[FileProblem]) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Every entry that is no folder, with its relative name; links to folders are not followed."""
    pending, seen = [(str(directory), "", 0)], 0
    while pending:
        folder, prefix, depth = pending.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(itertools.islice(scan, MOST_FILES + 1), key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise ModelError(f"{directory}: {error.strerror or error}: give a readable folder") from error
            name = shown_name(prefix.rstrip("/"))
            problems.append(FileProblem(name, "unreadable", f"{name}: {error.strerror or error}"))
            continue
        for entry in entries:
            seen += 1
            if seen > MOST_FILES:
                what = f"more than {MOST_FILES} files and folders: the rest was not read"
                problems.append(FileProblem("", "too_many_files", what))
                return
            name = prefix + entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield entry, name
            elif entry.name in _SKIPPED_FOLDERS:
                continue
            elif depth < DEEPEST_FOLDER:
                pending.append((entry.path, name + "/", depth + 1))
            else:
                name = shown_name(name)
                problems.append(FileProblem(name, "too_deep", f"{name}: nested too deeply, not read"))


def _name(item: ModelFile | FileProblem) -> str:
    return item.name


def read_json(file: ModelFile, most_bytes: int = 4 << 20) -> dict[str, Any]:
    """The JSON object in a file.

    Raises
    ------
    ModelError
        It is larger than `most_bytes`, cannot be read, or holds no JSON object.
    """
    value = parse_json(read_bounded(file, most_bytes), file.name)
    if not isinstance(value, dict):
        raise ModelError(f"{file.name} holds no JSON object: fetch the model again")
    return value


def read_bounded(file: ModelFile, most_bytes: int) -> bytes:
    """The bytes of a file that has at most this many.

    Raises
    ------
    ModelError
        It is larger, or cannot be read.
    """
    try:
        with open_regular(file.path) as stream:
            data = b"" if file.size_bytes > most_bytes else stream.read(most_bytes + 1)
    except OSError as error:
        raise UnreadableError(f"{file.name}: {error.strerror or error}: check the file's rights") from error
    if max(len(data), file.size_bytes) > most_bytes:
        raise ModelError(f"{file.name} has {max(len(data), file.size_bytes)} bytes; at most {most_bytes} are read")
    return data


def parse_json(data: bytes, name: str) -> Any:
    """The JSON value in a file's bytes; `name` is what messages call it.

    Raises
    ------
    ModelError
        They are not JSON, or nested too deeply for the standard library.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name} is not valid JSON: fetch the model again") from error
