"""The sentence encoder as an ONNX graph in onnxruntime, with the tokenizers library: no torch, no transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from graph.errors import ModelError
from inference.encoder_recipe import EncoderInfo
from inference.encoding.batches import length_batches, one_line, readable, unit_vectors

BATCH: Final = 8
"""Texts encoded at once, of similar length; several such batches at a time, one a thread."""
INPUTS: Final = ("input_ids", "attention_mask")
OUTPUT: Final = "vectors"


class OnnxEncoder:
    """A session of onnxruntime on the CPU and a tokenizer; safe to share between threads.

    Each batch runs on one thread and up to `threads` batches at once: a query is too little work to be divided.

    Parameters
    ----------
    info : EncoderInfo
        Which encoder this is.
    graph : Path or bytes
        The ONNX file: int64 `input_ids` and `attention_mask` of shape (n, tokens) to float32 `vectors`.
    tokenizer : str
        The tokenizer's JSON, with its truncation and padding.
    threads : int
        How many batches at once.

    Raises
    ------
    ModelError
        The runtime or the tokenizer cannot read them.
    """

    def __init__(self, info: EncoderInfo, graph: Path | bytes, tokenizer: str, threads: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self.info, self._threads = info, threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        source = str(graph) if isinstance(graph, Path) else graph
        try:
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_str(tokenizer)
        except Exception as error:  # neither library has a class of its own for what it cannot read
            raise ModelError(f"encoder {info.name}: onnxruntime cannot open its graph: {one_line(error)}") from error
        self._padding: dict[str, Any] = self._tokenizer.padding or {"pad_id": 0, "direction": "right"}
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str], on_done: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """L2-normalised vectors, float32 (n, dimension), in the order given; no texts give (0, dimension).

        Parameters
        ----------
        texts : sequence of str
            Texts; what exceeds `info.max_tokens` is cut. A lone surrogate counts as "?".
        on_done : callable or None
            Hears, after each batch, how many texts are finished.

        Raises
        ------
        ModelError
            The graph gives numbers that are not finite, or the runtime fails.
        """
        vectors = np.zeros((len(texts), self.info.dimension), np.float32)
        batches = length_batches(texts, BATCH)
        done = 0
        for rows, found in zip(batches, self._in_turn([[texts[row] for row in rows] for rows in batches]), strict=True):
            vectors[rows] = found
            done += len(rows)
            if on_done:
                on_done(done)
        return vectors

    def _in_turn(self, batches: Sequence[list[str]]) -> Iterator[NDArray[np.float32]]:
        """The vectors of each batch, in order; what has not begun when the caller stops is never begun."""
        if self._threads == 1 or len(batches) < 2:
            yield from map(self._encode_batch, batches)
            return
        with ThreadPoolExecutor(min(self._threads, len(batches))) as pool:
            yield from pool.map(self._encode_batch, batches)  # its end cancels what has not begun

    def _encode_batch(self, texts: list[str]) -> NDArray[np.float32]:
        found = [self._tokenizer.encode(readable(text)) for text in texts]
        shape = (len(found), max(len(each.ids) for each in found))
        ids, mask = np.full(shape, self._padding["pad_id"], np.int64), np.zeros(shape, np.int64)
        for row, each in enumerate(found):
            count = len(each.ids)
            place = slice(0, count) if self._padding["direction"] == "right" else slice(shape[1] - count, shape[1])
            ids[row, place], mask[row, place] = each.ids, each.attention_mask
        try:
            raw = self._session.run([OUTPUT], dict(zip(INPUTS, (ids, mask), strict=True)))[0]
        except Exception as error:  # the runtime's exceptions share no class but this one
            raise ModelError(f"encoder {self.info.name}: onnxruntime: {one_line(error)}: choose torch") from error
        return unit_vectors(raw, self.info)
