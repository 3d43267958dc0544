"""Loom's own processes as they start, serve, reload and end."""
