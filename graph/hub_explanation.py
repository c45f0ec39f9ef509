"""An artifact with many votes explained: all are weighed as columns, and few are written out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from graph.constants import DAY_US, OUTCOME_VALUE, SHRINK_ACTORS
from graph.explain import Crowd, Explanation, PathSum
from graph.hub_neighbours import weigh_at
from graph.identities import Identities
from graph.match_graph import Vote
from graph.store.packed_votes import PackedVotes, search_digest
from graph.store.tables import FOLD_ACTORS, FOLD_EDGES, FOLD_TIMES, FOLD_VOTES
from graph.vote_columns import WeighedColumns, exact_sums, run_starts
from graph.walks import Node
from graph.weights import SELECTING, WeighedVote, examination, success_of
