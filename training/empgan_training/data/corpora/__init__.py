"""Corpora as people have them: every form that is read, and what their labels mean."""
