"""Prints what Consentry is made of, as CycloneDX 1.6 JSON, from the locks: `./run sbom [NAME...]`.

The same locks give the same bytes: no time stands in it, and its serial number is drawn from what it says. It names no
address, as the locks name none.

    ./run sbom                  what the core installs
    ./run sbom core postgres    with an extra
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)(?:\s*;\s*(.*?))?\s*$")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def bill(names: list[str]) -> dict[str, Any]:
    """Return the bill of materials of some locks.

    Raises:
        FileNotFoundError: there is no lock of a name.
        ValueError: a line of a lock pins nothing.
    """
    found = {each["bom-ref"]: each for name in names for each in _components(name)}
    components = [found[ref] for ref in sorted(found)]
    product = _product()
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": product, "properties": [_property("locks", " ".join(names))]},
        "components": components,
        "dependencies": [{"ref": product["bom-ref"], "dependsOn": [each["bom-ref"] for each in components]}],
    }
    text = json.dumps(body, sort_keys=True).encode()
    return {**body, "serialNumber": f"urn:uuid:{uuid.UUID(bytes=hashlib.sha256(text).digest()[:16], version=4)}"}


def _product() -> dict[str, Any]:
    text = (ROOT / "src" / "consentry" / "__init__.py").read_text("utf-8")
    version = re.search(r'__version__ = "([^"]+)"', text)
    assert version is not None
    return {
        "type": "application",
        "bom-ref": f"pkg:pypi/consentry@{version[1]}",
        "name": "consentry",
        "version": version[1],
        "purl": f"pkg:pypi/consentry@{version[1]}",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def _components(lock: str) -> Iterator[dict[str, Any]]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pin = _PIN.match(line.partition("--hash")[0])
        if pin is None:
            raise ValueError(f"requirements/{lock}.txt pins nothing here: {line[:80]}")
        name, version, where = re.sub(r"[-_.]+", "-", pin[1]).lower(), pin[2], pin[3]
        purl = f"pkg:pypi/{name}@{version}"
        notes = [_property("file", each) for each in sorted(_HASH.findall(line))]
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "scope": "optional" if where else "required",
            "properties": ([_property("only-where", where)] if where else []) + notes,
        }


def _property(name: str, value: str) -> dict[str, str]:
    """`file` is the digest of one file of that version that may be installed; there is one for each platform."""
    return {"name": f"consentry:{name}", "value": value}


def main(arguments: list[str]) -> int:
    """Print the bill of the locks that are named, of the core without a name; 2: there is no such lock."""
    try:
        print(json.dumps(bill(arguments or ["core"]), indent=2, sort_keys=True))  # noqa: T201 - it is what it is for
    except FileNotFoundError as error:
        known = ", ".join(sorted(path.stem for path in (ROOT / "requirements").glob("*.txt")))
        missing = Path(str(error.filename)).stem
        print(f"run: no lock `{missing}`\n  help: locks: {known}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
