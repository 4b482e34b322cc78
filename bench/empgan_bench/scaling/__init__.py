"""`bench scaling`: how cost grows along axes, from plan to report."""
