"""Hosts of actors, and what performs their instructions."""
