"""A database that the landed version filled, brought to the present version, back, and forward again."""
