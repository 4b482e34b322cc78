"""Scores of a model on a split: replies, perplexity, recognition, and the text of a report."""
