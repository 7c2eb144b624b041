"""The part of the engine's environment that programs of users get."""

from __future__ import annotations

from collections.abc import Mapping

_PASSED_ON = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)


def base_env(environment: Mapping[str, str]) -> dict[str, str]:
    """What finds programs and files, and nothing that may be secret; the rest is said in the configuration."""
    return {name: value for name, value in environment.items() if name in _PASSED_ON or name.startswith("LC_")}
