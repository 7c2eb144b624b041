"""What control keeps and reads beside the actors: the only place where it gets its stores."""

from __future__ import annotations

from dataclasses import dataclass

from setpoint.store.content import Content
from setpoint.store.database import Database
from setpoint.store.documents import Documents
from setpoint.store.history import History
from setpoint.store.records import Records
from setpoint.store.requests import Requests


@dataclass(frozen=True)
class Stores:
    """The stores of one data directory."""

    records: Records
    """Tokens, the audit, how far an apply came."""
    documents: Documents
    """Revisions of the configuration."""
    content: Content
    """Specs and files, by what they hold."""
    requests: Requests
    """Requests with an Idempotency-Key, and what they returned."""
    history: History
    """Lines of what was decided."""
    database: Database
    """For what ``doctor`` verifies."""

    @classmethod
    def of(cls, database: Database, history: History) -> Stores:
        """Return all stores of an engine's database."""
        return cls(Records(database), Documents(database), Content(database), Requests(database), history, database)
