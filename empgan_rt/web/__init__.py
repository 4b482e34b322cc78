"""The chat page with no server: a model and its engine as a folder of static files."""
