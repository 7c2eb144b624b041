"""The kinds of documents, one file each, as pydantic models; ``KINDS`` names them."""

from __future__ import annotations

from setpoint.config.documents.application import Application
from setpoint.config.documents.base import Document, Labelled, Node, Stray
from setpoint.config.documents.calendar import Calendar
from setpoint.config.documents.channel import Channel, ChannelFields
from setpoint.config.documents.invariant import Invariant
from setpoint.config.documents.organization import Organization
from setpoint.config.documents.policy import Policy
from setpoint.config.documents.protection import Protection
from setpoint.config.documents.runtime import Runtime
from setpoint.config.documents.service import Service
from setpoint.config.documents.task import Task

KINDS: dict[str, type[Labelled]] = {
    "Organization": Organization,
    "Application": Application,
    "Channel": Channel,
    "Service": Service,
    "Runtime": Runtime,
    "Protection": Protection,
    "Task": Task,
    "Calendar": Calendar,
    "Policy": Policy,
    "Invariant": Invariant,
}

__all__ = [
    "KINDS",
    "Application",
    "Calendar",
    "Channel",
    "ChannelFields",
    "Document",
    "Invariant",
    "Labelled",
    "Node",
    "Organization",
    "Policy",
    "Protection",
    "Runtime",
    "Service",
    "Stray",
    "Task",
]
