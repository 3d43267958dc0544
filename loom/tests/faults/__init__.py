"""What is killed, paused, full, away or slow, and what is kept."""
