"""Export wing of empgan-rt: checkpoints to verified ONNX bundles."""
