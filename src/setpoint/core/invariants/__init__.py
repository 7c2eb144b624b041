"""Invariants of the user's own: the actor that watches one, and the pure function that finds what violates it."""
