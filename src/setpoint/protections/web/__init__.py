"""Requests that protections send: one bounded exchange, and what registries and monitoring have in common."""
