"""Files that are never copied with the directory they lie in, because they usually hold secrets: what is stored stays stored.

Such a file is part of a configuration with its name and without its content, unless a document names the file itself.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

FOLDERS = frozenset({".aws", ".azure", ".docker", ".gnupg", ".kube", ".ssh"})
"""Of settings and keys of a person."""
NAMES = (
    ".env",
    ".env-*",
    ".env.*",
    ".env_*",
    "*.env",
    ".envrc",
    ".git-credentials",
    ".htpasswd",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".vault-token",
    ".yarnrc.yml",
    "*.kdbx",
    "*.ppk",
    "*.tfstate",
    "*.tfstate.backup",
    "*.tfvars",
    "*.token",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_rsa",
    "kubeconfig",
)
STORES = ("*-key", "*_key", "*.jks", "*.key", "*.keystore", "*.p12", "*.p8", "*.pem", "*.pfx")
"""Of keys; some of them hold certificates or public keys only."""
EXAMPLES = ("*.dist", "*.example", "*.sample", "*.template", "example.env", "sample.env", "template.env")
"""They show which variables there are, without values."""
COPIES = ("~", ".bak", ".old", ".orig", ".swp", ".backup")
"""At the end of the names of copies."""
_PEM = b"-----BEGIN "
_PRIVATE = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")


def is_secret(path: str, content: bytes) -> bool:
    """Whether a file that is found in a directory is left out."""
    if not _suspicious(path):
        return False
    public = content.lstrip().startswith(_PEM) and not _PRIVATE.search(content)
    return not (public and _among(path, STORES))


def is_left_out(path: str, content: bytes) -> bool:
    """Whether a file of a configuration is there with its name only."""
    return not content and _suspicious(path)


def _suspicious(path: str) -> bool:
    if FOLDERS & set(path.lower().split("/")[:-1]):
        return True
    return _among(path, (*NAMES, *STORES)) and not _among(path, EXAMPLES)


def _among(path: str, patterns: Iterable[str]) -> bool:
    name = posixpath.basename(path).lower()
    while (end := next((one for one in COPIES if name.endswith(one)), "")) and not name.endswith(".tfstate.backup"):
        name = name.removesuffix(end)
    return any(fnmatchcase(name, pattern) for pattern in patterns)
