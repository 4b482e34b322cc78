"""Training wing of empgan-rt: corpora, the EmpGAN generator in PyTorch, training, evaluation."""
