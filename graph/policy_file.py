"""Reading a policy: a preset's name, or a user's YAML file, checked field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import TypeAdapter, ValidationError

from graph.errors import QueryError, SourceError
from graph.policy import POLICIES, Policy

FILE_MAX_BYTES: Final = 65_536
DEPTH_MAX: Final = 8
_POLICY: Final = TypeAdapter(Policy)


def named_policy(name: str) -> Policy:
    """The preset of this name.

    Raises
    ------
    QueryError
        There is none; names those that are.
    """
    if name not in POLICIES:
        raise QueryError(f"no policy {name[:80]!r}: choose one of {', '.join(POLICIES)}, or give a YAML file")
    return POLICIES[name]


def find_policy(name_or_file: str) -> Policy:
    """The preset of this name, or the policy of the file at this path (anything with a dot or a slash).

    Raises
    ------
    QueryError
        No preset has this name.
    SourceError
        The file cannot be read, or a field of it is wrong; names file and line.
    """
    if "/" in name_or_file or "." in name_or_file:
        return read_policy(Path(name_or_file))
    return named_policy(name_or_file)


def read_policy(file: Path) -> Policy:
    """The policy of a YAML file: the fields of `Policy`, and `base`, the preset to start from (default: `open`).

    Examples
    --------
    A house that takes production's rules but allows older evidence and one exception::

        name: house
        base: production
        greatest_age_days: 365
        licences: [apache-2.0, mit]
        waivers:
          - {artifact: ann/digits, rule: age, who: Ann, why: set is frozen, until: 2027-01-31}

    Raises
    ------
    SourceError
        The file cannot be read, or a field of it is wrong; names file and line.
    """
    root, given = _parse(file)
    base = given.pop("base", "open")
    if not isinstance(base, str) or base not in POLICIES:
        raise SourceError(
            f"base is no preset: choose one of {', '.join(POLICIES)}",
            file=str(file), line=_line_of(root, ("base",)), code="policy",
        )  # fmt: skip
    if given.get("name") in POLICIES:
        problem = f"name {given['name']!r} is a preset's: choose another"
        raise SourceError(problem, file=str(file), line=_line_of(root, ("name",)), code="policy")
    try:
        given.setdefault("name", file.stem)
        return _POLICY.validate_python({**asdict(replace(POLICIES[base], waivers=())), **given})
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda e: [str(part) for part in e["loc"]])
        field = ".".join(str(part) for part in first["loc"])
        line = _line_of(root, first["loc"])
        raise SourceError(f"{field}: {first['msg']}", file=str(file), line=line, code="policy") from error


def _parse(file: Path) -> tuple[yaml.Node, dict[str, Any]]:
    try:
        with file.open("rb") as stream:
            content = stream.read(FILE_MAX_BYTES + 1)
        if len(content) > FILE_MAX_BYTES:
            raise SourceError(f"is larger than {FILE_MAX_BYTES} bytes: a policy is short", file=str(file))
        _check_shape(content, file)
        root, given = yaml.compose(content, yaml.SafeLoader), yaml.safe_load(content)
    except OSError as error:
        raise SourceError(f"{error.strerror or error}: give a policy's name or file", file=str(file)) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "not readable as YAML"
        line = mark.line + 1 if mark else None
        raise SourceError(f"{what}: correct the YAML", file=str(file), line=line, code="policy") from error
    if not isinstance(given, dict) or root is None:
        raise SourceError("is not a mapping: write one `field: value` a line", file=str(file), line=1, code="policy")
    return root, {str(key): value for key, value in given.items()}


def _check_shape(content: bytes, file: Path) -> None:
    """Refuse, before anything is built from it, what makes YAML expensive: aliases and deep nesting."""
    depth = 0
    for event in yaml.parse(content, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.AliasEvent):
            problem = "has YAML aliases (*name): write the value out"
            raise SourceError(problem, file=str(file), line=line, code="policy")
        if depth > DEPTH_MAX:
            problem = f"is nested deeper than {DEPTH_MAX}: a policy is a list of fields"
            raise SourceError(problem, file=str(file), line=line, code="policy")


def _line_of(root: yaml.Node, place: Sequence[str | int]) -> int:
    """1-based line of the deepest node on the way to a place; the mapping's own line where the field is missing."""
    node = root
    for part in place:
        if isinstance(node, yaml.MappingNode):
            value = next((value for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            value = node.value[part]
        else:
            value = None
        if value is None:
            break
        node = value
    return int(node.start_mark.line) + 1
