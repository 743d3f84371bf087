"""The items that an objection means: proposed from the links in it, and shown before they are excluded for good."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from consentry.control_plane.objection_texts import Told
from consentry.digests import digest_json

_MOST_PROPOSED = 50
_BY_OBJECTORS = ("received", "heard")
_PLACE = "{item}"
_ID, _AFTER_A_LINK = r"[^/?#&\s<>\"']", ").,;:!"


def ids_in(course: Iterable[Told], template: str) -> list[str]:
    """Return the ids of items that an objector gave links to, each once; none if nobody set where items are seen."""
    if _PLACE not in template:
        return []
    before, _, after = (re.escape(each) for each in re.sub(r"^https?://", "", template).partition(_PLACE))
    link = re.compile(rf"{before}({_ID}+){after}(?!{_ID})", re.IGNORECASE)
    found = (each for text in _said(course) for each in link.findall(text))
    named = (unquote(each if after else each.rstrip(_AFTER_A_LINK)) for each in found)
    return [each for each in dict.fromkeys(named) if each][:_MOST_PROPOSED]


def _said(course: Iterable[Told]) -> Iterator[str]:
    for told in course:
        if told.what in _BY_OBJECTORS:
            yield from (each for each in told.words.values() if isinstance(each, str))


def seen_of(corpus: str, items: Iterable[str]) -> str:
    """Return what a form shows that items were looked at: others are shown first."""
    return str(digest_json({"corpus": corpus, "items": sorted(set(items))}))
