"""Writes ``run.txt`` and ``dev.txt`` beside this file with pip-compile: exact versions, hashes for every platform, no index.

``dev.txt`` is chosen first and holds ``run.txt`` in place, so that one environment satisfies both. Both hold the build backend,
so that ``pip install --no-build-isolation -e .`` needs nothing else.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PLAIN = [
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-emit-find-links",
    "--no-header",
    "--no-strip-extras",
    "--allow-unsafe",
]


def compile_lock(name: str, *arguments: str) -> None:
    """Choose versions anew."""
    command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--upgrade", "--generate-hashes", *PLAIN]
    command += ["--build-deps-for", "editable", *arguments, "-o", f"requirements/{name}", "pyproject.toml"]
    subprocess.run(command, check=True)


def main() -> None:
    """Both, from the root of the tree."""
    os.chdir(HERE.parent)
    compile_lock("dev.txt", "--extra", "dev", "--extra", "postgresql")
    compile_lock("run.txt", "-c", "requirements/dev.txt")


if __name__ == "__main__":
    main()
