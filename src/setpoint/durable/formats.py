"""The format of everything that is written to disk, in one place.

A change of what is written raises the number here, and adds what reads or refuses the older one; a test compares each with
the text it was recorded for (``tests/durable/test_formats.py``). A newer format is refused, an unknown one never guessed at.
"""

from __future__ import annotations

DATABASE = 4
"""Migrations of ``store.sqlite.schema``: the tables."""
RECORDS = {"instance": 3, "task": 1, "applied": 1, "marker": 1}
"""Files with one record each: of the process runtime, of tasks, of the custom runtime, and the marker of the database."""
