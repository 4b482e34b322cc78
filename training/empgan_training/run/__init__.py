"""One run of training: its stages in their order, its processes, its log and its checkpoints."""
