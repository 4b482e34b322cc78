"""Bench wing of empgan-rt: latency and throughput of a bundle against eager PyTorch."""
