"""Lint: sources are read, their claims checked without a model, and what was found is told; nothing is stored."""

from indexer.lint.findings import Linted, LintReport
from indexer.lint.run import lint

__all__ = ["LintReport", "Linted", "lint"]
