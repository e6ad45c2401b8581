"""Measurements against real servers. Each module is a script: `python -m benchmarks.<name>`."""
