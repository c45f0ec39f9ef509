"""What evidence would be made with now: versions of libraries, checks and probes."""

from __future__ import annotations

from graph.attempts import Present
from inference.judging.routing import FACTS, FACTS_VERSION, METHOD, METHOD_VERSION
from inference.probes import PROBES
from inference.work.records import library_versions


def present() -> Present:
    """The versions of now; evidence made with others is stale."""
    probes = {name: probe.info.version for name, probe in PROBES.items()}
    return Present(dict(library_versions()), {METHOD: METHOD_VERSION, FACTS: FACTS_VERSION, **probes})
