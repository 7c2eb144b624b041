"""Compiles configurations in a process of their own, with limits: what a request holds must not cost the engine its time."""
