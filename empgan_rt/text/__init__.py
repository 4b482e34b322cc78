"""Text in, ids out, and back: the one place where it is done, for training and runtime alike."""
