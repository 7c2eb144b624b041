"""Frozen values that every floor uses; no decisions."""
