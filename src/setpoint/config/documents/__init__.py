"""The kinds of documents as pydantic models; ``KINDS`` names them."""

from __future__ import annotations

from setpoint.config.documents.base import Document, Labelled, Node, Stray
from setpoint.config.documents.channel import ChannelDocument, ChannelFields
from setpoint.config.documents.gates import CalendarDocument
from setpoint.config.documents.organization import ApplicationDocument, InvariantDocument, OrganizationDocument, PolicyDocument
from setpoint.config.documents.protection import ProtectionDocument, TaskDocument
from setpoint.config.documents.runtime import RuntimeDocument
from setpoint.config.documents.service import ServiceDocument

KINDS: dict[str, type[Labelled]] = {
    "Organization": OrganizationDocument,
    "Application": ApplicationDocument,
    "Channel": ChannelDocument,
    "Service": ServiceDocument,
    "Runtime": RuntimeDocument,
    "Protection": ProtectionDocument,
    "Task": TaskDocument,
    "Calendar": CalendarDocument,
    "Policy": PolicyDocument,
    "Invariant": InvariantDocument,
}

__all__ = [
    "KINDS",
    "ApplicationDocument",
    "CalendarDocument",
    "ChannelDocument",
    "ChannelFields",
    "Document",
    "InvariantDocument",
    "Labelled",
    "Node",
    "OrganizationDocument",
    "PolicyDocument",
    "ProtectionDocument",
    "RuntimeDocument",
    "ServiceDocument",
    "Stray",
    "TaskDocument",
]
