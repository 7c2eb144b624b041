"""Calendars: windows as values, when they are open, recurrence, and time zones."""
