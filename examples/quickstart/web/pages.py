"""The page of each version: a function from the database and the question to a text."""

import sqlite3
import time
from collections.abc import Callable

Page = Callable[[sqlite3.Connection, dict[str, str]], str]


def counting(database: sqlite3.Connection, _: dict[str, str]) -> str:
    """1.0.0 counts visits."""
    database.execute("insert into visit (at) values (?)", (time.time(),))
    (visits,) = database.execute("select count(*) from visit").fetchone()
    return f"visit {visits}"


def greeting(database: sqlite3.Connection, question: dict[str, str]) -> str:
    """2.0.0 knows its visitors by name (/?name=Ada): it needs the column that the second migration adds."""
    name = question.get("name", "stranger")
    database.execute("insert into visit (at, name) values (?, ?)", (time.time(), name))
    (visits,) = database.execute("select count(*) from visit").fetchone()
    (names,) = database.execute("select count(distinct name) from visit").fetchone()
    return f"hello {name}, visit {visits} by {names} different visitors"


def measuring(database: sqlite3.Connection, question: dict[str, str]) -> str:
    """3.0.0 also tells how busy it is – and divides by zero when two visits fall into one second. No health check sees that."""
    text = greeting(database, question)
    now, before = (int(at) for (at,) in database.execute("select at from visit order by id desc limit 2"))
    return f"{text}, {60 // (now - before)} visits a minute"


def averaging(database: sqlite3.Connection, question: dict[str, str]) -> str:
    """3.0.1 is 3.0.0 put right."""
    text = greeting(database, question)
    (busy,) = database.execute("select count(*) from visit where at > ?", (time.time() - 60,)).fetchone()
    return f"{text}, {busy} visits in the last minute"


PAGES: dict[str, Page] = {"1.0.0": counting, "2.0.0": greeting, "3.0.0": measuring, "3.0.1": averaging}
