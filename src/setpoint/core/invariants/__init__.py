"""Invariants of the user's own: the actor that watches one, and the pure question about what violates it."""
