"""Which task a configuration declares: from the class names that transformers and diffusers write into it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from graph.taxonomy import full_task

# The end of a transformers class names its head. Checked against the library's own mappings in the tests.
_TASK_OF_HEAD: Final = {
    "ForAudioClassification": "audio-classification",
    "ForCTC": "automatic-speech-recognition",
    "ForCausalLM": "text-generation",
    "ForDepthEstimation": "depth-estimation",
    "ForDocumentQuestionAnswering": "document-question-answering",
    "ForImageClassification": "image-classification",
    "ForImageSuperResolution": "image-to-image",
    "ForInstanceSegmentation": "image-segmentation",
    "ForKeypointDetection": "keypoint-detection",
    "ForMaskedLM": "fill-mask",
    "ForObjectDetection": "object-detection",
    "ForPoseEstimation": "keypoint-detection",
    "ForPrediction": "time-series-forecasting",
    "ForQuestionAnswering": "question-answering",
    "ForRNNT": "automatic-speech-recognition",
    "ForSegmentation": "image-segmentation",
    "ForSemanticSegmentation": "image-segmentation",
    "ForSequenceClassification": "text-classification",
    "ForSpeechToText": "automatic-speech-recognition",
    "ForTDT": "automatic-speech-recognition",
    "ForTextToSpeech": "text-to-speech",
    "ForTextToText": "translation",
    "ForTokenClassification": "token-classification",
    "ForUniversalSegmentation": "image-segmentation",
    "ForVideoClassification": "video-classification",
    "LMHeadModel": "text-generation",
}
_TASK_OF_CLASS: Final = {
    "BlipForConditionalGeneration": "image-to-text",
    "Blip2ForConditionalGeneration": "image-text-to-text",
    "BlipForQuestionAnswering": "visual-question-answering",
    "CLIPModel": "zero-shot-image-classification",
    "CLIPSegForImageSegmentation": "image-segmentation",
    "ChineseCLIPModel": "zero-shot-image-classification",
    "FlaubertWithLMHeadModel": "fill-mask",
    "GitForCausalLM": "image-to-text",
    "MMGroundingDinoForObjectDetection": "zero-shot-object-detection",
    "OmDetTurboForObjectDetection": "zero-shot-object-detection",
    "GroundingDinoForObjectDetection": "zero-shot-object-detection",
    "Kosmos2ForConditionalGeneration": "image-text-to-text",
    "LayoutLMForQuestionAnswering": "document-question-answering",
    "LayoutLMv2ForQuestionAnswering": "document-question-answering",
    "LayoutLMv3ForQuestionAnswering": "document-question-answering",
    "MarianMTModel": "translation",
    "MusicgenForConditionalGeneration": "text-to-audio",
    "OwlViTForObjectDetection": "zero-shot-object-detection",
    "Owlv2ForObjectDetection": "zero-shot-object-detection",
    "SamModel": "mask-generation",
    "Sam2Model": "mask-generation",
    "SiglipModel": "zero-shot-image-classification",
    "Speech2TextForConditionalGeneration": "automatic-speech-recognition",
    "SpeechT5ForTextToSpeech": "text-to-speech",
    "TapasForQuestionAnswering": "table-question-answering",
    "ViltForQuestionAnswering": "visual-question-answering",
    "VisionEncoderDecoderModel": "image-to-text",
    "VitsModel": "text-to-speech",
    "WhisperForConditionalGeneration": "automatic-speech-recognition",
    "XLMWithLMHeadModel": "fill-mask",
}
_TEXT_TO_TEXT: Final = frozenset({
    "bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "fsmt", "led", "longt5", "m2m_100", "mbart", "mt5",
    "mvp", "nllb-moe", "pegasus", "pegasus_x", "plbart", "prophetnet", "switch_transformers", "t5", "t5gemma", "umt5",
})  # fmt: skip
_SPEECH: Final = frozenset({
    "data2vec-audio", "hubert", "sew", "sew-d", "unispeech", "unispeech-sat", "wav2vec2", "wav2vec2-bert",
    "wav2vec2-conformer", "wavlm", "whisper",
})  # fmt: skip
_IMAGE: Final = frozenset({
    "beit", "bit", "clip_vision_model", "convnext", "convnextv2", "cvt", "deit", "dinov2", "dinov3_vit", "efficientnet",
    "focalnet", "hiera", "levit", "mobilenet_v1", "mobilenet_v2", "mobilevit", "mobilevitv2", "poolformer", "pvt",
    "regnet", "resnet", "segformer", "siglip_vision_model", "swin", "swinv2", "timm_wrapper", "vit", "vit_mae",
    "vit_msn", "yolos",
})  # fmt: skip
_PIPELINES: Final = (
    (re.compile(r"Inpaint"), "inpainting"),
    (re.compile(r"ImageToVideo|Img2Vid|I2V|StableVideoDiffusion"), "image-to-video"),
    (re.compile(r"VideoToVideo|Video2Video"), "video-to-video"),
    (re.compile(r"Video|TextToVideo|CogVideo|AnimateDiff|Wan|Mochi|LTX"), "text-to-video"),
    (re.compile(r"Audio|Music"), "text-to-audio"),
    (re.compile(r"Img2Img|ImageToImage|Upscale|Kontext|InstructPix2Pix|ImageVariation|ControlNet"), "image-to-image"),
    (re.compile(r"ShapEImg2Img"), "image-to-3d"),
    (re.compile(r"ShapE"), "text-to-3d"),
    (re.compile(r"^(DDPM|DDIM|PNDM|ScoreSdeVe|KarrasVe|LDM|ConsistencyModel)"), "unconditional-image-generation"),
    (re.compile(r"Marigold.*Depth"), "depth-estimation"),
)


def task_of_architecture(architecture: str | None, model_type: str | None) -> str | None:
    """`domain.task` of a transformers class, or None where its name tells none.

    Examples
    --------
    >>> task_of_architecture("MobileViTForImageClassification", "mobilevit")
    'vision.image-classification'
    """
    if architecture is None:
        return None
    task = _TASK_OF_CLASS.get(architecture)
    if task is None and re.search(r"ForImageClassification[A-Z]", architecture):
        task = "image-classification"  # variants, such as …WithTeacher and …Fourier
    if task is None and model_type in _SPEECH and architecture.endswith("ForSequenceClassification"):
        task = "audio-classification"
    if task is None:
        heads = (head for head in _TASK_OF_HEAD if architecture.endswith(head))
        task = _TASK_OF_HEAD.get(max(heads, key=len, default=""))
    if task is None and architecture.endswith("ForConditionalGeneration"):
        task = "text2text-generation" if model_type in _TEXT_TO_TEXT else "image-text-to-text"
    if task is None and architecture.endswith(("Model", "ForPreTraining")):
        task = "image-feature-extraction" if model_type in _IMAGE else "feature-extraction"
    return full_task(task) if task else None


def task_of_pipeline(pipeline: str | None) -> str | None:
    """`domain.task` of a diffusers pipeline class; text to image where the name says nothing else.

    Examples
    --------
    >>> task_of_pipeline("FluxPipeline"), task_of_pipeline("FluxInpaintPipeline")
    ('vision.text-to-image', 'vision.inpainting')
    """
    if pipeline is None:
        return None
    task = next((task for pattern, task in _PIPELINES if pattern.search(pipeline)), "text-to-image")
    return full_task(task)


def label_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the output classes in a configuration's `id2label`, in the order of their numbers; () where none."""
    table = config.get("id2label")
    if not isinstance(table, dict):
        return ()
    numbered = [(int(key), str(name)[:100]) for key, name in table.items() if re.fullmatch(r"[0-9]{1,9}", str(key))]
    return tuple(name for _, name in sorted(numbered))


def bounded_count(config: Mapping[str, Any], *names: str) -> int | None:
    """The first of these fields that is a whole number above 0 and below 2^40, or None."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40:
            return value
    return None
