"""Writes ``sbom.cdx.json`` beside this file from ``run.txt``: what runs Setpoint, as a CycloneDX bill of materials.

Read as ``pip-compile`` writes the lock. The same lock gives the same file: it has no time and no random number.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
LOCK = HERE / "run.txt"
BILL = HERE / "sbom.cdx.json"
OURS = "setpoint"
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_FOR = re.compile(r"^    #(?: via)?\s+([a-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?(?: .*)?$")


def read(text: str) -> list[dict]:
    """Return name, version, hashes, and by which packages it is needed, of each package of a lock."""
    found: list[dict] = []
    for line in text.splitlines():
        if pinned := _PINNED.match(line):
            found.append({**pinned.groupdict(), "hashes": [], "for": []})
        elif line.strip() and not found:
            raise ValueError(f"not a line of a lock: {line}")
        elif hashed := _HASH.search(line):
            found[-1]["hashes"].append(hashed[1])
        elif needed := _FOR.match(line):
            found[-1]["for"].append(needed[1])
    return found


def bill(packages: list[dict]) -> dict:
    """Return the document, in the form of CycloneDX 1.6."""
    refs = {one["name"]: f"pkg:pypi/{one['name']}@{one['version']}" for one in packages}
    needs = {name: sorted(refs[one["name"]] for one in packages if name in one["for"]) for name in (OURS, *refs)}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": OURS, "name": OURS}},
        "components": [_component(one, refs[one["name"]]) for one in packages],
        "dependencies": [{"ref": refs.get(name, name), "dependsOn": found} for name, found in needs.items()],
    }


def _component(package: dict, ref: str) -> dict:
    """Hashes are those of the files of the index, of which one is installed."""
    files = {
        "type": "distribution",
        "url": f"https://pypi.org/simple/{package['name']}/",
        "hashes": [{"alg": "SHA-256", "content": one} for one in package["hashes"]],
    }
    named = {"name": package["name"], "version": package["version"]}
    return {"type": "library", "bom-ref": ref, **named, "purl": ref, "externalReferences": [files]}


def main() -> None:
    """Write the file; with ``--check`` only end with 1 if it is not that of the lock."""
    text = json.dumps(bill(read(LOCK.read_text("utf-8"))), indent=1) + "\n"
    if "--check" not in sys.argv[1:]:
        BILL.write_text(text, "utf-8")
    elif BILL.read_text("utf-8") != text:
        sys.exit("requirements/sbom.cdx.json is not that of requirements/run.txt: run `make sbom`")


if __name__ == "__main__":
    main()
