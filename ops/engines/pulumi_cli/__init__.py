"""Pulumi's CLI as an engine."""
