"""Which of its readings a segment of a location text keeps beside the others, and which may establish a residence.

Only a name of a container narrows, never one city another. `location_text` says what the segments are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from consentry.corpus.namesakes import in_europe
from consentry.corpus.place_names import LARGE_CITY, Kind, Reading, Readings
from consentry.policy.jurisdictions import contains

NAMESAKE_SHARE = 10
"""Among cities, one stays a candidate if it has at least 1/NAMESAKE_SHARE of its largest namesake's inhabitants."""

_COUNTRIES = frozenset({Kind.TERRITORY, Kind.FLAG})
_CONTAINERS = frozenset({Kind.SUBDIVISION, Kind.DISTRICT, Kind.STATE_CODE, Kind.COUNTRY_CODE})
_STATES = frozenset({Kind.SUBDIVISION, Kind.STATE_CODE})
_NAMES_OF_PARTS = frozenset({Kind.SUBDIVISION, Kind.DISTRICT})
_CODES = frozenset({Kind.STATE_CODE, Kind.COUNTRY_CODE, Kind.PROVINCE_CODE})


class Segment(NamedTuple):
    """What a piece means; `sound` if nothing about it keeps the text from establishing.

    `shared` if somebody in Europe may be meant whom no reading is about.
    """

    readings: Readings
    understood: bool
    sound: bool
    shared: bool = False


def agreeing(number: int, segments: Sequence[Segment]) -> list[Reading]:
    """Return the readings of a segment that most other segments agree with; none if no other segment does."""
    votes = {
        reading: sum(
            _agrees(reading, number, others=segment.readings, position=position)
            for position, segment in enumerate(segments)
            if position != number and segment != segments[number]
        )
        for reading in segments[number].readings
    }
    most = max(votes.values(), default=0)
    return [reading for reading, count in votes.items() if count == most > 0]


def _agrees(reading: Reading, number: int, *, others: Readings, position: int) -> bool:
    """Say whether another segment can mean a place that contains this one, or one within it."""
    return any(
        _supports(other, reading, after=position > number)
        or (_supports(reading, other, after=number > position) and not _leaves_code_open(reading, other))
        for other in others
    )


def is_placed(number: int, supported: Sequence[Sequence[Reading]]) -> bool:
    """Say whether a state and its country follow, as in `Berlin, NY, USA`: then the segment is a town in that state."""
    following = [reading.kind for segment in supported[number + 1 : number + 3] for reading in segment]
    return len(following) == 2 and following[0] in _STATES and following[1] in _COUNTRIES


def _supports(container: Reading, part: Reading, *, after: bool) -> bool:
    """Say whether `container` narrows `part`: a country from anywhere in the text, anything smaller from behind.

    `Cantù, CO, Italia` is in Italy; but `Italy, CO` may be a place in Colorado.
    """
    if container.kind not in _COUNTRIES and not (after and container.kind in _CONTAINERS):
        return False
    if part.kind is Kind.PROVINCE_CODE and not after:
        return False
    return contains(container.place, part.place, at=0) is True


def _leaves_code_open(code: Reading, part: Reading) -> bool:
    """A part's name does not decide what a code means: `Ontario, CA` may be the city in California."""
    return code.kind is Kind.COUNTRY_CODE and part.kind in _NAMES_OF_PARTS


def unsupported(readings: Readings) -> list[Reading]:
    """Return what a segment means by itself: everything but small cities outside Europe with a larger namesake."""
    larger_area = any(reading.kind in (Kind.TERRITORY, Kind.SUBDIVISION) for reading in readings)
    largest = max((reading.weight for reading in readings), default=0)
    return [
        reading
        for reading in readings
        if reading.kind is not Kind.CITY
        or in_europe(reading.place)
        or (reading.weight * NAMESAKE_SHARE >= largest and not (larger_area and is_small_city(reading)))
    ]


def can_establish(reading: Reading, *, alone: bool) -> bool:
    """Say whether a reading that nothing narrowed may stand for where somebody lives."""
    if reading.kind in _CODES:
        return not alone
    return reading.kind is not Kind.DISTRICT and not is_small_city(reading)


def is_small_city(reading: Reading) -> bool:
    """A small city establishes nothing by itself, and gives way to a larger area of its name."""
    return reading.kind is Kind.CITY and reading.weight < LARGE_CITY
