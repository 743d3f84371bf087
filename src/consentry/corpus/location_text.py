"""What places a free text such as `Boulder, CO` or `NYC | Philadelphia - UK` can mean.

A text is a list of *alternatives* (separated by `/`, `|`, `and` ...), each a list of *segments* (separated by commas,
dashes, brackets), each with its *readings*. Rules:

1. A segment is looked up whole; if that finds nothing, known names are looked for within it, longest first.
2. Within an alternative a segment narrows another: in `Boulder, CO` the city is in Colorado and not in Colombia, so CO
   means Colorado. Only a name of a container narrows, never one city another: `Paris, London` stays both.
3. What nothing narrows keeps every reading: `Georgia` is the state and the country. Only small cities give way to
   larger namesakes: `London` is not the one in Kentucky.
4. A text may *hold* without *establishing*: a two-letter code or a small town on its own, a second-level subdivision,
   an alternative that nothing was found in (`Belfast/Texas` without a city index), coordinates, an overlong text.

Nothing in a text is an error: what is not understood yields no places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from consentry.corpus.place_names import (
    LARGE_CITY,
    Kind,
    Reading,
    Readings,
    codes,
    names_within_text,
    plain,
    readings_of,
)
from consentry.policy.jurisdictions import contains, known_place, whole_of

MAX_LENGTH = 200
"""Longer texts are read up to here and establish nothing."""
NAMESAKE_SHARE = 10
"""Among cities, one stays a candidate if it has at least 1/NAMESAKE_SHARE of its largest namesake's inhabitants."""

_ALTERNATIVES = re.compile(r"[/|;•·⇒→↔\n]|\s[<=-]*->?>\s")
_JOINED = re.compile(r"\s+(?:and|or|to|und|et|y|&|\+)\s+", re.IGNORECASE)
_SEGMENTS = re.compile(r"[,()\[\]{}:،、，]|\s[-–—~]+\s")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}|\U0001f3f4[\U000e0061-\U000e007a]{3,5}\U000e007f")
_COORDINATES = re.compile(r"-?\d{1,3}[.,]\d{3,}")
_CODE = re.compile(r"[A-Za-z]{2,3}")
_COUNTRIES = frozenset({Kind.TERRITORY, Kind.FLAG})
_CONTAINERS = frozenset({Kind.SUBDIVISION, Kind.DISTRICT, Kind.STATE_CODE, Kind.COUNTRY_CODE})
_STATES = frozenset({Kind.SUBDIVISION, Kind.STATE_CODE})
_NAMES_OF_PARTS = frozenset({Kind.SUBDIVISION, Kind.DISTRICT})
_CODES = frozenset({Kind.STATE_CODE, Kind.COUNTRY_CODE})
_MOST_WORDS = 6
_REGIONAL_A = 0x1F1E6
_TAG_OFFSET = 0xE0000


class Located(NamedTuple):
    """The places a text can mean, whether it may establish a residence, and how the places were named."""

    places: frozenset[str]
    establishes: bool
    forms: tuple[str, ...]


class _Segment(NamedTuple):
    readings: Readings
    understood: bool


NOWHERE = Located(frozenset(), establishes=False, forms=())


@lru_cache(maxsize=1 << 17)
def locate(text: str) -> Located:
    """Return what `text` can mean. Any text is accepted."""
    shortened = _FLAG.sub(r",\g<0>,", text[:MAX_LENGTH])
    found = [_alternative(part) for part in _alternatives(shortened) if _says_something(part)]
    kept = [reading for readings, _ in found for reading in readings]
    if not kept:
        return NOWHERE
    certain = len(text) <= MAX_LENGTH and not _COORDINATES.search(text)
    everything_read = all(readings for readings, _ in found)
    return Located(
        frozenset(reading.place for reading in kept),
        establishes=certain and everything_read and any(firm for _, firm in found),
        forms=tuple(sorted({reading.kind.value for reading in kept})),
    )


def _says_something(text: str) -> bool:
    return any(char.isalpha() for char in text) or _FLAG.search(text) is not None


def _read_flag(flag: str) -> Readings:
    """Read a pair of regional indicators, or a black flag with the tags of a subdivision (`gbsct`)."""
    if len(flag) == 2:
        place = "".join(chr(ord(char) - _REGIONAL_A + ord("A")) for char in flag)
    else:
        tags = "".join(chr(ord(char) - _TAG_OFFSET) for char in flag[1:-1]).upper()
        place = f"{tags[:2]}-{tags[2:]}"
    places = {place} if known_place(place) else whole_of(place)
    return tuple(Reading(each, Kind.FLAG) for each in sorted(places))


def _alternatives(text: str) -> Iterable[str]:
    for part in _ALTERNATIVES.split(text):
        segments = _SEGMENTS.split(part)
        if any(_JOINED.search(segment) and readings_of(segment) is None for segment in segments):
            yield from _JOINED.split(part)
        else:
            yield part


def _alternative(text: str) -> tuple[list[Reading], bool]:
    """Return the readings kept of one alternative, and whether they establish."""
    pieces = [piece for segment in _SEGMENTS.split(text) for piece in _split_code(segment) if _says_something(piece)]
    segments = [_read(piece, first=number == 0) for number, piece in enumerate(pieces)]
    segments = [segment for segment in segments if segment.understood]
    supported = [_supported(number, segments) for number in range(len(segments))]
    kept: list[Reading] = []
    for number, segment in enumerate(segments):
        kept += supported[number] or ([] if _is_placed(number, supported) else _unsupported(segment.readings))
    firm = any(supported) or any(_establishes(reading, alone=len(pieces) == 1) for reading in kept)
    return _most_specific(kept), firm


def _split_code(segment: str) -> tuple[str, ...]:
    """Return `Fairbrook OR` as `Fairbrook`, `OR`: capitals at the end are a state's code, `UK` or `US`."""
    head, _, last = segment.strip().rpartition(" ")
    coded = any(reading.kind is not Kind.COUNTRY_CODE for reading in codes().get(last, ()))
    if head and coded and not head.isupper() and readings_of(segment) is None:
        return head, last
    return (segment,)


def _read(segment: str, *, first: bool) -> _Segment:
    if _FLAG.fullmatch(segment.strip()):
        return _Segment(_read_flag(segment.strip()), understood=True)
    words = " ".join(word for word in segment.split() if not any(char.isdigit() for char in word))
    whole = readings_of(words)
    coded = _read_code(words, first=first)
    found = [*coded, *(whole or ())]
    if (whole is None and not coded) or (found and all(_is_small_city(reading) for reading in found)):
        # Knowing more towns must never establish less: `Texas City` is still in Texas.
        found += _read_within(plain(words))
    return _Segment(tuple(dict.fromkeys(found)), understood=whole is not None or bool(found))


def _read_code(words: str, *, first: bool) -> Readings:
    word = words.replace(".", "").strip()
    if not _CODE.fullmatch(word):
        return ()
    found = codes().get(word.upper(), ())
    if word.isupper():
        return found
    is_state = len(word) == 2 and any(reading.kind is Kind.STATE_CODE for reading in found)
    return found if is_state and not first else ()


def _read_within(text: str) -> list[Reading]:
    known = names_within_text()
    words = text.split()
    found: list[Reading] = []
    start = 0
    while start < len(words):
        length = next(
            (
                n
                for n in range(min(_MOST_WORDS, len(words) - start), 0, -1)
                if " ".join(words[start : start + n]) in known
            ),
            0,
        )
        if length and (start == 0 or words[start - 1] != "new"):
            found += known[" ".join(words[start : start + length])]
        elif not length and not words[start].isascii():
            found += _prefix(words[start])
        start += max(length, 1)
    return found


def _prefix(word: str) -> Readings:
    """Return the readings of a name that starts a word written without spaces (`中国北京`)."""
    if word[0].isalpha() and word[0] >= "\u2e80":
        for length in range(min(len(word) - 1, 8), 1, -1):
            if found := names_within_text().get(word[:length]):
                return found
    return ()


def _supported(number: int, segments: Sequence[_Segment]) -> list[Reading]:
    """Return the readings of a segment that most other segments agree with; none if no other segment does."""
    votes = {
        reading: sum(
            _agrees(reading, number, segment.readings, position)
            for position, segment in enumerate(segments)
            if position != number
        )
        for reading in segments[number].readings
    }
    most = max(votes.values(), default=0)
    return [reading for reading, count in votes.items() if count == most > 0]


def _agrees(reading: Reading, number: int, others: Readings, position: int) -> bool:
    """Say whether another segment can mean a place that contains this one, or one within it."""
    return any(
        _supports(other, reading, after=position > number)
        or (_supports(reading, other, after=number > position) and not _leaves_code_open(reading, other))
        for other in others
    )


def _is_placed(number: int, supported: Sequence[Sequence[Reading]]) -> bool:
    """Say whether a state and its country follow, as in `Berlin, NY, USA`: then the segment is a town in that state."""
    following = [reading.kind for segment in supported[number + 1 : number + 3] for reading in segment]
    return len(following) == 2 and following[0] in _STATES and following[1] in _COUNTRIES


def _supports(container: Reading, part: Reading, *, after: bool) -> bool:
    """Say whether `container` narrows `part`: a country from anywhere in the text, anything smaller from behind."""
    if container.kind not in _COUNTRIES and not (after and container.kind in _CONTAINERS):
        return False
    return contains(container.place, part.place, at=0) is True


def _leaves_code_open(code: Reading, part: Reading) -> bool:
    """A part's name does not decide what a code means: `Ontario, CA` may be the city in California."""
    return code.kind is Kind.COUNTRY_CODE and part.kind in _NAMES_OF_PARTS


def _unsupported(readings: Readings) -> list[Reading]:
    """Return what a segment means by itself: everything but small cities with a larger namesake."""
    larger_area = any(reading.kind in (Kind.TERRITORY, Kind.SUBDIVISION) for reading in readings)
    largest = max((reading.weight for reading in readings), default=0)
    return [
        reading
        for reading in readings
        if reading.kind is not Kind.CITY
        or (reading.weight * NAMESAKE_SHARE >= largest and not (larger_area and _is_small_city(reading)))
    ]


def _establishes(reading: Reading, *, alone: bool) -> bool:
    if reading.kind in _CODES:
        return not alone
    return reading.kind is not Kind.DISTRICT and not _is_small_city(reading)


def _is_small_city(reading: Reading) -> bool:
    """A small city establishes nothing by itself, and gives way to a larger area of its name."""
    return reading.kind is Kind.CITY and reading.weight < LARGE_CITY


def _most_specific(readings: Sequence[Reading]) -> list[Reading]:
    """Drop a place that contains one other (only one) of its alternative: `Denver, Colorado, USA` is in Colorado."""
    places = {reading.place for reading in readings}
    outer = {place for place in places if sum(_is_within(other, place) for other in places) == 1}
    return [reading for reading in readings if reading.place not in outer]


def _is_within(place: str, outer: str) -> bool:
    return place != outer and contains(outer, place, at=0) is True
