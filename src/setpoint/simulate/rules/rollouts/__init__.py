"""Rules about rollouts: which release is selected, what a rollback returns to, and how a running version is adopted."""
