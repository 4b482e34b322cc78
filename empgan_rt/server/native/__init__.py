"""Our own dialect: replies with all that is known of them, dialogues by key, and probes."""
