"""Engines on an NVIDIA GPU, and the floor beneath them; what a name of `--device cuda` opens."""
