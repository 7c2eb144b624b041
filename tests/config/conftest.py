"""Configurations from text, without a directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from setpoint.config.compile import Configuration, check_files
from setpoint.config.problems import Problem

ROOT = Path("/srv/config")
SHOP = """
kind: Application
name: shop
channels: [{name: staging}, {name: production, after: staging}]
---
kind: Service
application: shop
name: web
process: {command: [server, "${version}"]}
"""


@pytest.fixture
def shop() -> str:
    """The smallest application with two channels and one service; fields may be added to the service's end."""
    return SHOP


@pytest.fixture
def configure() -> Callable[..., Configuration]:
    """A configuration from the text of one document file, and other files by path."""

    def make(text: str, **files: str) -> Configuration:
        named = {path.replace("__", "/").replace("_dot_", "."): content.encode() for path, content in files.items()}
        return Configuration.from_files({"setpoint.yaml": text.encode(), **named}, ROOT)

    return make


@pytest.fixture
def mistakes() -> Callable[[str], list[Problem]]:
    """Everything that is wrong with the text of one document file."""
    return lambda text: check_files({"setpoint.yaml": text.encode()}, ROOT)
