"""The small grammars of texts that people write: versions, selectors, lookups, names of images and commits."""
