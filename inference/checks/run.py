"""All checks on an artifact, one after the other."""

from __future__ import annotations

from graph.artifacts import Artifact
from inference.checks.apis import check_apis
from inference.checks.base import Checked
from inference.checks.comparisons import check_comparisons
from inference.checks.consistency import check_consistency
from inference.checks.licenses import check_licenses
from inference.checks.losses import check_losses
from inference.checks.measured_tables import MeasuredTables, check_tables
from inference.checks.pages import check_page
from inference.checks.ratios import check_ratios


def check_artifact(artifact: Artifact, tables: MeasuredTables | None = None) -> Checked:
    """What all checks find on an artifact's own claims; milliseconds, and no torch.

    Parameters
    ----------
    artifact
        With all its claims, read from its fields and its text.
    tables
        Numbers that a third party measured; None where there are none.
    """
    claims, checked = artifact.claims, Checked()
    checked.add(check_ratios(artifact, claims))
    checked.add(check_comparisons(claims))
    checked.add(check_losses(claims))
    checked.add(check_page(artifact, claims))
    checked.add(check_licenses(artifact, claims))
    checked.add(check_apis(claims))
    checked.add(check_consistency(claims))
    if tables is not None:
        checked.add(check_tables(artifact, claims, tables))
    return checked
