"""Checks: what needs no weights. Arithmetic on what an artifact's pages say, and what licences and libraries are."""

from inference.checks.base import Checked, Flag
from inference.checks.run import check_artifact

__all__ = ["Checked", "Flag", "check_artifact"]
