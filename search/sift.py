"""What satisfies conditions and policy, without starving the page; and which limit to drop where nothing does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.constants import EXPLORE_DEPTH
from graph.policy import Policy, objections, standings_of
from graph.store import catalogue
from graph.store.evidence import deciding_evidence
from graph.store.stamp import Stamp
from indexer.snapshot import Snapshot
from search.artifact_cache import ArtifactCache
from search.copies import is_copy
from search.facts import Candidates, FactsCache
from search.memory import SearchRequest
from search.query import holds
from search.ranking import Ranking, Scored

_CHUNK: Final = 50
_WIDEN_DEPTH: Final = 200
"""So many of the nearest are looked at to say which limit keeps them out."""


@dataclass
class Sifted:
    """What is left, best first, how many were left out as unknown, and the artifacts by id where they were read."""

    kept: list[Scored] = field(default_factory=list)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    dropped_unknown: int = 0


@dataclass(frozen=True)
class Sieve:
    """The conditions, policy and unwanted artifacts of one request, at one moment (microseconds since 1970 UTC).

    The snapshot's own policy was applied when it was built; only one that is asked for by name is judged here.
    """

    connection: Connection
    cache: ArtifactCache
    snapshot: Snapshot
    request: SearchRequest
    as_of_us: int
    facts: FactsCache
    stamp: Stamp

    def sift(self, scored: Ranking) -> Sifted:
        """The first that satisfy everything, up to the page's end; at least 50 where there are so many.

        However short the page: what is explored is drawn from the first 50. What is unknown is counted up to the end
        of the page. Among equally relevant ones, of one printed score, what is verified comes first.
        """
        request, found, candidates = self.request, Sifted(), Candidates(self.connection)
        if not (request.where or request.policy or request.rejected):
            return Sifted(self._verified_first(self._down_to_ties(scored)))
        rejected = [catalogue.find_artifact(self.connection, name) for name in request.rejected]
        end = request.offset + request.limit
        wanted = max(end, EXPLORE_DEPTH)
        for chunk in _chunks(scored, max(wanted, _CHUNK)):
            if len(found.kept) >= wanted and printed(chunk[0].score) != printed(found.kept[-1].score):
                break
            artifacts = self.cache.read(self.connection, [each.artifact for each in chunk])
            for each in chunk:
                if len(found.kept) >= wanted and printed(each.score) != printed(found.kept[-1].score):
                    break
                artifact = artifacts[each.artifact]
                if any(is_copy(artifact, unwanted) for unwanted in rejected):
                    continue
                judged = candidates.of(artifact)
                answers = [holds(condition, judged) for condition in request.where]
                is_unknown = None in answers and False not in answers
                found.dropped_unknown += is_unknown and len(found.kept) < end
                if all(answers) and self._is_allowed(artifact, each):
                    found.kept.append(each)
                    found.artifacts[artifact.id] = artifact
        found.kept = self._verified_first(found.kept)
        return found

    def _down_to_ties(self, scored: Ranking) -> list[Scored]:
        """The first, up to the page's end or the 50th, and those below that print the same score as the last."""
        count = max(self.request.offset + self.request.limit, EXPLORE_DEPTH)
        kept = scored.top(count)
        while count < len(scored) and printed(scored[count].score) == printed(kept[-1].score):
            kept.append(scored[count])
            count += 1
        return kept

    def _verified_first(self, kept: Sequence[Scored]) -> list[Scored]:
        """The same, but within each printed score what matched is verified comes before what is only claimed."""

        def is_claimed(each: Scored) -> bool:
            capability = self.snapshot.rows[each.row].capability
            return not self.facts.is_verified(self.connection, self.stamp, each.artifact, capability)

        runs = [list(run) for _, run in groupby(kept, key=lambda each: printed(each.score))]
        return [each for run in runs for each in (sorted(run, key=is_claimed) if len(run) > 1 else run)]

    def keeps_out(self, scored: Ranking, fits: Callable[[Scored], bool]) -> tuple[list[tuple[str, int, str]], str]:
        """Limits that alone keep out what fits: (limit, how many, slug of the best), the most first; the best of all.

        Looks at the first 200. The second is the slug of the best that fits, whatever it satisfies; "" for none.
        """
        near = [each for each in scored.top(_WIDEN_DEPTH) if fits(each)]
        artifacts = self.cache.read(self.connection, [each.artifact for each in near])
        candidates = Candidates(self.connection)
        kept_out: dict[str, list[str]] = {}
        for each in near:
            artifact = artifacts[each.artifact]
            judged = candidates.of(artifact)
            against = [str(condition) for condition in self.request.where if not holds(condition, judged)]
            if self.request.policy and len(against) < 2 and not self._is_allowed(artifact, each):
                against.append(f"policy {self.request.policy.name}")
            if len(against) == 1:
                kept_out.setdefault(against[0], []).append(artifact.slug)
        drops = [(limit, len(slugs), slugs[0]) for limit, slugs in kept_out.items()]
        best = artifacts[near[0].artifact].slug if near else ""
        return sorted(drops, key=lambda drop: (-drop[1], drop[0])), best

    def artifacts_of(self, page: Sequence[Scored], sifted: Sifted) -> dict[str, Artifact]:
        """The artifacts of a page by id, read where sifting did not need to."""
        return sifted.artifacts or dict(self.cache.read(self.connection, [each.artifact for each in page]))

    def words(self) -> str:
        """What was asked, in words."""
        where, policy = self.request.where, self.request.policy
        asked = [f"the conditions ({', '.join(map(str, where))})"] if where else []
        asked += [f"policy {policy.name}"] if policy else []
        return " and ".join(asked) or "what is wanted"

    def _is_allowed(self, artifact: Artifact, candidate: Scored) -> bool:
        return is_allowed(
            self.connection, artifact, self.snapshot.rows[candidate.row].capability, self.request.policy, self.as_of_us
        )


def printed(score: float) -> str:
    """A score as tables print it, three decimals: results whose scores print alike are equally relevant."""
    return f"{score:.3f}"


def is_allowed(
    connection: Connection, artifact: Artifact, capability: str, policy: Policy | None, as_of_us: int
) -> bool:
    """Whether a policy has nothing against the capability that matched."""
    if policy is None:
        return True
    standings = standings_of(artifact, capability, deciding_evidence(connection, artifact.id))
    return not objections(policy, artifact, capability, standings, as_of_us)


def _chunks(scored: Ranking, size: int) -> Iterator[Sequence[Scored]]:
    for start in range(0, len(scored), size):
        yield scored[start : start + size]
