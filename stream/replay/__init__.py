"""Log files that are there already, put on the queue once more: the deployed replicas work through history."""
