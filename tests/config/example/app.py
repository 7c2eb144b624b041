"""Stands for the service; its content is part of every version."""
