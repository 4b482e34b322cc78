"""The EmpGAN generator in PyTorch; its mathematics stands here and nowhere else."""
