"""Licences that a text or an address names plainly, as SPDX ids."""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 100_000
_NAMED: Final = tuple(
    (spdx, re.compile(pattern, re.IGNORECASE))
    for spdx, pattern in (
        ("Apache-2.0", r"apache\W{0,3}(?:software\s)?(?:licen[sc]e)?,?\s{0,3}(?:version|v\.?)?\s{0,3}2\.0"),
        ("Apache-2.0", r"licenses/LICENSE-2\.0"),
        ("MIT", r"(?<![\w-])MIT\s+licen[sc]e|licen[sc]es/mit\b|^MIT$"),
        ("BSD-3-Clause", r"BSD[\s-]3[\s-]clause|3[\s-]clause\s+BSD|(?:new|modified)\s+BSD\s+licen[sc]e"),
        ("BSD-2-Clause", r"BSD[\s-]2[\s-]clause|2[\s-]clause\s+BSD|simplified\s+BSD\s+licen[sc]e"),
        ("MPL-2.0", r"mozilla\s+public\s+licen[sc]e,?\s+(?:version\s+)?2\.0|(?<!\w)MPL[\s-]2\.0"),
        ("GPL-3.0", r"(?<!lesser\s)(?<!affero\s)general\s+public\s+licen[sc]e\s{1,20}(?:version|v\.?)?\s{0,3}3"),
        ("GPL-3.0", r"(?<![AL])GPL-?v?3"),
        ("AGPL-3.0", r"affero\s+general\s+public\s+licen[sc]e|AGPL-?v?3"),
        ("CC-BY-NC-4.0", r"attribution[\s-]non-?commercial\s+4\.0|CC[\s-]BY[\s-]NC[\s-]4\.0|licenses/by-nc/4\.0"),
        ("CC-BY-NC-SA-4.0", r"non-?commercial[\s-]share-?alike\s+4\.0|CC[\s-]BY[\s-]NC[\s-]SA[\s-]4\.0"),
        ("CC-BY-NC-SA-4.0", r"licenses/by-nc-sa/4\.0"),
        ("CC-BY-4.0", r"attribution\s+4\.0\s+international|CC[\s-]BY[\s-]4\.0|licenses/by/4\.0"),
        ("Unlicense", r"the\s+unlicense|unlicense\.org"),
        ("ISC", r"(?<!\w)ISC\s+licen[sc]e"),
    )
)  # fmt: skip
_HOSTS: Final = re.compile(r"https?://(?:raw\.githubusercontent\.com|github\.com|www\.)?/?")
_BRANCHES: Final = re.compile(r"^(?:blob|raw|tree|main|master|develop|[0-9a-f]{40})$")


def spdx_of(*texts: str) -> str | None:
    """The SPDX id of the one licence that the first of these texts names plainly; None where they name none or several.

    Examples
    --------
    >>> spdx_of("http://www.apache.org/licenses/LICENSE-2.0")
    'Apache-2.0'
    >>> spdx_of("BSD 3-Clause License or MIT License") is None
    True
    """
    for text in texts:
        found = {spdx for spdx, pattern in _NAMED if pattern.search(text[:_LONGEST])}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def words_of_address(address: str) -> str:
    """An address of a licence in words: whose it is, and the file.

    Examples
    --------
    >>> words_of_address("https://raw.githubusercontent.com/pytorch/vision/master/LICENSE")
    'pytorch/vision LICENSE'
    """
    parts = [part for part in _HOSTS.sub("", address.strip(), count=1).split("/") if part]
    if len(parts) < 2:
        return address.strip()
    owner = [part for part in parts[:-1] if not _BRANCHES.match(part)]
    return "/".join(owner[:2]) + f" {parts[-1]}" if owner else parts[-1]
