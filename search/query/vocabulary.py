"""Names that queries use for what artifacts are made of: libraries, families, formats, licences, types."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

FORMATS: Final = {
    "onnx": "onnx", "gguf": "gguf", "ggml": "ggml", "safetensors": "safetensors", "tflite": "tflite",
    "openvino": "openvino", "coreml": "coreml", "core ml": "coreml", "torchscript": "torchscript", "mlx": "mlx",
    "tensorrt": "tensorrt", "saved model": "savedmodel", "savedmodel": "savedmodel",
}  # fmt: skip
"""Formats of files as queries name them, and as the field `format` does."""
LIBRARIES: Final = (
    "transformers", "diffusers", "sentence-transformers", "pytorch", "tensorflow", "keras", "jax", "flax", "fairseq",
    "espnet", "speechbrain", "nemo", "scikit-learn", "sklearn", "xgboost", "lightgbm", "spacy", "flair", "timm",
    "ultralytics", "stable-baselines3", "onnxruntime", "paddlepaddle", "mxnet", "open_clip", "asteroid", "joblib",
    "pyannote.audio", "ctranslate2", "llama.cpp", "vllm", "peft", "adapter-transformers", "allennlp", "stanza",
    "fasttext", "gensim", "rasa", "ml-agents", "tensorflow hub", "torchvision",
)  # fmt: skip
"""Libraries that load models, as queries name them."""
FAMILIES: Final = (
    "albert", "bart", "beit", "bert", "bigbird", "blenderbot", "blip", "bloom", "chatglm", "clap", "clip",
    "codebert", "codegen", "convnext", "controlnet", "deberta", "deit", "detr", "dialogpt", "distilbert",
    "distilroberta", "donut", "dpt", "efficientnet", "electra", "falcon", "flan-t5", "flux", "gemma", "glpn", "gpt",
    "gpt2", "gpt-j", "gpt-neo", "hubert", "layoutlm", "layoutlmv2", "layoutlmv3", "llama", "longformer",
    "mamba", "marian", "maskformer", "mbart", "minilm", "mistral", "mixtral", "mobilenet", "mobilevit", "mpnet",
    "mt5", "nllb", "opt", "opus-mt", "owlvit", "pegasus", "phi", "pythia", "qwen", "resnet", "roberta", "sam",
    "segformer", "sepformer", "speecht5", "stable diffusion", "swin", "t5", "tacotron", "tapas", "tapex",
    "timesformer", "trocr", "vicuna", "videomae", "vilt", "vit", "vits", "wav2vec2", "wavlm", "whisper", "xlm",
    "xlm-roberta", "xlnet", "yolo", "yolov5", "yolov8", "yolos",
)  # fmt: skip
"""Families of models, as names carry them; only where they are negated or asked to differ is one taken for a limit."""
TYPES: Final = {
    "mcp server": "mcp", "mcp servers": "mcp", "mcp": "mcp", "dataset": "dataset", "datasets": "dataset",
    "data set": "dataset", "data sets": "dataset", "benchmark": "benchmark", "benchmarks": "benchmark",
    "browser extension": "extension", "browser extensions": "extension", "command-line tool": "cli",
    "command line tool": "cli", "prompt template": "prompt", "web app": "webapp",
}  # fmt: skip
"""Types that a query names beyond doubt; "a tool", "an API" and "a model" ask for anything that works."""
LICENCE_NAMES: Final = (
    r"(?:mit|apache(?:[\s-]?(?:license[\s-])?2(?:\.0)?)?|(?:2|3)-clause\s+bsd|bsd(?:[\s-][23](?:-clause)?)?|"
    r"a?gpl(?:[\s-]?v?[23](?:\.0)?)?|lgpl(?:[\s-]?v?[23](?:\.0)?)?|mpl(?:[\s-]?2(?:\.0)?)?|"
    r"cc0|cc[\s-]by(?:-(?:nc|sa|nd)){0,2}(?:[\s-]4\.0)?|isc|openrail(?:-m|\+\+)?|unlicense)"
)
"""A pattern of licences as queries write them."""


def either(names: Iterable[str]) -> str:
    """A pattern of any of some names, longer ones first, whose blanks may be several."""
    ordered = sorted(names, key=lambda name: (-len(name), name))
    return "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in ordered)
