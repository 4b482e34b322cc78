"""From a corpus to the paper's tables in one command."""
