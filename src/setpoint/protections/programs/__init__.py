"""The programs of built-ins that load drivers or users' code, and how their results come back."""
