"""Probes run the model. One file a family; `PROBES` names them all."""

from __future__ import annotations

from typing import Final

from inference.probes.base import Probe
from inference.probes.classification import ClassificationProbe
from inference.probes.embedding import EmbeddingShapeProbe, SimilarityProbe
from inference.probes.generation import GenerationProbe
from inference.probes.loading import LoadingProbe
from inference.probes.tokens import TokensProbe
from inference.probes.zero_shot import ZeroShotProbe

LOADING: Final[Probe] = LoadingProbe()
WITHOUT_DATA: Final[tuple[Probe, ...]] = (EmbeddingShapeProbe(),)
WITH_DATA: Final[tuple[Probe, ...]] = (
    ClassificationProbe("image", "vision.image-classification"),
    ClassificationProbe("text", "text.text-classification"),
    GenerationProbe(),
    SimilarityProbe(),
    TokensProbe(),
    ZeroShotProbe(),
)
PROBES: Final[dict[str, Probe]] = {probe.info.name: probe for probe in (LOADING, *WITHOUT_DATA, *WITH_DATA)}
