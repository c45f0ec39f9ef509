"""From text to claims: what prose and tables state, and what everybody claims without writing it down."""

from indexer.claims.implied import implied_claims, with_implied_claims
from indexer.claims.read import read_claims, with_claims

__all__ = ["implied_claims", "read_claims", "with_claims", "with_implied_claims"]
