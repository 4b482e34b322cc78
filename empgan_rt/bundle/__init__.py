"""The bundle: one sealed folder that holds a model, opened only if nothing in it was altered."""
