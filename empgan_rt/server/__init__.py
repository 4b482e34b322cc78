"""Replies over HTTP: an ASGI application over asynchronous responders, and what runs it."""
