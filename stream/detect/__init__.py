"""Records in, alerts out: the rules, and what the changes that they find mean. No input, no output."""
