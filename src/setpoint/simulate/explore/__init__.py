"""Exhaustive exploration: small worlds, every order of their acts and faults, and what makes two of their states the same."""
