"""The checks and benchmarks of this repository."""
