"""Layers in their order: deploying, previewing, refreshing, and what is shown of it."""
