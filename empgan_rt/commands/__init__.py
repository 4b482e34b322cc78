"""The commands of the runtime; `empgan_rt.cli` imports each when it is asked for."""
