"""How fast answers pass through Loom, beside other ways to stream them; see docs/performance.md."""
