"""Taking an environment down, and what has to be done outside Pulumi for it."""
