"""Making a release: from versions and parameters to specs with a number."""
