"""What keeps the supervisor, and the engine, running: the guardian, the lock of a home, and the feed of changes."""
