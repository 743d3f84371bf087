"""A state as bytes, to keep at a position and to compare: equal states have equal bytes.

Layout: magic line, length of the head (`u64`), head (canonical JSON), tables, SHA-256 of all before it.
Numbers are little-endian. The head holds everything small, how many people chose, and the distinct
choice keys. The tables, each sorted:

| table | a row |
|---|---|
| choices | see `kept_choices` |
| links | two persons (32 bytes), position `u64` |
| erased | token (32 bytes), position `u64` |
| excluded | item (16 bytes), purpose `u8`, position `u64` |

An image holds what was live when it was taken. After an erasure every older image has to be deleted as well.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from operator import itemgetter
from struct import Struct
from typing import Any, TypeVar

from consentry.digests import canonical_json, digest
from consentry.errors import IntegrityError
from consentry.ledger.groups import groups_of
from consentry.ledger.kept_choices import REACHES, ROW, STATES, KeptChoices
from consentry.ledger.layered import merged
from consentry.ledger.state import (
    Excluded,
    Link,
    Loaded,
    Published,
    Registered,
    Sealed,
    Served,
    State,
    Withdrawn,
)
from consentry.policy.choice import ChoiceKey
from consentry.policy.vocabulary import Category, Purpose

_MAGIC = b"consentry state 6\n"
_LENGTH = Struct("<Q")
_LINK = Struct("<16s16sQ")
_ERASED = Struct("<32sQ")
_EXCLUDED = Struct("<16sBQ")
_SUM_BYTES = 32
_PART_DIGITS = 3
_Key = TypeVar("_Key", bound=str | Link)
_Value = TypeVar("_Value")

_PURPOSES = tuple(Purpose)
_STATE_CODE = {state: code for code, state in enumerate(STATES)}
_REACH_CODE = {reach: code for code, reach in enumerate(REACHES)}


def to_bytes(state: State) -> bytes:
    """Return the image of `state`."""
    choices, keys = merged(state.choices), dict[ChoiceKey, int]()
    for key in sorted({each.choice.key for said in choices.values() for each in said}, key=_key_order):
        keys[key] = len(keys)
    tables = [
        b"".join(
            ROW.pack(raw, keys[key], _STATE_CODE[chosen], _REACH_CODE[reach], at, position)
            for person, said in _in_order(choices.items())
            for raw in (bytes.fromhex(person),)
            for (key, chosen, reach, at), position in said
        ),
        b"".join(
            _LINK.pack(bytes.fromhex(link.one), bytes.fromhex(link.other), position)
            for link, position in _in_order(state.links.items())
        ),
        b"".join(_ERASED.pack(bytes.fromhex(token), position) for token, position in _in_order(state.erased.items())),
        b"".join(
            _EXCLUDED.pack(bytes.fromhex(item), _PURPOSES.index(purpose), position)
            for (item, purpose), position in sorted(state.excluded.items())
        ),
    ]
    head = canonical_json(
        {**_head(state), "chose": len(choices), "keys": list(keys), "tables": [len(table) for table in tables]}
    )
    whole = b"".join([_MAGIC, _LENGTH.pack(len(head)), head, *tables])
    return whole + _sum(whole)


def from_bytes(image: bytes) -> State:
    """Read an image back.

    Raises:
        IntegrityError: it is no image, one of another version, or damaged. Delete it and fold again.
    """
    whole, found = image[:-_SUM_BYTES], image[-_SUM_BYTES:]
    if not image.startswith(_MAGIC) or _sum(whole) != found:
        raise IntegrityError(
            "ledger-image-damaged",
            "the kept state is damaged or of another version",
            help="delete it; it is built again from the ledger",
        )
    start = len(_MAGIC) + _LENGTH.size
    end = start + _LENGTH.unpack_from(whole, len(_MAGIC))[0]
    head = json.loads(whole[start:end])
    tables: list[memoryview] = []
    for length in head["tables"]:
        tables.append(memoryview(whole)[end : end + length])
        end += length
    erased = {token.hex(): position for token, position in _ERASED.iter_unpack(tables[2])}
    links = {Link(one.hex(), other.hex()): position for one, other, position in _LINK.iter_unpack(tables[1])}
    return State(
        position=head["position"],
        latest=head["latest"],
        policies=tuple(Published(*each) for each in head["policies"]),
        corpora={name: Registered(*each) for name, each in head["corpora"].items()},
        people=None if head["people"] is None else Loaded(*head["people"]),
        notices=tuple(Served(*each) for each in head["notices"]),
        choices=KeptChoices(tables[0], [_key(*each) for each in head["keys"]], people=head["chose"]),
        links=links,
        erased=erased,
        newest_erasure=max(erased.values(), default=-1),
        excluded={
            Excluded(item.hex(), _PURPOSES[purpose]): position
            for item, purpose, position in _EXCLUDED.iter_unpack(tables[3])
        },
        releases={name: _sealed(each) for name, each in head["releases"].items()},
        groups=groups_of(links),
    )


def _head(state: State) -> dict[str, Any]:
    return {
        "corpora": state.corpora,
        "latest": state.latest,
        "notices": state.notices,
        "people": state.people,
        "policies": state.policies,
        "position": state.position,
        "releases": state.releases,
    }


def _sealed(parts: list[Any]) -> Sealed:
    found = Sealed(*parts)
    withdrawn = None if found.withdrawn is None else Withdrawn(*found.withdrawn)
    return found._replace(purpose=Purpose(found.purpose), withdrawn=withdrawn)


def _key(purpose: str, category: str | None, item: str | None) -> ChoiceKey:
    return ChoiceKey(Purpose(purpose), None if category is None else Category(category), item)


def _in_order(entries: Iterable[tuple[_Key, _Value]]) -> Iterator[tuple[_Key, _Value]]:
    """Yield entries in the order of their keys, of which each has one.

    They are sorted in many small parts: while Python sorts no other thread gets its turn, and of millions that is long.
    """
    parts: defaultdict[str, list[tuple[_Key, _Value]]] = defaultdict(list)
    for entry in entries:
        key = entry[0]
        parts[(key if isinstance(key, str) else key.one)[:_PART_DIGITS]].append(entry)
    for start in sorted(parts):
        yield from sorted(parts.pop(start), key=itemgetter(0))


def _key_order(key: ChoiceKey) -> tuple[str, str, str]:
    return key.purpose, key.category or "", key.item or ""


def _sum(whole: bytes) -> bytes:
    return bytes.fromhex(digest(whole).removeprefix("sha256:"))
