"""Tags of languages (BCP 47, RFC 5646) in one way of writing, so that no language is taken for two.

`EN`, `en_gb` and ` en-GB` are what people type; `en` and `en-GB` are what is kept. Known are the languages, scripts,
regions and variants that CLDR has a name for. Extensions and private parts (`de-u-co-phonebk`, `x-ours`) are not taken:
they say nothing about who can read a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)",
    re.ASCII | re.IGNORECASE,
)
_NONE = frozenset({"mul", "und", "zxx", "ZZ", "Zzzz", "Zxxx", "Zyyy"})
"""Codes for several, for an unknown and for no language, region or script: nobody reads these."""


def canonical(tag: str) -> str | None:
    """Return a tag as it is kept, such as `zh-Hant-HK`; None if it is none, or names what is not known.

    A longer or older code of a language or a region becomes the one that is used now: `cym` is `cy`, `UK` is `GB`.
    """
    # Only here and below: most who ask what oversight knows need no names of languages.
    from babel.core import get_global  # noqa: PLC0415

    found = _TAG.fullmatch(_hyphened(tag))
    if found is None:
        return None
    language = _newest(found["language"].lower(), get_global("language_aliases"))
    script = (found["script"] or "").title()
    region = _newest((found["region"] or "").upper(), get_global("territory_aliases"))
    variants = found["variants"].lower().split("-")[1:]
    named = ((language, "languages"), (script, "scripts"), (region, "territories"))
    if not all(not part or part in _known(kind) for part, kind in named):
        return None
    if len(set(variants)) < len(variants) or not {each.upper() for each in variants} <= _known("variants"):
        return None
    return "-".join(part for part in (language, script, region, *variants) if part)


def as_written(tag: str) -> str:
    """Return a tag as it is kept now, also one from before all were looked at, which may name nothing known."""
    return canonical(tag) or _hyphened(tag)


def _hyphened(tag: str) -> str:
    return tag.strip().replace("_", "-")


def _newest(code: str, aliases: Mapping[str, str | list[str]]) -> str:
    """Return the code that took the place of another, if it is one code."""
    found = aliases.get(code, code)
    codes = [found] if isinstance(found, str) else found
    return codes[0] if len(codes) == 1 and "_" not in codes[0] else code


@cache
def _known(kind: str) -> frozenset[str]:
    """Return the codes that have a name in English."""
    from babel import Locale  # noqa: PLC0415

    return frozenset(getattr(Locale.parse("en"), kind)) - _NONE
