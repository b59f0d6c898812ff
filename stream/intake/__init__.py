"""What goes in: queue messages, the notifications in them, and the objects that they announce."""
