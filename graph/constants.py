"""The published constants: every number a score, a weight or a verdict depends on, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY_US: Final = 86_400 * 1_000_000
"""Microseconds in a day; event times are integers in microseconds since 1970 UTC."""

# Outcomes ---------------------------------------------------------------------------------------------
OUTCOME_VALUE: Final = {"click": 0.2, "select": 0.6, "success": 1.0, "failure": -0.5, "dismiss": -0.2}
"""What an outcome is worth at position 1, fresh and fully trusted."""
OUTCOME_LEVEL: Final = {"click": 1, "dismiss": 2, "select": 3, "success": 4, "failure": 4}
"""The strongest outcome per actor, search and artifact counts, in this order."""
EXAMINATION_EXPONENT: Final = 0.7
"""Examination at position p is p to the minus this."""
EXAMINATION_FLOOR: Final = 0.1
"""Examination is at least this, so that a deep result counts at most ten times its value."""
HALF_LIFE_DAYS: Final = 180.0
"""An outcome's weight halves in this many days."""
ACTOR_CAP: Final = 1.0
"""One actor's votes on one artifact, over all intents, weigh at most this in size."""
SHRINK_ACTORS: Final = 4.0
"""k distinct actors shrink what they say by k / (k + this)."""
TOKEN_LIFE_DAYS: Final = 30
"""An outcome token is taken for this many days."""
SUCCESS_INTERVAL_LEVEL: Final = 0.90
"""Level of the success rate's interval."""

# Scores -----------------------------------------------------------------------------------------------
RANK_WEIGHTS: Final = {"adoption": 25.0, "quality": 25.0, "ecosystem": 10.0, "match_graph": 30.0, "freshness": 10.0}
"""Points of a rank that each component is worth; the same for every type."""
RANK_PRIOR: Final = 0.5
"""What an unknown component counts where none of its type is known."""
RANK_LEAST_KNOWN: Final = 50.0
"""Under this many known points an artifact is not ranked."""
ADOPTION_FLOOR: Final = 20.0
"""Counts are measured against the 95th percentile of their type, but at least against this."""
ADOPTION_PERCENTILE: Final = 95.0
"""The percentile that counts as full adoption."""
QUALITY_TIER_WEIGHT: Final = {"artifact": 1.0, "architecture": 0.5, "text": 0.25}
"""What a verdict of each tier weighs."""
QUALITY_CONFIDENCE: Final = 0.95
"""Confidence of the one-sided Wilson lower bound."""
ECOSYSTEM_SCALE: Final = 5.0
"""This many things around an artifact give an ecosystem of 1 - 1/e."""
PAGERANK_DAMPING: Final = 0.85
"""The chance that a walk goes on."""
PAGERANK_TOLERANCE: Final = 1e-12
"""Walks stop when a step moves less than this in sum."""
FRESHNESS_REVISION_DAYS: Final = 365.0
"""Half-life of a revision's age."""
FRESHNESS_EVIDENCE_DAYS: Final = 180.0
"""Half-life of the age of the newest evidence."""

# Verdicts ---------------------------------------------------------------------------------------------
INTERVAL_LEVEL: Final = 0.95
"""Level of the two-sided intervals that decide verdicts."""
MARGIN_POINTS: Final = 1.0
"""δ for accuracies, in percentage points."""
PREPROCESSING_POINTS: Final = 0.5
"""A difference within this many points may come from preprocessing: inconclusive."""
RUNS_ABOVE_CHANCE: Final = 0.25
"""`runs` needs at least chance + this share of the way from chance to 1."""

# Search -----------------------------------------------------------------------------------------------
LEXICAL_WEIGHT: Final = 0.3
"""Fused score = cosine + LEXICAL_WEIGHT · BM25 / (largest BM25 of the query) + what the log says (docs/formulas.md)."""
MEAN_SEARCHES: Final = 1_024
"""The mean search is that of at most this many intents: of more, a sample by a hash of their ids."""
LOG_SHRINK: Final = 14.0
"""In a search, k actors' confirmations count k / (k + this) of what they would if there were many."""
TURN_WEIGHT: Final = 3.0
"""Weight of the turn: how much nearer the confirmed searches of an artifact bring it to the query."""
TURN_CAP: Final = 0.4
"""One search turns an artifact by at most this cosine."""
TURN_LEAST: Final = 0.05
"""This much of each turn is taken off, so that what was never searched for loses no place to chance."""
NEAR_WEIGHT: Final = 1.5
"""Weight of the share of near searches' confirmations that an artifact has, above its share of all."""
NEAR_SIMILARITY: Final = 0.8
"""A search at this centred cosine or above is as near as can be."""
NEAR_TEMPERATURE: Final = 0.1
"""A search at a smaller centred cosine c counts exp((c - NEAR_SIMILARITY) / this)."""
WORDS_WEIGHT: Final = 1.5
"""Weight of the query's words in an artifact's confirmed searches, above what its popularity explains."""
LOG_RAMP: Final = 2.0
"""At this many confirmations of an artifact, near searches and their words count half: k² / (k² + this²)."""
LOG_NEIGHBOUR: Final = 0.5
"""A search at this cosine or above is the query's neighbour; in the neighbourhood one actor is one voice."""
LOG_MOST: Final = 1.0
"""The log adds or takes away at most this much."""
ACTOR_EPSILON: Final = (TURN_WEIGHT * TURN_CAP + NEAR_WEIGHT + WORDS_WEIGHT) / (1.0 + LOG_SHRINK) + NEAR_WEIGHT / (
    LOG_SHRINK**0.5 + (1.0 + LOG_SHRINK) ** 0.5
) ** 2
"""ε: the most that one actor changes a fused score (proof: docs/formulas.md)."""
DEMAND_WINDOW_DAYS: Final = 28
"""The demand report looks at this many days, and compares them with as many before."""
DEMAND_LEVEL: Final = 0.95
"""Level of the demand report's one-sided bounds; for what rises, of all intents together."""
INTENT_SIMILARITY: Final = 0.80
"""Queries at least this similar share an intent (cosine)."""
CANONICAL_SIMILARITY: Final = 0.80
"""Capabilities of one task at least this similar share a canonical capability (cosine)."""
CANONICAL_SIMILARITY_SAME_JOB: Final = 0.70
"""The same where the task already names the job, or both name the same label set."""
CANONICAL_SIMILARITY_STRICT: Final = 0.88
"""The same where the job is a label set that neither names, and in `other.other`."""
FITS_PRIOR: Final = 0.8
"""Before anything is known of a query, something in the index fits it with this probability."""
ABSTAIN_CONFIDENCE: Final = 0.5
"""Abstain where something fits with less than this probability, and the query is nobody's name."""
ABSTAIN_BELOW: Final = 0.25
"""In a snapshot without calibration: abstain where the best cosine is below this, and the query is nobody's name."""
CALIBRATION_SENTENCES: Final = 200
"""A calibration asks this many made queries of the index; fewer different sentences are taken several times."""
CALIBRATION_SHARE: Final = 1 / 3
"""A made query keeps this share of the words of a sentence that the index holds."""
CALIBRATION_LEAST_WORDS: Final = 6
"""A shorter sentence makes no query where there are longer ones."""
CALIBRATION_LEAST_OFF_DOMAIN: Final = 20
"""With fewer off-domain queries that an index does not answer, it has no calibration."""
EXPLORE_DEPTH: Final = 50
"""The exploration slot is drawn from this many of the first results."""
EXPLORE_TEMPERATURE: Final = 0.1
"""A result whose score is s below that of the best candidate is drawn with weight exp(-s / this)."""
EXPLORE_LEAST_PAGE: Final = 3
"""A first page with fewer places has no exploration slot."""
DIFFERENT_NEED_WEIGHT: Final = 1.0
"""Something different is sought with the artifact's own vector + this · the vector of the words; normalised."""
JOB_NEIGHBOURS: Final = 20
"""A job that nobody states is voted for by this many of the nearest artifacts that state one."""
JOB_TEMPERATURE: Final = 0.1
"""An artifact at cosine c votes for its job with weight exp((c - 1) / this)."""
JOB_LEAST_AGREEMENT: Final = 0.1
"""Whose job has a smaller share of the votes is not said to do the same."""
DIVERSITY_WEIGHT: Final = 0.1
"""In something different, a result loses this · its largest cosine to a result above it."""
SCORES_FRESH_US: Final = 3_600_000_000
"""Ranks of search results follow every change at once; their decay is at most this far behind (µs)."""
QUERY_MAX_CHARS: Final = 2_000
"""A longer query is cut here, and the answer says so."""
LIMIT_MAX: Final = 100
"""The most results of one page."""


@dataclass(frozen=True)
class Constant:
    """One row of the published table."""

    name: str
    value: object


def published_constants() -> list[Constant]:
    """Every constant of this module, sorted by name."""
    return [Constant(name, value) for name, value in sorted(globals().items()) if name.isupper()]
