"""Digests of large files, remembered by path, size and change times so that no file is read twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from graph.claims import ModelUsed
from graph.digest import digest_of
from graph.errors import ModelError
from inference.models.files import open_regular

_LARGEST_CACHE_BYTES: Final = 64 << 20
_SMALL_BYTES: Final = 4 << 20
"""Smaller files are read every time: cheaper than remembering them."""


class FileDigests:
    """SHA-256 of files, kept in a JSON file of the home between runs; without one only in memory.

    A remembered digest counts only while the file's size, modification time and change time are the same.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: dict[str, list[int | str]] = _load(file) if file else {}
        self._changed = False

    def of(self, path: Path) -> str:
        """SHA-256, in hex, of a file.

        Raises
        ------
        ModelError
            The file cannot be read.
        """
        try:
            state = path.stat()
            if state.st_size < _SMALL_BYTES:
                return _digest(path)
            stamp: list[int | str] = [state.st_size, state.st_mtime_ns, state.st_ctime_ns]
            known = self._known.get(str(path))
            if known is not None and known[:3] == stamp:
                return str(known[3])
            digest = _digest(path)
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror or error}: check the file's rights") from error
        self._known[str(path)] = [*stamp, digest]
        self._changed = True
        return digest

    def save(self) -> None:
        """Write what was learned, if anything; a home that cannot be written is left as it is."""
        if self._file is None or not self._changed:
            return
        draft = self._file.with_name(f"{self._file.name}.{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):  # only a cache: the next run reads the files again
            draft.write_text(json.dumps(self._known, sort_keys=True), encoding="utf-8")
            draft.replace(self._file)
            self._changed = False


def _digest(path: Path) -> str:
    """SHA-256, in hex, of a regular file; what became a pipe since it was listed is refused and not waited for."""
    digest = hashlib.sha256()
    with open_regular(path) as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _load(file: Path) -> dict[str, list[int | str]]:
    """What an earlier run remembered; a missing or damaged file is an empty memory."""
    try:
        if file.stat().st_size > _LARGEST_CACHE_BYTES:
            return {}
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        path: entry
        for path, entry in known.items()
        if isinstance(entry, list) and len(entry) == 4 and isinstance(entry[3], str) and len(entry[3]) == 64
    }


def model_used(files: Iterable[tuple[str, Path]], digests: FileDigests) -> ModelUsed:
    """SHA-256 of each (name, path), and one digest over the sorted names and digests.

    Raises
    ------
    ModelError
        A file cannot be read.
    """
    each = {name: digests.of(path) for name, path in sorted(files)}
    return ModelUsed(digest=digest_of(sorted(each.items())), files=each)
