"""Real replicas against an AWS and a receiver that fail on purpose: what was planted, and what came of it."""
