"""Whatever calls an address that a user has typed goes through here: `sending.send`, or `checking` before it."""
