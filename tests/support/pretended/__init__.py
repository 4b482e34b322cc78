"""What is not there in most tests, pretended; each module has the name of what it stands for.

- `tensorrt`: TensorRT's module, from builder to engines.
- `cuda_runtime`: `cuda.bindings.runtime`, with memory, streams and graphs.
- `onnxruntime_gpu`: ONNX Runtime's GPU build, and the libraries that the loader finds for it.
- `cuda_libraries`: CUDA's libraries in C, for the real CUDA provider of a GPU build.
- `torch_cuda`: PyTorch's CUDA tensors and device.
"""
