"""A real replicated PostgreSQL that stands in for Aurora and its global databases: one server a
cluster, streaming replication between regions, RDS's role changes, and the way to it through the
network that was deployed."""
