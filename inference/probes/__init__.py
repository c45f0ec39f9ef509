"""Probes run the model. One file a family; `PROBES` names them all."""

from __future__ import annotations

from typing import Final

from inference.probes.architecture import ArchitectureProbe
from inference.probes.base import Probe
from inference.probes.classification import ClassificationProbe
from inference.probes.diffusion import DIFFUSION
from inference.probes.embedding import EmbeddingShapeProbe, SimilarityProbe
from inference.probes.export import ExportProbe
from inference.probes.fine_tuning import FineTuningProbe
from inference.probes.generation import GenerationProbe
from inference.probes.loading import LoadingProbe
from inference.probes.performance import PerformanceProbe
from inference.probes.quantization import QuantizationProbe
from inference.probes.quantization_loss import QuantizationLossProbe
from inference.probes.tokens import TokensProbe
from inference.probes.zero_shot import ZeroShotProbe

LOADING: Final[Probe] = LoadingProbe()
WITHOUT_DATA: Final[tuple[Probe, ...]] = (
    EmbeddingShapeProbe(),
    ArchitectureProbe(),
    ExportProbe(),
    PerformanceProbe(),
    QuantizationProbe(),
)
WITH_DATA: Final[tuple[Probe, ...]] = (
    ClassificationProbe("image", "vision.image-classification"),
    ClassificationProbe("text", "text.text-classification"),
    FineTuningProbe("image"),
    FineTuningProbe("text"),
    GenerationProbe(),
    QuantizationLossProbe("image", "vision.image-classification"),
    QuantizationLossProbe("text", "text.text-classification"),
    SimilarityProbe(),
    TokensProbe(),
    ZeroShotProbe(),
)
PROBES: Final[dict[str, Probe]] = {
    **{probe.info.name: probe for probe in (LOADING, *WITHOUT_DATA, *WITH_DATA)},
    **DIFFUSION,
}
