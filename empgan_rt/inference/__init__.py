"""Text in, text out: requests, the thread that decodes them, and the responders above it."""
