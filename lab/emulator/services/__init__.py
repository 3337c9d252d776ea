"""The mends, one file a service."""
