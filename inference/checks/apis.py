"""Whether a module, class or function exists in the version of a library that a claim names. Nothing is imported."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from graph.claims import Claim
from inference.checks.base import Flag, Verdict
from inference.judging.findings import Finding
from inference.verdicts.rules import Judgement

_DISTRIBUTIONS: Final = {"sklearn": "scikit-learn", "sentence_transformers": "sentence-transformers"}
_NAMED: Final = re.compile(r"(?P<library>\w+) (?P<version>\d+(?:\.\d+){1,2})")
_LARGEST_BYTES: Final = 4_000_000


def check_apis(claims: Sequence[Claim]) -> Iterator[Verdict | Flag]:
    """Judges `api_exists` claims about libraries at hand; where a claim names no version, says what this one has."""
    for claim in claims:
        if claim.metric != "api_exists" or not isinstance(claim.value, str):
            continue
        library = claim.value.partition(".")[0]
        at_hand = _version(library)
        if at_hand is None:
            continue
        exists = has_api(claim.value)
        named = _NAMED.search(claim.conditions.note or "")
        if exists is None:
            continue
        seen = f"{library} {at_hand} {'has' if exists else 'does not have'} {claim.value}"
        if named is not None and at_hand.startswith(named["version"]):
            judgement = Judgement("verified" if exists else "refuted", None, seen)
        else:
            wanted = f"it is about version {named['version']}" if named is not None else "it names no version"
            judgement = Judgement("unverifiable", "underspecified", f"{wanted}; {seen}")
        measured = f"{'present' if exists else 'absent'} in {library} {at_hand}"
        yield Verdict(claim.id, Finding(judgement, measured, "text", "api", "1"))


@functools.cache
def has_api(name: str) -> bool | None:
    """Whether a dotted name is there in the library at hand; None where reading its files does not tell.

    Modules are looked for as files, other names as words of the module's file that define or export them. A name that
    the file does not hold may still be made when the module is imported: None, unless it would have to be a module.

    Examples
    --------
    >>> has_api("networkx.algorithms.link_analysis"), has_api("networkx.no_such_module.at_all")
    (True, False)
    """
    parts = name.split(".")
    try:
        spec = importlib.util.find_spec(parts[0])
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    for place, part in enumerate(parts[1:], 1):
        rest = parts[place + 1 :]
        if (folder / part).is_dir():
            folder = folder / part
        elif (folder / f"{part}.py").is_file():
            return True if not rest else _defined(folder / f"{part}.py", rest[0])
        elif any(folder.glob(f"{part}.*.so")):
            return True if not rest else None
        else:
            return _made_in(folder, part)
    return True


def _made_in(folder: Path, name: str) -> bool | None:
    """Whether a package makes a name in its own file; None where it may do so without naming it."""
    defined = _defined(folder / "__init__.py", name)
    if defined is not False:
        return defined
    # Names in capitals are classes, which lazy packages do not list; what stands under TYPE_CHECKING makes nothing.
    return False if name.islower() and not _stars(folder / "__init__.py") else None


def _defined(file: Path, name: str) -> bool | None:
    """Whether a file defines, imports or exports a name; None where it cannot be read."""
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_BYTES:
            return None
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text) is not None


def _stars(file: Path) -> bool:
    """Whether a file takes in all names of another one when it is imported."""
    return (
        re.search(r"^from \S+ import \*", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE) is not None
    )


def _version(library: str) -> str | None:
    try:
        return version(_DISTRIBUTIONS.get(library, library))
    except PackageNotFoundError:
        return None
