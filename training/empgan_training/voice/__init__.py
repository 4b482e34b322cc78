"""Replies of several models or searches, read blind: one sheet, one reader, then the names."""
