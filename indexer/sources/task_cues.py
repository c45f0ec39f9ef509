"""What says a task in other words than its name: the earliest in a first sentence counts, the longer of two."""

from __future__ import annotations

from typing import Final

_PICTURE: Final = r"(?:images?|pictures?|photos?|illustrations?|artwork)"
CUES: Final = (
    ("vision.image-to-image", (
        rf"{_PICTURE} generation conditioned on [^.]{{0,60}}{_PICTURE}", rf"edit(?:s|ing)? {_PICTURE}",
        rf"{_PICTURE} editing", rf"reference {_PICTURE}", r"style transfer", r"super[- ]resolution", r"colou?ri[sz]",
        r"denois",
    )),
    ("vision.text-to-image", (
        rf"generat\w+ [^.]{{0,80}}{_PICTURE}", rf"{_PICTURE} generation", rf"photorealistic (?:output|{_PICTURE})",
        r"text to image",
    )),
    ("vision.image-classification", (rf"classif\w+ (?:of )?{_PICTURE}", rf"{_PICTURE} classifier")),
    ("vision.object-detection", (
        r"(?:face|person|pedestrian|vehicle|object|text) detect(?:ion|or)",
        r"detects? (?:faces|people|objects|vehicles)",
    )),
    ("vision.image-segmentation", (r"segmentation", r"segments? (?:images|objects|scenes)")),
    ("vision.keypoint-detection", (r"pose estimation", r"landmarks?")),
    ("vision.inpainting", (r"in-?painting",)),
    ("vision.image-to-text", (
        rf"captions? {_PICTURE}", r"optical character recognition", r"\bocr\b", r"text recognition",
    )),
    ("audio.automatic-speech-recognition", (r"transcri(?:bes?|ption|bing)", r"speech (?:to text|recognition)")),
    ("audio.text-to-speech", (r"text to speech", r"speech synthesis", r"synthesi[sz]es speech")),
    ("text.translation", (r"translates?\b",)),
    ("text.summarization", (r"summari[sz]\w+",)),
    ("text.code-generation", (
        r"(?:generates?|completes?|writes) (?:source )?code", r"code (?:completion|generation)",
    )),
    ("text.sentence-similarity", (r"(?:sentence|text) embeddings?", r"semantic similarity")),
    ("lifecycle.quantization", (r"quanti[sz](?:ation|ed|es?)\b",)),
    ("lifecycle.fine-tuning", (r"fine-?tun(?:ing|es?|ed)",)),
    ("lifecycle.export", (
        r"exports?\b", r"conversion (?:and|to|across|between)", r"converts? (?:models?|checkpoints?)",
    )),
    ("lifecycle.serving", (
        r"batch inference", r"(?:local|server|edge|on-device) deployment", r"serves? models?", r"model serving",
    )),
    ("lifecycle.variant-selection", (r"(?:size|model) variants", r"variant selection", r"family of models")),
    ("lifecycle.api-access", (
        r"(?:commercial|rest|http|hosted|cloud|inference|programmatic) apis?\b", r"api (?:access|endpoint)",
    )),
    ("lifecycle.training", (r"pre-?training", r"trains? (?:models?|networks?)")),
    ("data.database-access", (
        r"\bsql\b", r"databases?\b", r"quer(?:y|ies) (?:tables?|data)", r"postgres\w*", r"mysql", r"mongodb", r"redis",
        r"key-value store",
    )),
    ("data.web-search", (r"web search", r"search(?:es)? the (?:web|internet)", r"search engine")),
    ("data.web-scraping", (r"scrap(?:e|es|ing)\b", r"crawl(?:s|ing|er)?\b")),
    ("data.file-access", (r"file ?system", r"(?:read|write|manage)s? files?")),
    ("data.document-parsing", (r"(?:parse|convert)s? (?:documents?|pdfs?)", r"to markdown")),
    ("data.vector-search", (r"vector (?:search|database|store)",)),
    ("software.documentation-lookup", (r"documentation",)),
    ("software.version-control", (r"\bgit\b", r"github", r"gitlab", r"pull requests?")),
    ("software.container-management", (r"kubernetes", r"containers?\b", r"docker")),
    ("software.browser-automation", (
        r"browser automation", r"automat\w+ (?:a )?(?:web )?browsers?", r"playwright", r"puppeteer",
        r"headless browser",
    )),
    ("software.observability", (
        r"observability", r"monitor(?:s|ing)\b", r"(?:metrics|logs),? (?:and|or) traces?",
    )),
    ("software.code-execution", (
        r"(?:execut|run)(?:es?|s|ing)? (?:\w+ )?code", r"code (?:execution|interpreter)", r"sandbox",
    )),
    ("software.cloud-management", (
        r"\baws\b", r"azure", r"google cloud", r"cloud (?:resources|infrastructure|services)",
    )),
    ("business.payments", (
        r"(?:process|accept|handl|manag)\w* payments?", r"payment (?:process|link|gateway)\w*", r"invoic\w+",
    )),
    ("business.communication", (
        r"(?:send|read|manag)(?:s|e|es|ing)? (?:e-?mails?|messages?)", r"\bslack\b", r"e-?mails?\b",
    )),
    ("business.calendar", (r"calendars?\b",)),
    ("business.project-management", (
        r"project management", r"\bjira\b", r"task management", r"issue track\w+", r"to-?do lists?",
    )),
    ("business.customer-data", (r"\bcrm\b", r"customer (?:data|relationship)")),
    ("agents.memory", (r"(?:long-term|persistent|agent) memory", r"knowledge graph")),
    ("agents.workflow-automation", (r"workflow automation", r"automat\w+ workflows?")),
)  # fmt: skip
"""Task of the taxonomy, and patterns in lower case that begin at a word."""
