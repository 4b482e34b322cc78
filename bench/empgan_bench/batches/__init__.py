"""Latency and throughput of whole batches: what is timed, the report, its tables and its page."""
