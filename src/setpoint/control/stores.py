"""What control keeps and reads beside the actors: the only place where it gets its stores."""

from __future__ import annotations

from dataclasses import dataclass

from setpoint.store.port import Content, Documents, History, Records, Requests, Store


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
    whole: Store
    """For what ``doctor`` verifies, and for the change log."""

    @classmethod
    def of(cls, store: Store) -> Stores:
        """Return all parts of an engine's store."""
        return cls(store.records, store.documents, store.content, store.requests, store.history, store)
