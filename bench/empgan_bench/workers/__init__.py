"""An engine in a process of its own: the messages, the worker and the client that drives it."""
