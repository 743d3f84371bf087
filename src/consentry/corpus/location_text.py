"""What places a free text such as `Boulder, CO` or `NYC | Philadelphia - UK` can mean.

A text is a list of *alternatives* (separated by `/`, `|`, `and` ...), each a list of *segments* (separated by commas,
dashes, brackets), each with its *readings*. Rules:

1. A segment is looked up whole; if that finds nothing, known names are looked for within it, longest first.
2. Within an alternative a segment narrows another: in `Boulder, CO` the city is in Colorado and not in Colombia, so CO
   means Colorado. Only a name of a container narrows, never one city another: `Paris, London` stays both.
3. What nothing narrows keeps every reading: `Georgia` is the state and the country, and `Cantù, CO` for who does not
   know the town is in Colorado, in Colombia, or in a country in Europe with a part CO. Only small cities outside Europe
   give way to larger namesakes: `London` is not the one in Kentucky, but `Boston` may be the one in England. A name
   that a town in Europe shares (`Mérida`) counts as not understood if that town is not among its readings.
4. A text may *hold* without *establishing*: a two-letter code or a small town on its own, a second-level subdivision,
   an alternative that nothing was found in (`Belfast/Texas` without a city index), coordinates, an overlong text.
5. So does a text of which something was not understood. Only an unknown name that is a segment before the place it is
   in is let pass (`Smalltown, Texas`), because no list has every village; never one behind it (`Texas, Smalltown`).
6. Within one segment only words that say nothing (`Southern Germany`) and known names of parts of what was found may
   stand beside a name: `Via Virginia` is a street in Rome. A code in capitals counts as a segment (`Fairbrook TX`).

Nothing in a text is an error: what is not understood yields no places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from consentry.corpus.flags import FLAG, read_flag
from consentry.corpus.location_doubt import (
    adds_nothing,
    doubts,
    is_a_label,
    moved_to,
    names_a_zone,
    reads_as_name,
    says_nothing,
    spans_years,
)
from consentry.corpus.namesakes import SHARED, fits, in_europe, is_within, most_specific, provinces
from consentry.corpus.narrowing import Segment, agreeing, can_establish, is_placed, is_small_city, unsupported
from consentry.corpus.place_names import (
    Kind,
    Reading,
    Readings,
    Region,
    codes,
    fold,
    names_within_text,
    plain,
    readings_of,
    wider_region,
)
from consentry.policy.jurisdictions import contains

MAX_LENGTH = 200
"""Longer texts are read up to here and establish nothing."""

_ALTERNATIVES = re.compile(r"[/|;•·⇒→↔\n]|\s[<=-]*->?>\s")
_JOINED = re.compile(r"\s+(?:and|or|to|und|et|y|&|\+)\s+", re.IGNORECASE)
_SEGMENTS = re.compile(r"([,()\[\]{}:،、，]|\s[-–—~]+\s)")
_COORDINATES = re.compile(r"-?\d{1,3}[.,]\d{3,}")
_LOOSE = frozenset({":", "-", "–", "—", "~"})
"""Separators that may stand between a place and another, as well as between a place and what it is in."""
_NATIVE_ENDINGS = frozenset("省市区县縣州都道府시도")
"""What may end a name that is written without spaces."""
_CODE = re.compile(r"[A-Za-z]{2,3}")
_UNION = frozenset({"EU", "\U0001f1ea\U0001f1fa"})
_SIXTH = "VI"
"""At the end of a name (`Paolo VI` in Taranto) it is a number, and not the Virgin Islands."""
_MOST_WORDS = 6
_MOST_CHARACTERS = 8


class Located(NamedTuple):
    """The places a text can mean, whether it may establish a residence, and how the places were named."""

    places: frozenset[str]
    establishes: bool
    forms: tuple[str, ...]


class _Piece(NamedTuple):
    """A part of an alternative; `leads` if what follows it can be the place it is in."""

    text: str
    leads: bool


class _Alternative(NamedTuple):
    readings: list[Reading]
    firm: bool
    sound: bool


class _Within(NamedTuple):
    """What was found inside a piece, and the words before the first name and after it."""

    readings: list[Reading]
    before: list[str]
    after: list[str]
    names: list[str]


NOWHERE = Located(frozenset(), establishes=False, forms=())
SOMEWHERE_IN_EUROPE = Located(frozenset(), establishes=False, forms=("region of Europe",))
SOMEWHERE_ELSE = Located(frozenset(), establishes=False, forms=("somewhere else by now",))


@lru_cache(maxsize=1 << 17)
def locate(text: str) -> Located:
    """Return what `text` can mean. Any text is accepted."""
    # A flag says no more of the name before it than a dash does: people abroad show it too.
    shortened = FLAG.sub(r" - \g<0> - ", text[:MAX_LENGTH])
    parts = [part for part in _alternatives(shortened) if _says_something(part)]
    found = [_alternative(part) for part in parts]
    kept = [reading for each in found for reading in each.readings]
    named = [each.place for each in kept if each.kind is not Kind.PROVINCE_CODE]
    in_between = any(_says_europe(part) for part in parts) and not any(map(in_europe, named))
    unsure = SOMEWHERE_IN_EUROPE if in_between else SOMEWHERE_ELSE if any(map(_says_elsewhere, parts)) else NOWHERE
    if not kept:
        return unsure
    certain = len(text) <= MAX_LENGTH and not (_COORDINATES.search(text) or names_a_zone(text) or spans_years(text))
    everything_read = all(each.readings and each.sound for each in found)
    return Located(
        frozenset(reading.place for reading in kept),
        establishes=certain and everything_read and any(each.firm for each in found),
        forms=(*sorted({reading.kind.value for reading in kept}), *unsure.forms),
    )


def _says_europe(text: str) -> bool:
    """Say whether a text names Europe, or a part of it that is no jurisdiction."""
    for piece in _pieces(text):
        named = (piece.text, *_read_within(plain(piece.text)).names)
        if not _UNION.isdisjoint(piece.text.split()) or any(wider_region(name) is Region.EUROPE for name in named):
            return True
    return False


def _says_elsewhere(text: str) -> bool:
    """Say whether somebody says to be in a place by now that nobody knows, as in `Texas, now in Munich`."""
    meant = moved_to([piece.text.strip() for piece in _pieces(text)])
    return any(not any(_read(each, first=False).readings for each in said) for said in meant)


def _says_something(text: str) -> bool:
    return any(char.isalpha() for char in text) or FLAG.search(text) is not None


def _alternatives(text: str) -> Iterable[str]:
    for part in _ALTERNATIVES.split(text):
        segments = _SEGMENTS.split(part)
        if any(_JOINED.search(segment) and readings_of(segment) is None for segment in segments):
            yield from _JOINED.split(part)
        else:
            yield part


def _alternative(text: str) -> _Alternative:
    """Return the readings kept of one alternative, whether they establish, and whether all of it was understood."""
    pieces = list(_pieces(text))
    read = [_read(piece.text, first=number == 0) for number, piece in enumerate(pieces)]
    segments = [segment for segment in read if segment.understood]
    supported = [agreeing(number, segments) for number in range(len(segments))]
    lonely = {segment for segment, others in zip(segments, supported, strict=True) if segment.shared and not others}
    read = [each._replace(sound=each.sound and each not in lonely) for each in read]
    kept: list[Reading] = []
    for number, segment in enumerate(segments):
        kept += supported[number] or ([] if is_placed(number, supported) else unsupported(segment.readings))
    firm = any(supported) or any(can_establish(reading, alone=len(pieces) == 1) for reading in kept)
    sound = _is_sound(pieces, read) and all(fits(wider_region(piece.text), kept) for piece in pieces)
    return _Alternative(most_specific(kept), firm, sound)


def _pieces(text: str) -> Iterable[_Piece]:
    parts = _SEGMENTS.split(text)
    for segment, separator in zip(parts[::2], [*parts[1::2], ","], strict=True):
        *heads, last = _split_code(segment)
        for head in heads:
            yield _Piece(head, leads=True)
        if _says_something(last):
            yield _Piece(last, leads=separator.strip() not in _LOOSE)


def _is_sound(pieces: Sequence[_Piece], read: Sequence[Segment]) -> bool:
    """Say whether every piece is understood, or can be the name of something within one that follows."""
    follows = False
    for piece, segment in zip(reversed(pieces), reversed(read), strict=True):
        read_whole = segment.sound and (segment.understood or is_a_label(_words(piece.text)))
        if not read_whole and not (follows and piece.leads and reads_as_name(piece.text)):
            return False
        if doubts(piece.text):
            return False
        follows = follows or bool(segment.readings)
    return True


def _words(text: str) -> list[str]:
    return [word for word in fold(text).split() if not any(char.isdigit() for char in word)]


def _split_code(segment: str) -> tuple[str, ...]:
    """Return `Fairbrook OR` as `Fairbrook`, `OR`: capitals at the end are a state's code, `UK` or `US`."""
    head, _, last = segment.strip().rpartition(" ")
    coded = last != _SIXTH and any(reading.kind is not Kind.COUNTRY_CODE for reading in codes().get(last, ()))
    if head and coded and not head.isupper() and readings_of(segment) is None:
        return head, last
    return (segment,)


def _read(segment: str, *, first: bool) -> Segment:
    if FLAG.fullmatch(segment.strip()):
        flag = read_flag(segment.strip())
        return Segment(flag, understood=True, sound=bool(flag))
    words = " ".join(word for word in segment.split() if not any(char.isdigit() for char in word))
    whole = readings_of(words)
    coded = _read_code(words, first=first)
    found, sound, names = [*coded, *(whole or ())], True, [words]
    if (whole is None and not coded) or (found and all(is_small_city(reading) for reading in found)):
        # Knowing more towns must never establish less: `Texas City` is still in Texas.
        within = _read_within(plain(words))
        sound = whole is not None or bool(coded) or not within.readings or _is_clear(within)
        found += within.readings
        names += within.names
    return Segment(
        tuple(dict.fromkeys(found)),
        understood=whole is not None or bool(found),
        sound=sound,
        shared=any(_is_shared(name, found) for name in names),
    )


def _is_shared(name: str, readings: Sequence[Reading]) -> bool:
    """Say whether a town in Europe has this name, and nothing in its segment is there or says which is meant."""
    if fold(name).removeprefix("the ") not in SHARED or any(in_europe(reading.place) for reading in readings):
        return False
    meant = readings_of(name) or ()
    return not any(is_within(inner.place, outer.place) for inner in meant for outer in readings)


def _is_clear(within: _Within) -> bool:
    """Say whether what stands beside names within a segment leaves them as they are, or names a part of them.

    Nothing else may: `Via Virginia`, `Hotel Texas` and `Michael Jordan` are names of something else.
    """
    behind = adds_nothing(map(fold, within.after)) or _is_native(within)
    return behind and _names_parts(within.before, of=within.readings)


def _names_parts(words: Sequence[str], *, of: Sequence[Reading]) -> bool:
    """Say whether every word says nothing about a place, or is of the known name of one within `of`."""
    start = 0
    while start < len(words):
        spans = range(min(_MOST_WORDS, len(words) - start), 0, -1)
        named = (n for n in spans if _agree(of, readings_of(" ".join(words[start : start + n])) or ()))
        length = next(named, 1 if says_nothing([fold(words[start])]) else 0)
        if not length:
            return False
        start += length
    return True


def _is_native(within: _Within) -> bool:
    """Say whether what follows is Chinese or Korean and only names parts of the place, as in `中国广东省广州市`."""
    text, known = "".join(within.after), 0
    while known < len(text):
        spans = range(min(_MOST_CHARACTERS, len(text) - known), 0, -1)
        named = (n for n in spans if n > 1 and _agree(within.readings, readings_of(text[known : known + n]) or ()))
        length = next(named, 1 if known and text[known] in _NATIVE_ENDINGS else 0)
        if not length:
            return False
        known += length
    return True


def _agree(outer: Iterable[Reading], inner: Iterable[Reading]) -> bool:
    return any(contains(place.place, each.place, at=0) for place in outer for each in inner)


def _read_code(words: str, *, first: bool) -> Readings:
    word = words.replace(".", "").strip()
    if not _CODE.fullmatch(word):
        return ()
    found = codes().get(word.upper(), ())
    is_state = len(word) == 2 and any(reading.kind is Kind.STATE_CODE for reading in found)
    if not found or not (word.isupper() or (is_state and not first)):
        return ()
    return (*found, *provinces().get(word.upper(), ()))


def _read_within(text: str) -> _Within:
    known = names_within_text()
    words = text.split()
    within = _Within([], [], [], [])
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
        left = words[start : start + max(length, 1)]
        if length and (start == 0 or words[start - 1] != "new"):
            within.names.append(" ".join(left))
            within.readings.extend(known[within.names[-1]])
            left = []
        elif not length and not words[start].isascii():
            prefix = _prefix(words[start])
            within.readings.extend(known.get(prefix, ()))
            left = [words[start].removeprefix(prefix)]
        (within.after if within.readings else within.before).extend(left)
        start += max(length, 1)
    return within


def _prefix(word: str) -> str:
    """Return the name that starts a word written without spaces (`中国北京`); empty if there is none."""
    if word[0].isalpha() and word[0] >= "\u2e80":
        for length in range(min(len(word) - 1, 8), 1, -1):
            if names_within_text().get(word[:length]):
                return word[:length]
    return ""
