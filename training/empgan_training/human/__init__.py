"""Ratings by people, the paper's Table 2: sheets for raters, and what they say once filled in."""
