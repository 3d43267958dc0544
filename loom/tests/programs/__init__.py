"""Programs that use Loom: its API, client, commands and terminal."""
