"""The dead-letter queue: why messages are in it, and back with them."""
