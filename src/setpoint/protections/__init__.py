"""Protections: programs that exit 0 or 1, web requests, and the built-ins. ``load()`` gives all there are, by name."""

from setpoint.protections.registry import BrokenProtection, load

__all__ = ["BrokenProtection", "load"]
