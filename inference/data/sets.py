"""Labelled sets: built in (`sklearn-digits`), a CSV or parquet file, or a folder of pictures by label."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, Literal

from graph.claims import DataUsed
from graph.errors import SourceError

ItemKind = Literal["text", "image", "triples"]
Item = str | tuple[str, str, str] | Path | Any  # Any: a PIL picture of a built-in set

BUILT_IN: Final = {"sklearn-digits": tuple("0123456789")}
"""Built-in sets with their labels, known before they are loaded."""
KNOWN_FILE: Final = Path(__file__).with_name("known_data.json")
TEXT_COLUMNS: Final = ("text", "label")
TRIPLE_COLUMNS: Final = ("anchor", "paraphrase", "unrelated")
PICTURES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
LARGEST_ITEMS: Final = 200_000
LARGEST_FILE_BYTES: Final = 1 << 30
LARGEST_TEXT_CHARS: Final = 100_000


@dataclass(frozen=True)
class LabelledSet:
    """Items and their right labels, in one order.

    Triples have no label column: their labels are made when they are shown (see `inference.probes.embedding`) and
    `labels` is empty. `digest` is of the content, whatever the file format.
    """

    name: str
    kind: ItemKind
    items: Sequence[Item]
    labels: tuple[str, ...]
    digest: str
    declared_by: Literal["known", "operator"]

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct labels, sorted."""
        return tuple(sorted(set(self.labels)))

    @property
    def majority(self) -> float:
        """The share, 0..1, of the most frequent label; ½ for triples, which are shown in random order."""
        return max(Counter(self.labels).values()) / len(self.labels) if self.labels else 0.5

    @property
    def triples(self) -> list[tuple[str, str, str]]:
        """Anchor, paraphrase and unrelated text of each item; empty for the other kinds."""
        return [item for item in self.items if isinstance(item, tuple)]

    def used(self) -> DataUsed:
        """The set as an evidence record names it."""
        return DataUsed(name=self.name, digest=self.digest, declared_by=self.declared_by, items=len(self.items))


def open_data(name: str, path: Path) -> LabelledSet:
    """The labelled set in a CSV file, a parquet file or a folder of pictures by label.

    CSV and parquet have the columns `text` and `label`, or `anchor`, `paraphrase` and `unrelated`; a folder has one
    subfolder a label.

    Raises
    ------
    SourceError
        It cannot be read, lacks a column, is empty, has one label only, or is too large; with file and line.
    """
    shown = str(path)
    if path.is_dir():
        return _from_pictures(name, path)
    if not path.is_file():
        raise SourceError(f"labelled set {name}: no such file or folder: check --data {name}=PATH", file=shown)
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise SourceError(f"labelled set {name}: larger than 1 GiB: take a part of it", file=shown, code="too_large")
    readers: dict[str, Callable[[str, Path], LabelledSet]] = {".csv": _from_csv, ".parquet": _from_parquet}
    if path.suffix.lower() not in readers:
        what = f"labelled set {name}: neither .csv, .parquet nor a folder of pictures"
        raise SourceError(what, file=shown, code="unknown_format")
    return readers[path.suffix.lower()](name, path)


@functools.cache
def built_in(name: str) -> LabelledSet:
    """The built-in set of this name: `sklearn-digits`, 540 held-out scans of handwritten digits.

    The split is `train_test_split(test_size=540, random_state=0, stratify=target)`; an item is an 8x8 RGB picture.
    """
    if name != "sklearn-digits":
        raise SourceError(f"no built-in labelled set {name!r}: there is {', '.join(BUILT_IN)}")
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    scans = load_digits()
    rows = range(len(scans.target))
    _, held_out = train_test_split(rows, test_size=540, random_state=0, stratify=scans.target)
    pictures = [Image.fromarray((scans.images[row] / 16 * 255).astype("uint8")).convert("RGB") for row in held_out]
    labels = tuple(str(int(scans.target[row])) for row in held_out)
    return _finished(name, "image", pictures, labels, (picture.tobytes() for picture in pictures), "")


def same_name(one: str, other: str) -> bool:
    """Whether two names of a labelled set mean the same: case, blanks and underscores aside."""
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    return name.strip().casefold().replace("_", "-").replace(" ", "-")


def _from_csv(name: str, path: Path) -> LabelledSet:
    file = str(path)
    limit_before = csv.field_size_limit(LARGEST_TEXT_CHARS)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, None)
            if header is None:
                raise SourceError(f"labelled set {name}: empty file", file=file, code="empty")
            kind, columns = _columns(name, file, header)
            rows = list(_csv_rows(name, file, reader, header, columns))
    except csv.Error as error:
        raise SourceError(f"labelled set {name}: {error}", file=file, line=reader.line_num, code="malformed") from error
    except UnicodeDecodeError as error:
        what = f"labelled set {name}: not UTF-8: save it as UTF-8"
        raise SourceError(what, file=file, line=_first_bad_line(path), code="encoding") from error
    except OSError as error:
        raise SourceError(f"labelled set {name}: {error.strerror}", file=file) from error
    finally:
        csv.field_size_limit(limit_before)  # the limit is the whole process's
    return _from_rows(name, kind, rows, file)


def _first_bad_line(path: Path) -> int | None:
    """The 1-based number of the first line that is not UTF-8."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return None


def _csv_rows(
    name: str, file: str, reader: Any, header: list[str], columns: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    places = [header.index(column) for column in columns]
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            what = f"labelled set {name}: {len(row)} fields where the header has {len(header)}"
            raise SourceError(what, file=file, line=reader.line_num, code="malformed")
        yield _checked(name, file, reader.line_num, tuple(row[place] for place in places), columns)


def _from_parquet(name: str, path: Path) -> LabelledSet:
    import pyarrow
    from pyarrow import parquet

    file = str(path)
    try:
        table = parquet.ParquetFile(path)
        kind, columns = _columns(name, file, table.schema_arrow.names)
        if table.metadata.num_rows > LARGEST_ITEMS:
            raise _too_many(name, file)
        content = table.read(columns=list(columns))
        listed = [content.column(column).to_pylist() for column in columns]
    except (pyarrow.ArrowException, OSError) as error:
        line = " ".join(str(error).split())[:160]
        raise SourceError(f"labelled set {name}: not a parquet file that can be read: {line}", file=file) from error
    rows = [
        _checked(name, file, number, tuple("" if value is None else str(value) for value in row), columns)
        for number, row in enumerate(zip_longest(*listed), 1)
    ]
    return _from_rows(name, kind, rows, file)


def _columns(name: str, file: str, header: Sequence[str]) -> tuple[ItemKind, tuple[str, ...]]:
    if all(column in header for column in TRIPLE_COLUMNS):
        return "triples", TRIPLE_COLUMNS
    missing = [column for column in TEXT_COLUMNS if column not in header]
    if not missing:
        return "text", TEXT_COLUMNS
    what = f"no column {missing[0]!r}: needs text,label or anchor,paraphrase,unrelated"
    raise SourceError(f"labelled set {name}: {what}", file=file, line=1, code="missing_columns")


def _checked(name: str, file: str, line: int, row: tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, ...]:
    for column, value in zip(columns, row, strict=True):
        if not value.strip():
            raise SourceError(f"labelled set {name}: {column!r} is blank", file=file, line=line, code="blank")
    return row


def _from_rows(name: str, kind: ItemKind, rows: Sequence[tuple[str, ...]], file: str) -> LabelledSet:
    if len(rows) > LARGEST_ITEMS:
        raise _too_many(name, file)
    if kind == "triples":
        pieces = ("\x1f".join(row).encode("utf-8", "surrogatepass") for row in rows)
        return _finished(name, kind, rows, (), pieces, file)
    texts, labels = [row[0] for row in rows], tuple(row[1].strip() for row in rows)
    return _finished(name, kind, texts, labels, (text.encode("utf-8", "surrogatepass") for text in texts), file)


def _from_pictures(name: str, folder: Path) -> LabelledSet:
    """A set of pictures, one subfolder a label; hidden files are left out, anything else must be a picture."""
    try:
        items = list(_pictures(name, folder))
        labels = tuple(item.parent.name for item in items)
        return _finished(name, "image", items, labels, (item.read_bytes() for item in items), str(folder))
    except OSError as error:
        what = f"labelled set {name}: {error.strerror or error}: check the folder's rights"
        raise SourceError(what, file=str(error.filename or folder)) from error


def _pictures(name: str, folder: Path) -> Iterator[Path]:
    root, count = folder.resolve(), 0
    for part in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        for file in sorted(path for path in part.iterdir() if not path.name.startswith(".")):
            if file.suffix.lower() not in PICTURES or not file.is_file():
                what = f"labelled set {name}: not a picture: {', '.join(PICTURES)} only, one folder a label"
                raise SourceError(what, file=str(file), code="unknown_format")
            if not file.resolve().is_relative_to(root):
                raise SourceError(f"labelled set {name}: leads out of its folder", file=str(file), code="outside")
            count += 1
            if count > LARGEST_ITEMS:
                raise _too_many(name, str(folder))
            yield file


def _finished(
    name: str, kind: ItemKind, items: Sequence[Item], labels: tuple[str, ...], pieces: Iterable[bytes], file: str
) -> LabelledSet:
    if not items:
        raise SourceError(f"labelled set {name}: it has no items", file=file, code="empty")
    if kind != "triples" and len(set(labels)) < 2:
        what = f"labelled set {name}: only one label ({labels[0][:40]!r}): it cannot tell right from wrong"
        raise SourceError(what, file=file, code="one_class")
    digest = _content_digest(kind, pieces, labels)
    declared: Literal["known", "operator"] = "known" if known_sets().get(digest) == name else "operator"
    return LabelledSet(name, kind, items, labels, digest, declared)


def _content_digest(kind: str, pieces: Iterable[bytes], labels: Sequence[str]) -> str:
    """SHA-256 over the digests of all items, each with its label, in order."""
    total = hashlib.sha256(f"labelled set 1 {kind}\n".encode())
    for piece, label in zip_longest(pieces, labels, fillvalue=""):
        content = piece if isinstance(piece, bytes) else b""
        total.update(hashlib.sha256(content).digest() + hashlib.sha256(label.encode("utf-8", "replace")).digest())
    return total.hexdigest()


@functools.cache
def known_sets() -> dict[str, str]:
    """Names of the committed table's sets by content digest."""
    return dict(json.loads(KNOWN_FILE.read_text(encoding="utf-8"))) if KNOWN_FILE.exists() else {}


def _too_many(name: str, file: str) -> SourceError:
    return SourceError(
        f"labelled set {name}: more than {LARGEST_ITEMS:,} items: take a part", file=file, code="too_large"
    )
