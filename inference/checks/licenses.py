"""What a licence permits, by its SPDX id or its usual name: against what a page says that it permits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from graph.artifacts import Artifact
from graph.claims import Claim
from inference.checks.base import Flag, Verdict, is_plain, refuted
from inference.judging.findings import Finding
from inference.verdicts.rules import Judgement

# Whether the licence text permits commercial use. Sources: the SPDX list and the licences' own texts.
_COMMERCIAL: Final = (
    (False, re.compile(
        r"\bcc-?by-?nc|non-?commercial|flux-?1?\.?1?-?(?:\[?dev\]?)(?:-non)?|research[- ]only|"
        r"polyform-noncommercial"
        , re.I)),
    (True, re.compile(
        r"^(?:mit(?:-0)?|apache(?:[- ]?(?:license )?2(?:\.0)?)?|bsd(?:-[0-4]-clause(?:-[a-z]+)?)?|isc|zlib|"
        r"unlicense|cc0(?:-1\.0)?|"


        r"cc-by(?:-sa)?-[234]\.0|mpl-2\.0|l?gpl-[23]\.[01](?:-only|-or-later|\+)?|agpl-3\.0(?:-only|"
        r"-or-later)?|epl-[12]\.0|wtfpl|bsl-1\.0|"

                      r"artistic-2\.0|postgresql|python-2\.0|ncsa)$", re.I)),
)  # fmt: skip


def permits_commercial(license_name: str) -> bool | None:
    """Whether a licence permits commercial use; None where its name is not known here.

    Of "A or B" the user may choose, of "A and B" both hold.

    Examples
    --------
    >>> permits_commercial("Apache-2.0"), permits_commercial("cc-by-nc-4.0"), permits_commercial("my licence")
    (True, False, None)
    >>> permits_commercial("MIT OR cc-by-nc-4.0"), permits_commercial("MIT AND cc-by-nc-4.0")
    (True, False)
    """
    either = [part for part in re.split(r"\s+or\s+", license_name.strip(" ()"), flags=re.IGNORECASE) if part]
    if len(either) > 1:
        known = [permits_commercial(part) for part in either]
        return True if True in known else None if None in known else False
    both = [part for part in re.split(r"\s+and\s+", license_name.strip(" ()"), flags=re.IGNORECASE) if part]
    if len(both) > 1:
        known = [permits_commercial(part) for part in both]
        return False if False in known else None if None in known else True
    return next((allowed for allowed, pattern in _COMMERCIAL if pattern.search(license_name.strip(" ()"))), None)


def check_licenses(artifact: Artifact, claims: Sequence[Claim]) -> Iterator[Verdict | Flag]:
    """Refutes or verifies what a page says of commercial use, by the licence that the artifact states."""
    if artifact.license is None:
        return
    allowed = permits_commercial(artifact.license)
    for claim in claims:
        if claim.metric != "license_allows" or not is_plain(claim) or allowed is None:
            continue
        if claim.value == "commercial" and not allowed:
            yield refuted(claim, f"its licence, {artifact.license}, does not permit commercial use")
        elif claim.value == "commercial":
            said = f"its licence, {artifact.license}, permits commercial use"
            yield Verdict(claim.id, Finding(Judgement("verified", None, said), None, "text", "licenses", "1"))
