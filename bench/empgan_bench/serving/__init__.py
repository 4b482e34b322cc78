"""`bench serve`: requests that arrive on their own, and how long they wait for their replies."""
