"""All settings, in one typed class, read from the environment in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

EncoderRuntime = Literal["auto", "onnx", "torch"]
"""Where the sentence encoder runs."""


class Settings(BaseSettings):
    """Settings of one run; `MATCHGRAPH_…` in the environment, command-line options win.

    Attributes
    ----------
    home : Path
        Folder of everything matchgraph keeps.
    database_url : str or None
        SQLAlchemy URL; default SQLite in `home`.
    synthetic : bool
        Marks this caller's searches and outcomes as not a user's; the fold ignores them.
    encoder : str or None
        Model directory or hub id of the sentence encoder; default all-MiniLM-L6-v2 from its package.
    encoder_runtime : str
        Where it runs: "onnx" in onnxruntime, "torch", or "auto": onnxruntime where its graph gives torch's vectors.
    threads : int
        Threads for encoding.
    sandbox : str
        Layers of the sandbox to do without, such as "-namespaces,-cgroups"; docs/sandbox.md names them.
    host, port
        Where `serve` listens.
    """

    model_config = SettingsConfigDict(env_prefix="MATCHGRAPH_", frozen=True, extra="ignore")

    home: Path = Field(default_factory=lambda: Path.home() / ".matchgraph")
    database_url: str | None = None
    synthetic: bool = False
    encoder: str | None = None
    encoder_runtime: EncoderRuntime = "auto"
    sandbox: str = ""
    threads: int = Field(default=2, ge=1, le=256)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
