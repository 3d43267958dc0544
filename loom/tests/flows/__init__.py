"""From the first call to the last figure, over everything."""
