"""What goes in and what comes out: turns and dialogues, replies, and a guard's verdicts."""
