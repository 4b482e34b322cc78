"""What looks at each message and each reply before the other side does."""
