"""Setpoint: an open, convergence-based deployment engine."""

__version__ = "0.1.0"
