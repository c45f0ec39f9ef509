"""The house: floors import only floors below, heavy libraries stay inside functions of `inference`."""

from __future__ import annotations

import ast
import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

FLOORS = ("graph", "inference", "indexer", "search", "cli")
"""From the ground up."""
HEAVY = frozenset({"torch", "transformers", "diffusers", "sentence_transformers", "onnxruntime", "tokenizers"})


@dataclass(frozen=True)
class Import:
    """One imported module, dotted from the top.

    `name` is the variable that it binds, `lazy` is inside a function, `typing_only` is never executed.
    """

    module: str
    name: str
    line: int
    lazy: bool
    typing_only: bool


def imports_of(source: str, package: str) -> Iterator[Import]:
    """All imports of a module, lazy and dynamic ones included; `package` resolves relative ones."""

    def visit(node: ast.AST, lazy: bool, typing_only: bool) -> Iterator[Import]:
        names: list[tuple[str, str]] = []
        if isinstance(node, ast.Import):
            names = [(alias.name, alias.asname or alias.name.partition(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names = [(f"{base}.{alias.name}", alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                names = [(node.args[0].value, "")]
        yield from (Import(module, name, node.lineno, lazy, typing_only) for module, name in names)
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        guarded = isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"
        otherwise = node.orelse if isinstance(node, ast.If) else []
        for child in ast.iter_child_nodes(node):
            yield from visit(child, lazy or inside, typing_only or (guarded and child not in otherwise))

    yield from visit(ast.parse(source), lazy=False, typing_only=False)


def broken_rules(source: str, module: str) -> list[str]:
    """What a module of ours imports against the rules of the house; `module` is dotted, packages end in `__init__`."""
    floor, found = module.partition(".")[0], []
    for each in imports_of(source, module.rpartition(".")[0]):
        top = each.module.partition(".")[0]
        where = f"{module}:{each.line}: {each.module}"
        if top in FLOORS and FLOORS.index(top) > FLOORS.index(floor):
            found.append(f"{where}: {floor} must not import the floor {top} above it")
        if each.name in FLOORS:
            found.append(f"{where}: write `from {top}.… import …`: the name {each.name} shadows variables")
        if top in HEAVY and floor != "inference":
            found.append(f"{where}: only inference may import {top}")
        if top in HEAVY and not each.lazy and not each.typing_only:
            found.append(f"{where}: import {top} inside a function")
    return found


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    for floor in FLOORS:
        for path in sorted((root / floor).rglob("*.py")):
            yield ".".join(path.relative_to(root).with_suffix("").parts), path


def test_every_floor_imports_only_floors_below(repository: Path) -> None:
    found = list(modules(repository))
    assert {name.partition(".")[0] for name, _ in found} == set(FLOORS)  # the walk saw the whole house
    assert [rule for name, path in found for rule in broken_rules(path.read_text(encoding="utf-8"), name)] == []


def test_every_package_is_typed_and_a_package(repository: Path) -> None:
    for floor in FLOORS:
        assert (repository / floor / "py.typed").is_file()
        for path in (repository / floor).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path


@pytest.mark.parametrize(
    ("module", "source", "hint"),
    [
        ("graph.store.log", "from search.engine import open_engine", "must not import the floor search"),
        ("graph.ranks.scores", "def f():\n    import cli.main as main", "must not import the floor cli"),
        ("indexer.gate", "from importlib import import_module\nimport_module('search.engine')", "floor search"),
        ("inference.checks", "def f():\n    from ..indexer import claims", "must not import the floor indexer"),
        ("indexer.vectors", "def f():\n    import torch", "only inference may import torch"),
        ("search.engine", "class A:\n    def f(self):\n        from tokenizers import Tokenizer", "only inference"),
        ("inference.embedder", "import torch.nn.functional as F", "inside a function"),
        ("inference.embedder", "try:\n    import transformers\nexcept ImportError:\n    pass", "inside a function"),
        ("inference.embedder", "if TYPE_CHECKING:\n    pass\nelse:\n    import torch", "inside a function"),
        ("cli.main", "import graph", "shadows"),
        ("cli.main", "import graph.store.log", "shadows"),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str, hint: str) -> None:
    rules = broken_rules(source, module)
    assert len(rules) == 1
    assert hint in rules[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cli.main", "from graph.store import log\nfrom search.engine import open_engine"),
        ("inference.embedder", "def f():\n    import torch\n    from transformers import AutoModel"),
        ("inference.embedder", "if TYPE_CHECKING:\n    import torch"),
        ("indexer.sources.manifest", "from ..pipeline import ingest\nfrom . import model"),
        ("search.engine", "import networkx\nfrom graphlib import TopologicalSorter\nimport torchless"),
    ],
)
def test_what_is_allowed_is_not_found(module: str, source: str) -> None:
    assert broken_rules(source, module) == []


def test_no_other_distribution_ships_a_package_of_our_names() -> None:
    shipped = importlib.metadata.packages_distributions()
    assert "pytest" in shipped  # the table is filled
    foreign = {floor: [name for name in shipped.get(floor, []) if name != "matchgraph"] for floor in FLOORS}
    assert foreign == {floor: [] for floor in FLOORS}
