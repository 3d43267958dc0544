"""Other ways to bring an agent's answer to a caller, small and well written, to compare Loom with."""
