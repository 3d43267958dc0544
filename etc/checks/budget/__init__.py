"""What Loom may cost, in numbers that are the same on every machine: `python -m etc.checks.budget`."""
