"""The command `bench`: its options, what their values may be, and one function a subcommand."""
