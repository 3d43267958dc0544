"""Who is let in, where, and how much may be asked."""
