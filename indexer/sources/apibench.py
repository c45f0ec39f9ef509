"""APIBench (Gorilla): model rows of Hugging Face, TorchHub and TensorFlow Hub, and instruction → model pairs.

An artifact is keyed by the model's id inside `api_call`; rows of one key are wordings of one artifact. Its name is
the key in words, because `api_name` repeats ("torch.hub.load" names fourteen models). Read like this, with the texts
"name. domain. functionality. description", published retrieval baselines come out within .005 on all three hubs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from graph.errors import SourceError
from indexer.passages import Passage
from indexer.sources.catalogue import CatalogueRow, catalogue_entries
from indexer.sources.entry import Entry
from indexer.sources.lines import JsonLine, read_json_lines, read_placed_lines, text_passages

Hub = Literal["huggingface", "torchhub", "tensorflowhub"]
HUBS: Final[tuple[Hub, ...]] = get_args(Hub)
_OWNER_NAME: Final = re.compile(r"[\"'(=\s:]([\w.-]{1,96}/[\w.-]{1,96})")
_HUB_ADDRESS: Final = re.compile(r"https?://huggingface\.co/([\w.-]{1,96}/[\w.-]{1,96})")
_BARE_MODEL: Final = re.compile(r"(?:model\s{0,3}=\s{0,3}|from_pretrained\(|create_model\()['\"]([\w.-]{1,96})['\"]")
_LOCAL: Final = ("./", "../", "pretrained_models/")
_REPOSITORY: Final = re.compile(r"(?:repo_or_dir\s{0,3}=\s{0,3}|hub\.load\(\s{0,3})['\"]([^'\"\s]{1,200})['\"]")
_MODEL: Final = re.compile(r"model\s{0,3}=\s{0,3}['\"]([^'\"\s]{1,200})['\"]")
_HUB_PATH: Final = re.compile(r"https?://[\w.-]{1,100}/([\w./@-]{1,300})")
_INSTRUCTION: Final = re.compile(r"\s*###\s{0,3}Instruction\s{0,3}:?(.*)", re.DOTALL)
_NEXT_SECTION: Final = re.compile(r"###\s{0,3}(?:Output|Input)|\*\*\s{0,3}Input")
_PAIR: Final = re.compile(r"\s*\{\s*['\"]Instruction['\"]\s*:(.*)", re.DOTALL)
_NEXT_FIELD: Final = re.compile(r"['\"]?\s{0,3},\s{0,3}['\"](?:Input|Output)['\"]\s{0,3}:")


@dataclass(frozen=True)
class Row:
    """A row of a hub's file: where it stands, the key of its artifact, and its fields."""

    placed: JsonLine
    key: str
    fields: Mapping[str, Any]

    @property
    def line(self) -> int:
        """1-based line."""
        return self.placed.number


def find_api_files(path: Path) -> list[Path]:
    """The `*_api.jsonl` of APIBench: the file itself, or those in a folder, its `api/` or its `data/api/`."""
    if path.is_file():
        return [path]
    for folder in (path, path / "api", path / "data" / "api"):
        found = sorted(folder.glob("*_api.jsonl"))
        if found:
            return found
    return []


def read_apibench(path: Path) -> Iterator[Entry]:
    """One entry per artifact of all hubs, and one per row that cannot be read; a hub's rows in the order of its file.

    Raises
    ------
    SourceError
        There is no APIBench here, or a file cannot be read.
    """
    files = find_api_files(path)
    if not files:
        raise SourceError("no *_api.jsonl in it: give APIBench's folder or one of its files", file=str(path))
    for file in files:
        yield from catalogue_entries(_numbered(file), str(file), "apibench")


def _numbered(file: Path) -> Iterator[CatalogueRow]:
    """Catalogue rows with variants by the line of their first row; unreadable lines come first."""
    rows: list[Row] = []
    for line, row in _rows(file, hub_of_file(file)):
        if isinstance(row, SourceError):
            yield CatalogueRow(line, row)
        else:
            rows.append(row)
    for grouped in _grouped(rows).values():
        passages = tuple(passage for row in grouped for passage in _passages(row, str(file)))
        yield CatalogueRow(grouped[0].line, _catalogue_row(grouped, with_variants=True), passages)


def _passages(row: Row, file: str) -> Iterator[Passage]:
    """The description, and what is said of its performance: a text, or JSON as it is."""
    for field in ("performance", "description"):
        yield from text_passages(row.placed, field, file, "main")


def apibench_catalogue(path: Path, hub: Hub, *, with_variants: bool = True) -> Iterator[dict[str, Any]]:
    """Catalogue rows of a hub, in the order of its file, as `evaluate search` reads them.

    Parameters
    ----------
    path
        APIBench's folder, or the hub's file.
    hub
        Which hub.
    with_variants
        True keeps every published row of an artifact as a variant; False keeps the first alone.

    Raises
    ------
    SourceError
        The file is missing, or a line of it cannot be read.
    """
    files = [file for file in find_api_files(path) if path.is_file() or hub_of_file(file) == hub]
    if not files:
        raise SourceError(f"no {hub}_api.jsonl in it: give APIBench's folder or the file", file=str(path))
    rows = []
    for _, row in _rows(files[0], hub):
        if isinstance(row, SourceError):
            raise row
        rows.append(row)
    for grouped in _grouped(rows).values():
        yield _catalogue_row(grouped, with_variants=with_variants)


def apibench_queries(path: Path, hub: Hub | None = None) -> Iterator[dict[str, Any]]:
    """`{qid, text, rel}` of every instruction → model pair of a file, in order.

    The text is the instruction alone, without the sample input that some carry. `qid` is the file's name and the
    line; `rel` the key of the pair's row, one label although several models may fit.

    Parameters
    ----------
    path
        A file of pairs, such as `data/apibench/huggingface_eval.json`.
    hub
        Whose keys; from the file's name where it is not given.

    Raises
    ------
    SourceError
        The file or a line of it cannot be read.
    """
    hub = hub or hub_of_file(path)
    for line, pair in read_json_lines(path, str(path)):
        if isinstance(pair, SourceError):
            raise pair
        api = pair.get("api_data")
        text, row = instruction_of(pair.get("code")), api if isinstance(api, dict) else pair
        if text is None or not isinstance(row.get("api_call"), str):
            raise SourceError("no instruction or no api_call in it", file=str(path), line=line, code="bad_pair")
        yield {"qid": f"{path.stem}-{line}", "text": text, "rel": [key_of(row, hub)]}


def instruction_of(code: object) -> str | None:
    """The instruction in a pair's `code`, of either shape; None where there is none.

    Examples
    --------
    >>> instruction_of("###Instruction: Find a cat. ###Input: cat.png ###Output: {...}")
    'Find a cat.'
    >>> instruction_of("{'Instruction': Find a cat., 'Output': {...}}")
    'Find a cat.'
    """
    if not isinstance(code, str):
        return None
    for begin, end in ((_PAIR, _NEXT_FIELD), (_INSTRUCTION, _NEXT_SECTION)):
        match = begin.match(code)
        if match:
            return end.split(match[1], maxsplit=1)[0].strip().strip("'\"").strip() or None
    return None


def hub_of_file(path: Path) -> Hub:
    """The hub whose rows or pairs a file holds, by its name; Hugging Face where the name tells none."""
    name = path.name.lower()
    return "torchhub" if "torch" in name else "tensorflowhub" if "tensorflow" in name else "huggingface"


def key_of(row: Mapping[str, Any], hub: Hub) -> str:
    """The id of the artifact that a row describes, read from its dirty `api_call`; `api_name` where that names none.

    Examples
    --------
    >>> key_of({"api_call": "AutoModel.from_pretrained('YituTech/conv-bert-base')"}, "huggingface")
    'YituTech/conv-bert-base'
    >>> key_of({"api_call": "torch.hub.load(repo_or_dir='hustvl/yolop', model='yolop')"}, "torchhub")
    'hustvl/yolop:yolop'
    >>> key_of({"api_call": "hub.load('https://tfhub.dev/google/yamnet/1')"}, "tensorflowhub")
    'google/yamnet/1'
    """
    call, name = str(row.get("api_call") or ""), str(row.get("api_name") or "").strip()
    if hub == "torchhub":
        repository, model = _REPOSITORY.search(call), _MODEL.search(call)
        return ":".join(match[1] for match in (repository, model) if match) or name
    if hub == "tensorflowhub":
        path = _HUB_PATH.search(call)
        return path[1] if path else name
    return _hugging_face_key(call, name)


def _hugging_face_key(call: str, name: str) -> str:
    """`owner/name` in the call (the row's own name where it is among several), else in the name, else a bare name."""
    address = _HUB_ADDRESS.search(call)
    found = [address[1]] if address else [key for key in _OWNER_NAME.findall(call) if not key.startswith(_LOCAL)]
    if found:
        return name if name in found else str(found[0])
    inside = [name] if re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", name) else _OWNER_NAME.findall(name)
    if inside:
        return str(inside[0])
    bare = _BARE_MODEL.search(call)
    return bare[1] if bare else name


def key_words(key: str) -> str:
    """A key in words.

    Examples
    --------
    >>> key_words("google/imagenet/mobilenet_v2_100_224/classification/4")
    'google imagenet mobilenet v2 100 224 classification 4'
    """
    return " ".join(re.findall(r"[^\W_]+", key)) or key


def _rows(file: Path, hub: Hub) -> Iterator[tuple[int, Row | SourceError]]:
    for line in read_placed_lines(file, str(file)):
        if isinstance(line.value, SourceError):
            yield line.number, line.value
            continue
        key = key_of(line.value, hub)
        if key:
            yield line.number, Row(line, key, line.value)
        else:
            what = "no api_call and no api_name in it"
            yield line.number, SourceError(what, file=str(file), line=line.number, code="bad_id")


def _grouped(rows: list[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    return groups


def _catalogue_row(rows: list[Row], *, with_variants: bool) -> dict[str, Any]:
    """The catalogue row of an artifact: its first row, and the others as variants."""
    first, name = rows[0], key_words(rows[0].key)
    row: dict[str, Any] = {"id": first.key, "name": name, "type": "model", **_wording(first)}
    library, params = first.fields.get("framework"), _params(first)
    row |= {"library": library} if isinstance(library, str) and library.strip() else {}
    row |= {"params": params} if params else {}
    row |= {"organization": first.key.partition("/")[0]} if "/" in first.key else {}
    if with_variants and len(rows) > 1:
        row["variants"] = [{"name": name, **_wording(other)} for other in rows[1:]]
    return row


def _wording(row: Row) -> dict[str, str]:
    """Domain, functionality and description as published; lists are joined, what is no text is left out."""
    found = {}
    for name in ("domain", "functionality", "description"):
        value = row.fields.get(name)
        if isinstance(value, list):
            value = ", ".join(str(item) for item in value)
        if isinstance(value, str) and value.strip():
            found[name] = value.strip()
    return found


def _params(row: Row) -> int | None:
    """Parameters where a performance field gives them in millions; names of models are not guessed from."""
    performance = row.fields.get("performance")
    value = performance.get("Params (M)") if isinstance(performance, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e7:
        return None
    return round(value * 1_000_000)
