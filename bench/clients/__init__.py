"""Other people's clients against Loom and its emulator: `make test.clients`, in a virtual environment of their own."""
