"""The policy sets that come with Consentry, by name. Their text is package data in `consentry.policies`."""

from __future__ import annotations

from importlib.resources import files

_SUFFIX = ".toml"


def shipped() -> dict[str, str]:
    """Return the text of every shipped policy set, by name, in the order of the names."""
    found = [entry for entry in files("consentry.policies").iterdir() if entry.name.endswith(_SUFFIX)]
    return {
        entry.name.removesuffix(_SUFFIX): entry.read_text(encoding="utf-8")
        for entry in sorted(found, key=lambda entry: entry.name)
    }
