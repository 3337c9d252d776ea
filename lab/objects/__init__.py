"""S3 replication that obeys what is deployed: configuration, role, policies."""
