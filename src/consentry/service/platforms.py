"""Which platforms one server serves: a TOML file with a table for each: the host people reach it by, and its home.

    [acme]
    host = "consent.acme.example"
    home = "acme"                       # relative to the folder of this file

The name of the table is what logs and figures call the platform.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consentry.errors import InputError
from consentry.exhausted import require_room
from consentry.policy.policy_parser import IDENTIFIER
from consentry.toml_file import TomlError, parse, read

MOST = 100
"""Platforms of one server: each has threads, connections and what people allow in memory."""
_LONGEST_FILE = 1 << 18
_LONGEST_NAME, _LONGEST_HOST = 40, 253
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"({_LABEL}(?:\.{_LABEL})*)", re.ASCII)
_ASKED = re.compile(rf"({_LABEL}(?:\.{_LABEL})*)\.?(?::[0-9]{{1,5}})?", re.ASCII)
_KEYS = {"host", "home"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One of several platforms that are served.

    Attributes:
        name: what logs and figures call it.
        host: the name people reach it by: lower-case, without a port.
        home: the folder of its deployment, absolute.
    """

    name: str
    host: str
    home: Path


def read_platforms(path: Path) -> list[Platform]:
    """Read the file of platforms.

    Raises:
        InputError: `platforms-unreadable`, `platforms-syntax`, or `platforms-wrong`: one of them cannot be meant.
    """
    try:
        document = parse(read(path, longest=_LONGEST_FILE))
    except OSError as error:
        require_room(error)
        raise InputError(
            "platforms-unreadable",
            f"`{path}` is not readable: {(error.strerror or 'no such file').lower()}",
            help="name a TOML file with a table for each platform: docs/platforms.md",
        ) from None
    except TomlError as error:
        raise InputError(
            "platforms-syntax",
            error.message[:200],
            help=error.help or "write a table for each platform: [acme], then host and home",
            where=f"{path}:{error.line}",
        ) from None
    return _platforms(document, folder=path.absolute().parent, where=str(path))


def _platforms(document: Mapping[str, Any], *, folder: Path, where: str) -> list[Platform]:
    if not 1 <= len(document) <= MOST:
        raise _wrong(f"there are {len(document)} platforms: use 1 to {MOST}", where=where)
    found = [_platform(name, table, folder=folder, where=where) for name, table in document.items()]
    for attribute in ("host", "home"):
        seen: dict[Any, str] = {}
        for each in found:
            value = getattr(each, attribute)
            # One home under two names would be one platform reached as two.
            one = value.resolve() if isinstance(value, Path) else value
            if one in seen:
                raise _wrong(f"`{seen[one]}` and `{each.name}` have the same {attribute} `{value}`", where=where)
            seen[one] = each.name
    return found


def _platform(name: str, table: object, *, folder: Path, where: str) -> Platform:
    if len(name) > _LONGEST_NAME or not IDENTIFIER.fullmatch(name):
        raise _wrong(f"`{name[:_LONGEST_NAME]}` is no name of a platform", where=where)
    if not isinstance(table, dict) or set(table) != _KEYS or not all(isinstance(each, str) for each in table.values()):
        given = f", not {', '.join(f'`{key}`' for key in sorted(table))}" if isinstance(table, dict) and table else ""
        raise _wrong(f"`{name}` needs `host` and `home`, two texts{given}", where=where)
    host, home = table["host"], table["home"]
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        raise _wrong(f"`{name}`: `{host[:_LONGEST_HOST]}` is no host", where=where)
    if not home.strip() or "\0" in home:
        raise _wrong(f"`{name}`: the home is empty", where=where)
    return Platform(name=name, host=host, home=folder / Path(home).expanduser())


def asked_host(given: list[bytes]) -> str | None:
    """Return the host that a request names in its `Host` fields, without a port; None: none, several, or no name."""
    if len(given) != 1 or len(given[0]) > _LONGEST_HOST + 7:
        return None
    found = _ASKED.fullmatch(given[0].decode("latin-1").lower())
    return None if found is None else found[1]


def _wrong(message: str, *, where: str) -> InputError:
    return InputError(
        "platforms-wrong",
        message,
        help='a table for each platform, named in lower case: [acme], host = "consent.acme.example", home = "FOLDER"; '
        "a host is written in lower case, without scheme and port",
        where=where,
    )
