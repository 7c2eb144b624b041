"""What commands and queries read: committed states, by the names that people write."""
