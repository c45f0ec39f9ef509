"""The committed taxonomy of tasks: Hugging Face pipeline tags by domain, a few more, and `other`."""

from __future__ import annotations

from typing import Final

DOMAINS: Final[dict[str, tuple[str, ...]]] = {
    "vision": (
        "depth-estimation",
        "image-classification",
        "object-detection",
        "image-segmentation",
        "text-to-image",
        "image-to-text",
        "image-to-image",
        "image-to-video",
        "unconditional-image-generation",
        "video-classification",
        "text-to-video",
        "zero-shot-image-classification",
        "mask-generation",
        "zero-shot-object-detection",
        "text-to-3d",
        "image-to-3d",
        "image-feature-extraction",
        "keypoint-detection",
        "video-to-video",
        "inpainting",
    ),
    "text": (
        "text-classification",
        "token-classification",
        "table-question-answering",
        "question-answering",
        "zero-shot-classification",
        "translation",
        "summarization",
        "feature-extraction",
        "text-generation",
        "text2text-generation",
        "fill-mask",
        "sentence-similarity",
        "text-ranking",
        "code-generation",
    ),
    "audio": (
        "text-to-speech",
        "text-to-audio",
        "automatic-speech-recognition",
        "audio-to-audio",
        "audio-classification",
        "voice-activity-detection",
    ),
    "multimodal": (
        "audio-text-to-text",
        "image-text-to-text",
        "image-text-to-image",
        "image-text-to-video",
        "visual-question-answering",
        "document-question-answering",
        "video-text-to-text",
        "visual-document-retrieval",
        "any-to-any",
    ),
    "tabular": (
        "tabular-classification",
        "tabular-regression",
        "time-series-forecasting",
    ),
    "control": (
        "reinforcement-learning",
        "robotics",
    ),
    "graphs": ("graph-machine-learning",),
    "lifecycle": (
        "training",
        "fine-tuning",
        "quantization",
        "export",
        "serving",
        "evaluation",
        "experiment-tracking",
        "api-access",
        "variant-selection",
        "dataset-access",
        "data-labelling",
    ),
    "data": (
        "vector-search",
        "database-access",
        "web-scraping",
        "document-parsing",
        "file-access",
        "web-search",
        "data-processing",
    ),
    "software": (
        "version-control",
        "code-execution",
        "container-management",
        "browser-automation",
        "cloud-management",
        "observability",
        "api-testing",
        "design-to-code",
        "documentation-lookup",
    ),
    "agents": (
        "orchestration",
        "tool-calling",
        "memory",
        "coding-assistant",
        "retrieval-augmentation",
        "workflow-automation",
        "prompting",
    ),
    "business": (
        "payments",
        "communication",
        "calendar",
        "project-management",
        "customer-data",
    ),
    "other": ("other",),
}
DOMAIN_OF: Final = {task: domain for domain, tasks in DOMAINS.items() for task in tasks}
OTHER: Final = "other.other"

# Names that publishers use for a task of the table, lower case, words joined by "-".
SYNONYMS: Final = {
    "conversational": "text-generation",
    "image-captioning": "image-to-text",
    "speech-recognition": "automatic-speech-recognition",
    "semantic-segmentation": "image-segmentation",
    "image-feature-vector": "image-feature-extraction",
    "text-embedding": "feature-extraction",
    "text-embeddings": "feature-extraction",
    "sentence-embedding": "sentence-similarity",
    "text-language-model": "feature-extraction",
    "named-entity-recognition": "token-classification",
    "sentiment-analysis": "text-classification",
    "image-super-resolution": "image-to-image",
    "pose-detection": "keypoint-detection",
    "audio-embedding": "audio-classification",
    "speech-to-text": "automatic-speech-recognition",
    "zero-shot-text-classification": "zero-shot-classification",
    "monocular-depth-estimation": "depth-estimation",
}


def full_task(task: str) -> str | None:
    """`domain.task` of a task, pipeline tag or synonym; None where the taxonomy does not know it.

    Examples
    --------
    >>> full_task("image-classification")
    'vision.image-classification'
    >>> full_task("vision.image-classification")
    'vision.image-classification'
    """
    bare = task.strip().lower().replace("_", "-").replace(" ", "-")
    domain, _, rest = bare.partition(".")
    if rest:
        return bare if rest in DOMAINS.get(domain, ()) else None
    bare = SYNONYMS.get(bare, bare)
    return f"{DOMAIN_OF[bare]}.{bare}" if bare in DOMAIN_OF else None


def task_of_label(*labels: str | None) -> str:
    """`domain.task` named by the end of a published label; `other.other` where none fits.

    Directories write labels such as "Computer Vision Image Classification": the longest run of last words
    that names a task decides, labels in the order given.

    Examples
    --------
    >>> task_of_label("Natural Language Processing Sentence Similarity")
    'text.sentence-similarity'
    >>> task_of_label("Cookery")
    'other.other'
    """
    for label in labels:
        words = (label or "").lower().replace("/", " ").split()
        for start in range(len(words)):
            found = full_task("-".join(words[start:]))
            if found:
                return found
    return OTHER


def task_words(task: str) -> str:
    """A task for people: 'vision.image-classification' gives 'image classification'."""
    return task.partition(".")[2].replace("-", " ")
