"""Whatever stands in a file, of whatever kind it is said to be: entries, or one error that says where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import SourceError
from indexer.claims import with_claims
from indexer.sources import KINDS, read_source

WORDS = st.sampled_from([
    "| Feature | A | B |\n", "|---|---|---|\n", "| Type | Model | ", "| Capabilities | 99999 | x |\n",
    "A Capabilities\n", "Unique: ", "vs alternatives: ", "+99999 more capabilities\n", "Verdict\n", "A vs B\n", "---\n",
    "A leads on B and C", "license: x\n", "model-index:\n", "- name: ", "name: a\n", "type: server\n", "about:\n",
    "  title: T\n", "tools:\n", "description: ", "task_type: ", "files:\n", "  size: -1\n", "model,top1,params\n",
    "id,name,description\n", "1e999", "nan", '"', ",", ";", "\n", "\r\n", "\t", "\ufeff", "é", "😀", "\\", "a", "5.6M",
    '{"id": "a", "name": "b"}\n', "#", "[", "{", "&x ", "*x ", "!!y ", "\u2028", "\x85", "\x07",
])  # fmt: skip
TEXTS = st.lists(WORDS, max_size=25).map("".join).map(str.encode)
FILES = ("a.md", "a.txt", "a.csv", "a.tsv", "a.jsonl", "a.json", "a.yaml", "model.yml", "README.md")


@pytest.mark.parametrize("name", FILES)
@given(data=TEXTS | st.binary(max_size=60))
def test_any_file_gives_entries_or_an_error(tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / name
    file.write_bytes(data)
    for kind in (None, *(kind for kind in KINDS if kind not in ("model", "hf_cache", "apibench"))):
        try:
            entries = list(read_source(file, kind))
        except SourceError as error:
            assert "\n" not in str(error) and name in str(error)
            continue
        for entry in entries:
            assert (entry.artifact is None) == (entry.problem is not None)
            for passage in entry.passages:
                span = passage.span(0, len(passage.text))
                assert 0 <= span.start <= span.end
            if entry.artifact is not None:
                ids = [capability.id for capability in entry.artifact.capabilities]
                assert len(ids) == len(set(ids))
                assert {passage.capability for passage in entry.passages} <= {None, *ids}
                with_claims(entry.artifact, entry.passages)
