"""Pulumi's vocabulary: engine events, property values and paths, the checkpoint, the state lock.

A leaf: it imports nothing of this repository. The embedded engine, the lab's provider and the
operators' code stand on it, so that a resource, a secret or an event means the same to all three.
"""
