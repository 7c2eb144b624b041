"""The policy of each instance: checks, tasks, orderings, limits, dependencies and invariants, compiled from their documents."""
