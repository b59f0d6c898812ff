"""Names of accounts: from `TRAILSTREAM_ACCOUNTS` itself, from a file that may change, or from AWS Organizations."""
