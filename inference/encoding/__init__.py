"""Where the sentence encoder runs: torch, or its ONNX graph in onnxruntime."""
