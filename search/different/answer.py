"""No answer is an answer: what there is instead, and what nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

from graph.artifacts import Artifact
from search.different.alternatives import Alternatives
from search.different.differences import Difference, size_in_name, size_word
from search.query import Where


def no_answer(
    rejected: Artifact, differences: Sequence[Difference], where: Sequence[Where], found: Alternatives
) -> str:
    """One line: that nothing does the job and differs so, what comes nearest, and for how many nobody knows."""
    names = [difference.name for difference in differences]
    if not found.same_job:
        return f"nothing else here is known to do the job of {rejected.slug}: ingest more sources"
    if found.kept:
        return "no further results"
    for name, end, word in (("smaller", 0, "smallest"), ("larger", -1, "largest")):
        if name in names and (said := _by_size(rejected, name, end, word, found)):
            return said
    never_known = [name for name, count in found.unknown.items() if count == len(found.same_job)]
    if never_known:
        return (
            f"no fact tells what is {' or '.join(never_known)}: it is unknown for all {len(found.same_job)} that do "
            f"the job of {rejected.slug}"
        )
    wanted = ", ".join([*names, *map(str, where)])
    return f"nothing else does the job of {rejected.slug} and is {wanted}{_unknown(found)}; widen what you ask for"


def _by_size(rejected: Artifact, name: str, end: int, word: str, found: Alternatives) -> str:
    if rejected.params is None and size_in_name(rejected) is None and size_word(rejected) is None:
        return f"the size of {rejected.slug} is unknown, so nothing can be shown to be {name}"
    others = (found.artifacts[artifact] for artifact in found.same_job)
    sized = sorted((a.params, a.slug) for a in others if a.params is not None)
    if not sized or rejected.params is None:
        return ""
    params, slug = sized[end]
    is_so = params < rejected.params if name == "smaller" else params > rejected.params
    if is_so:
        return ""
    return f"nothing {name} does this; the {word} other is {slug} with {params:,} parameters{_unknown(found)}"


def _unknown(found: Alternatives) -> str:
    return f"; for {found.dropped_unknown} it is unknown" if found.dropped_unknown else ""
