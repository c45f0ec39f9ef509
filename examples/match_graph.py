"""A worked example: the match graph as a networkx graph. Cells are marked as notebooks read them (`# %%`).

    MATCHGRAPH_HOME=~/.matchgraph python examples/match_graph.py

A test runs it on a small home.
"""

# %% The match graph of a home, as of now
import networkx

from graph.events import now_us
from graph.home import open_home
from graph.settings import Settings
from graph.statistics import read_match_graph

home = open_home(Settings())
with home.store.reading() as connection:
    match_graph = read_match_graph(connection, now_us())
G = match_graph.to_networkx()
print(match_graph.stats())  # noqa: T201

# %% What is asked for most, and through which capabilities it was answered
intents = [(data["searches"], node) for node, data in G.nodes(data=True) if data["kind"] == "intent"]
for searches, intent in sorted(intents, key=lambda pair: (-pair[0], pair[1]))[:5]:
    ways = ", ".join(f"{uri} ({G.edges[intent, uri]['deliveries']})" for uri in G.successors(intent))
    print(searches, intent, "->", ways)  # noqa: T201

# %% PageRank by networkx is the one that we show: the same walk, over outcome weights, back to the intents
back = match_graph.to_networkx(back=True)
starts = {node.key: weight for node, weight in match_graph.walks.intent_weights.items()}
ranks = networkx.pagerank(back, personalization=starts, weight="walk", tol=1e-12, max_iter=1_000) if starts else {}
largest = max((abs(rank - G.nodes[node]["pagerank"]) for node, rank in ranks.items()), default=0.0)
print(f"largest difference: {largest:.1e}")  # noqa: T201

# %% Which artifacts answer the same intents: two artifacts, and how many intents they share
artifacts = sorted(node for node, data in G.nodes(data=True) if data["kind"] == "artifact")
served = {artifact: networkx.ancestors(G, artifact) & {intent for _, intent in intents} for artifact in artifacts}
pairs = [(len(served[a] & served[b]), a, b) for i, a in enumerate(artifacts) for b in artifacts[i + 1 :]]
for shared, a, b in sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:5]:
    print(shared, a, b)  # noqa: T201
home.close()
