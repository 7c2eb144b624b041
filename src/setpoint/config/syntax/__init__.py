"""How documents are written: YAML with positions, scalars, paths and the files they name, lookups, and the merge rule."""
