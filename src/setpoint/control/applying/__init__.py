"""Putting a configuration into force: what it would change, and carrying that out, also after an interruption."""
