"""The page for people: what this replica has seen and done, in one look."""
