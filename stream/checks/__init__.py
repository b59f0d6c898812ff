"""What `trailstream check` looks at, one file a subject. Nothing here takes a message from a queue."""
