"""Flags in a text, as Unicode writes them: a pair of regional indicators, or a black flag with tags (`gbsct`)."""

from __future__ import annotations

import re

from consentry.corpus.place_names import Kind, Reading, Readings
from consentry.policy.jurisdictions import known_place, whole_of

FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}|\U0001f3f4[\U000e0061-\U000e007a]{3,5}\U000e007f")
_REGIONAL_A = 0x1F1E6
_TAG_OFFSET = 0xE0000


def read_flag(flag: str) -> Readings:
    """Return the places that a flag, which FLAG matches whole, stands for."""
    if len(flag) == 2:
        place = "".join(chr(ord(char) - _REGIONAL_A + ord("A")) for char in flag)
    else:
        tags = "".join(chr(ord(char) - _TAG_OFFSET) for char in flag[1:-1]).upper()
        place = f"{tags[:2]}-{tags[2:]}"
    places = {place} if known_place(place) else whole_of(place)
    return tuple(Reading(each, Kind.FLAG) for each in sorted(places))
