"""ONNX Runtime behind `Backend`: fed with arrays, or with the decoder's memory on its device."""
