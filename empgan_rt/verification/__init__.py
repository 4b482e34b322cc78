"""Whether a bundle computes what its export recorded, and whether a stranger's may be tried."""
