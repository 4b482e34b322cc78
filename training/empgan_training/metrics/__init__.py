"""Scores of generated text and of labels: pure functions that return frozen dataclasses."""
