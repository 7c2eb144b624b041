"""What several commands and queries return of an instance: its gates, its reasons, what holds it, what is left of it."""
