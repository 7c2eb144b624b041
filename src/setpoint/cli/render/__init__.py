"""Answers as text for people: readable at 80 columns and without colour."""
