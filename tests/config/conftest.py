"""Configurations from text, without a directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from setpoint.config.compile import CompiledConfiguration, check_files
from setpoint.config.problems import ConfigurationProblem

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
def configure() -> Callable[..., CompiledConfiguration]:
    """A configuration from the text of one document file, and other files by path."""

    def make(text: str, **files: str) -> CompiledConfiguration:
        named = {path.replace("__", "/").replace("_dot_", "."): content.encode() for path, content in files.items()}
        return CompiledConfiguration.from_files({"setpoint.yaml": text.encode(), **named}, ROOT)

    return make


@pytest.fixture
def mistakes() -> Callable[[str], list[ConfigurationProblem]]:
    """Everything that is wrong with the text of one document file."""
    return lambda text: check_files({"setpoint.yaml": text.encode()}, ROOT)
