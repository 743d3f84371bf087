"""JSON as strictly as it is written: no key twice, no NaN, no depth that exhausts anybody, and UTF-8.

Readers disagree about all of these (RFC 8259, sections 4, 6 and 8), and what two readers understand differently is
where checks are got around.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from consentry.errors import InputError

DEEPEST = 64
"""So many arrays and objects inside each other at most."""


def parsed(content: bytes) -> Any:
    """Return what a document says.

    Raises:
        InputError: it is no JSON, or JSON that readers disagree about.
    """
    if _may_be_deep(content) and _depth(content) > DEEPEST:
        raise _refused("the document is nested too deeply")
    try:
        text = content.decode("utf-8", "strict")
        found = _DECODER.decode(text)
        if "\\u" in text:
            # Half a surrogate pair is in no UTF-8: it could be read, but never be written or answered.
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeError:
        raise _refused("the document is not UTF-8") from None
    except (ValueError, RecursionError):
        raise _refused("the document is no JSON") from None
    return found


def _may_be_deep(content: bytes) -> bool:
    return content.count(b"[") + content.count(b"{") > DEEPEST


def _depth(content: bytes) -> int:
    depth = deepest = 0
    inside = escaped = False
    for each in content:
        if inside:
            if escaped:
                escaped = False
            elif each == 0x5C:
                escaped = True
            elif each == 0x22:
                inside = False
        elif each == 0x22:
            inside = True
        elif each in b"[{":
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > DEEPEST:
                    break
        elif each in b"]}":
            depth -= 1
    return deepest


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _refused("the document has a key twice")
    return found


def _constant(_: str) -> NoReturn:
    raise _refused("the document has a number that is none: NaN or Infinity")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def _refused(message: str) -> InputError:
    return InputError(
        "serve-malformed", message, help="send JSON (RFC 8259) in UTF-8 with each key once and plain numbers"
    )
