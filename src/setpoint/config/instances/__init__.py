"""Which instances there are, by what labels they are selected, and what they run."""
