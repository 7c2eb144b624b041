"""What is durable: the port in ``port`` and ``journal``, and behind it SQLite, one file on one machine."""
