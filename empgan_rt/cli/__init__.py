"""The command `empgan-rt`: `main` holds the table of commands, and imports each when asked for."""
