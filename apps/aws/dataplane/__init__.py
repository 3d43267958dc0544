"""The two ways of a prompt to AgentCore and of its answer back: Loom's own, and aiobotocore's whole."""
