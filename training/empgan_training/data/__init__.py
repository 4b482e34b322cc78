"""Corpora to training batches."""
