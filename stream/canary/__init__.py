"""A harmless call of ours, made again and again, whose record has to come back in a log file."""
