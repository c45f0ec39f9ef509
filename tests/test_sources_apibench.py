"""APIBench: dirty calls, keys, both shapes of pairs, and the published lexical baseline as the proof of the reading."""

from __future__ import annotations

import json
from pathlib import Path

import bm25s
import numpy as np
import pytest
import Stemmer

from graph.errors import SourceError
from indexer.sources import apibench_catalogue, apibench_queries, detect_kind, read_source
from indexer.sources.apibench import Hub, instruction_of, key_of

HF: list[tuple[str, str, str]] = [
    ("AutoModel.from_pretrained('YituTech/conv-bert-base')", "", "YituTech/conv-bert-base"),
    ("pipeline('text-to-image', model=SG161222/Realistic_Vision_V1.4)", "", "SG161222/Realistic_Vision_V1.4"),
    ("Blip.from_pretrained(Salesforce/blip-image-captioning-large)", "", "Salesforce/blip-image-captioning-large"),
    ("timm.create_model('hf_hub:timm/vit_tiny.augreg', pretrained=True)", "", "timm/vit_tiny.augreg"),
    ("./run.sh --output_wav out.wav --download_model mio/amadeus", "x", "mio/amadeus"),
    ("mlagents-load-from-hf --repo-id='0xid/poca-SoccerTwos' --local-dir='./downloads'", "", "0xid/poca-SoccerTwos"),
    ("joblib.load('model.joblib')", "abhishek/autotrain-iris-knn", "abhishek/autotrain-iris-knn"),
    ("joblib.load(hf_hub_download('merve/tips', 'sklearn_model.joblib'))", "", "merve/tips"),
    ("pipeline('fill-mask')", "bert-base-uncased", "bert-base-uncased"),
    ("pipeline('text-generation', model='distilgpt2')", "distilgpt2", "distilgpt2"),
    ("AutoModelWithLMHead.from_pretrained('output-small')", "satvikag/chatbot", "satvikag/chatbot"),
    ("RandomForestRegressor()", "rajistics/california_housing", "rajistics/california_housing"),
    ("load(cached_download('https://huggingface.co/facebook/textless_sm_cs_en/resolve/main/model.pt'))", "t",
     "facebook/textless_sm_cs_en"),
    ("P.from_pretrained('CompVis/sd', vae=V.from_pretrained('stabilityai/vae'))", "stabilityai/vae", "stabilityai/vae"),
    ("from_hparams(source='speechbrain/x', savedir='pretrained_models/x')", "", "speechbrain/x"),
    ("classifier(sequence)", "AutoModel.from_pretrained('Sahajtomar/German_Zeroshot')", "Sahajtomar/German_Zeroshot"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "name", "key"), HF, ids=[key for _, _, key in HF])
def test_hugging_face_key_is_the_model_id_in_a_dirty_call(call: str, name: str, key: str) -> None:
    assert key_of({"api_call": call, "api_name": name}, "huggingface") == key


def test_keys_of_the_other_hubs() -> None:
    def torch(call: str) -> str:
        return key_of({"api_call": call, "api_name": "n"}, "torchhub")

    assert torch("torch.hub.load(repo_or_dir='pytorch/vision', model='alexnet')") == "pytorch/vision:alexnet"
    assert torch("torch.hub.load(repo_or_dir='szq0214/MEAL-V2', 'meal_v2', model='m')") == "szq0214/MEAL-V2:m"
    assert torch("torch.hub.load(repo_or_dir='pytorch/fairseq')") == "pytorch/fairseq"
    assert torch("nothing") == "n"
    url = "hub.KerasLayer('https://tfhub.dev/google/imagenet/inception_v3/feature_vector/5', trainable=False)"
    assert key_of({"api_call": url}, "tensorflowhub") == "google/imagenet/inception_v3/feature_vector/5"
    assert key_of({"api_call": "hub.KerasLayer(model_id)", "api_name": "model_id"}, "tensorflowhub") == "model_id"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("###Instruction: Find a cat.\n###Output: {'domain': 'x'}", "Find a cat."),
        ("### Instruction\nFind a cat.\n### Output\n…", "Find a cat."),
        ("###Instruction: Find a cat.\n\n###Input: cat.png\n###Output: …", "Find a cat."),
        ("###Instruction: Find a cat.", "Find a cat."),
        ("{'Instruction': Find a cat., 'Output': {'domain': 'x'}}", "Find a cat."),
        ("{'Instruction': 'Find a \"cat\".', 'Input': '<noinput>', 'Output': {}}", 'Find a "cat".'),
        ("no instruction", None),
        ("###Instruction:   ###Output: x", None),
        (None, None),
    ],
)
def test_instruction_is_found_in_both_shapes(code: object, text: str | None) -> None:
    assert instruction_of(code) == text


def test_rows_of_one_key_are_wordings_of_one_artifact(tmp_path: Path) -> None:
    call = "hub.load('https://tfhub.dev/google/yamnet/1')"
    rows = [
        {"api_name": "a", "api_call": call, "domain": "D", "functionality": ["f", "g"], "description": "one"},
        {"api_name": "b", "api_call": "hub.load('https://tfhub.dev/o/p/1')", "domain": "D", "functionality": "f",
         "description": "x", "framework": "TensorFlow Hub", "performance": {"Params (M)": 1.5}},
        {"api_name": "c", "api_call": call, "domain": "D", "functionality": "h", "description": "two"},
    ]  # fmt: skip
    lines = [json.dumps(rows[0]), "{broken", json.dumps(rows[1]), json.dumps(rows[2])]
    file = tmp_path / "api" / "tensorflowhub_api.jsonl"
    file.parent.mkdir()
    file.write_text("\n".join(lines))
    assert detect_kind(tmp_path) == "apibench" == detect_kind(file)
    entries = list(read_source(tmp_path))
    assert [entry.problem.line for entry in entries if entry.problem] == [2]
    first, second = [entry.artifact for entry in entries if entry.artifact]
    assert (first.id, first.name) == ("google/yamnet/1", "google yamnet 1")
    assert first.capabilities[0].functionality == "f, g"
    assert [wording.description for wording in first.capabilities[0].wordings] == ["two"]
    assert (second.params, second.library, second.organization) == (1_500_000, "TensorFlow Hub", "o")
    with pytest.raises(SourceError, match="not valid JSON"):
        list(apibench_catalogue(tmp_path, "tensorflowhub"))


def test_pair_without_an_instruction_is_an_error_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "torchhub_eval.json"
    file.write_text(json.dumps({"code": "nothing", "api_call": "x"}))
    with pytest.raises(SourceError, match=r"torchhub_eval\.json:1: no instruction"):
        list(apibench_queries(file))


def test_folder_without_apibench_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="give APIBench's folder"):
        list(read_source(tmp_path, "apibench"))


HUBS: list[tuple[Hub, str, int, int, float]] = [
    ("huggingface", "huggingface_eval", 901, 911, 0.260),
    ("torchhub", "torchhub_eval", 94, 186, 0.256),
    ("tensorflowhub", "tensorflow_eval", 58, 688, 0.391),
]


@pytest.mark.parametrize(("hub", "pairs", "artifacts", "count", "published"), HUBS, ids=[row[0] for row in HUBS])
def test_published_lexical_baseline_is_reproduced(
    shared: Path, hub: Hub, pairs: str, artifacts: int, count: int, published: float
) -> None:
    """nDCG@10 of BM25 over "name. domain. functionality. description" of each artifact's first row."""
    folder = shared / "data" / "apibench"
    rows = list(apibench_catalogue(folder, hub, with_variants=False))
    queries = list(apibench_queries(folder / "data" / "apibench" / f"{pairs}.json"))
    assert (len(rows), len(queries), len({query["qid"] for query in queries})) == (artifacts, count, count)
    texts = [". ".join([row["name"], row["domain"], row["functionality"], row["description"]]) for row in rows]
    stemmer = Stemmer.Stemmer("english")
    engine = bm25s.BM25()
    engine.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False)
    words = bm25s.tokenize(
        [query["text"] for query in queries], stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False
    )
    gains = []
    for query, tokens in zip(queries, words, strict=True):
        scores = engine.get_scores(tokens) if tokens else np.zeros(len(rows))
        best = [rows[index]["id"] for index in np.argsort(-scores, kind="stable")[:10]]
        gains.append(sum(1 / np.log2(place + 2) for place, key in enumerate(best) if key in query["rel"]))
    assert np.mean(gains) == pytest.approx(published, abs=0.01)


def test_log_of_torchhub_names_known_artifacts(shared: Path) -> None:
    folder = shared / "data" / "apibench"
    known = {row["id"] for row in apibench_catalogue(folder, "torchhub")}
    log = list(apibench_queries(folder / "data" / "apibench" / "torchhub_train.json"))
    assert len(log) == 837
    assert all(set(query["rel"]) <= known for query in log)
    assert not any(text.startswith("{") or "Output" in text for text in (query["text"] for query in log))


def test_all_rows_of_apibench_are_accepted(shared: Path) -> None:
    entries = list(read_source(shared / "data" / "apibench"))
    assert [entry.problem for entry in entries if entry.problem] == []
    assert len(entries) == 901 + 94 + 58
    rows = sum(1 + len(entry.artifact.capabilities[0].wordings) for entry in entries if entry.artifact)
    assert 1_600 < rows < 936 + 94 + 696  # equal rows of one artifact are kept once
    tasks = [entry.artifact.capabilities[0].task for entry in entries if entry.artifact]
    assert sum(task == "other.other" for task in tasks) / len(tasks) < 0.1
