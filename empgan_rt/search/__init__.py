"""Beam search, greedy search and sampling over batches; it knows the `Backend` protocol alone."""
