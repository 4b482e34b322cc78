"""What an engine holds in memory, phase by phase of a fresh process."""
