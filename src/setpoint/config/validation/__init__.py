"""Checks across documents: references, names, roles, programs, selectors, and what each instance would run."""
