"""The part of the engine's environment that the supervisor and programs of users get: nothing of it may be secret."""

from __future__ import annotations

import os
from collections.abc import Mapping

_OF_A_DEPLOYMENT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)
_OF_PYTHON = frozenset({"PYTHONPATH", "PYTHONHOME"})
_OF_A_CHECK = {"PATH": os.defpath, "HOME": "/", "LANG": "C.UTF-8", "TZ": ""}
"""Names with their defaults: a check gives the same result however the engine was started."""


def deployment_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what finds programs, files and certificates on this machine; the configuration adds the rest."""
    return {name: value for name, value in environment.items() if name in _OF_A_DEPLOYMENT or name.startswith("LC_")}


def supervisor_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the supervisor starts with: what it hands on to deployments, and where Python finds its modules."""
    python = {name: value for name, value in environment.items() if name in _OF_PYTHON}
    return deployment_environment(environment) | python


def check_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return PATH, HOME, LANG and TZ as the engine has them, and ``extra``."""
    base = {name: os.environ.get(name) or default for name, default in _OF_A_CHECK.items()}
    return {name: value for name, value in base.items() if value} | dict(extra)
