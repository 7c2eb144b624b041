"""The configuration language: YAML files become documents, documents become specs and policies. ``compile`` is the way in."""
