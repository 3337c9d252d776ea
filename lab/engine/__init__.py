"""The embedded engine: a local test engine that speaks Pulumi's own protocols.

It runs Pulumi programs against provider plugins without Pulumi's CLI, keeps its state in Pulumi's
deployment format, and is meant for the lab alone. ``embedded.EmbeddedEngine`` is the front door.
"""
