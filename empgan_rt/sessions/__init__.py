"""Dialogues that remember their turns, one by one or in a pool."""
