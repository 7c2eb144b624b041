"""States and turns written down: as bytes, in a form that compares, and as the trace of an entity that can be replayed."""
