"""What is durable on one machine: a SQLite file with a journal, history, content and records."""
