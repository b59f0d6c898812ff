"""History: log files that are there already, in folders or in S3, read on every core."""
