"""Other projects' decoders, each in an interpreter that has it; see docs/peers.md."""
