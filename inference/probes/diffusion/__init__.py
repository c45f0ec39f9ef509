"""Probes of picture generators: pipelines of diffusers, loaded whole and asked to draw."""

from __future__ import annotations

from typing import Final

from inference.probes.base import Probe
from inference.probes.diffusion.calls import CallsProbe
from inference.probes.diffusion.drawing import TextToImageProbe
from inference.probes.diffusion.editing import ImageToImageProbe
from inference.probes.diffusion.inpainting import InpaintingProbe
from inference.probes.diffusion.whole import PipelineLoadingProbe

PIPELINE_LOADING: Final[Probe] = PipelineLoadingProbe()
WITHOUT_DATA: Final[tuple[Probe, ...]] = (CallsProbe(),)
WITH_DATA: Final[tuple[Probe, ...]] = (TextToImageProbe(), ImageToImageProbe(), InpaintingProbe())
DIFFUSION: Final[dict[str, Probe]] = {probe.info.name: probe for probe in (PIPELINE_LOADING, *WITHOUT_DATA, *WITH_DATA)}
