"""The resource types, one file a service."""
