"""The engines that are compared, and the table of their names."""
