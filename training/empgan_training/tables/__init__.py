"""The paper's tables, and those beyond it, made again from stored predictions."""
