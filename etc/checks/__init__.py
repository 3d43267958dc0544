"""What a change has to pass beside its tests: `make lint` and `make budget`. Nothing of it is part of Loom."""
