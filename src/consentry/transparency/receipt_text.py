"""A receipt in plain words, for whoever holds it. It is made of the receipt alone, and is not signed itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from consentry.transparency.receipt import Receipt

_REACH = {
    "future": "content made from now on",
    "untrained": "everything that is not in a sealed release yet",
    "everything": "everything, and sealed releases: your content leaves them, and models that used it are marked",
}
_STATE = {"refused": "you refused", "allowed": "you allowed", "unset": "you took back what you said about"}
_OBJECTION = {
    "objection.received": "your objection was received",
    "objection.matched": "your objection was answered: the content was found, and its use is refused",
    "objection.not-found": "your objection was answered: nothing was found",
    "objection.declined": "your objection was declined",
    "objection.withdrawn": "you withdrew your objection",
}


def in_words(receipt: Receipt, *, key_id: str) -> str:
    """Return a receipt as lines of text."""
    rows = [*_said(receipt), *_where(receipt), ("signed by key", key_id)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(["Receipt", *(f"  {name:<{width}}  {value}" for name, value in rows)]) + "\n"


def _said(receipt: Receipt) -> Iterator[tuple[str, str]]:
    about = receipt.about
    if about["what"] == "choice":
        yield "what", f"{_STATE.get(about['state'], about['state'])}: {about['purpose']}"
        yield "about", _scope(about)
        if about["state"] == "refused":
            yield "concerns", _REACH.get(about["reach"], about["reach"])
        yield "made", _moment(about["made_at"])
    else:
        yield "what", _OBJECTION.get(receipt.ledger.kind, receipt.ledger.kind)
        yield "objection", str(about["objection"])
        for name in ("purpose", "ground"):
            if name in about:
                yield name, str(about[name])
        if "due" in about:
            yield "answer due by", _moment(about["due"])
    yield "counts from", _moment(receipt.effective_at)
    if receipt.notice is not None:
        number = receipt.notice.version
        name = receipt.notice.notice
        version = f", version {number}" if number is not None else ", its text is not kept here"
        yield ("rules read", name) if receipt.notice.is_policy else ("notice", f"{name}{version}")


def _where(receipt: Receipt) -> Iterator[tuple[str, str]]:
    for each in receipt.policies:
        yield "rules in force", f"{each.name} {each.version}, {each.digest}"
    yield "ledger", receipt.ledger.id
    yield "position", str(receipt.ledger.position)
    yield "commitment", receipt.ledger.commitment
    yield "opens it", "yes: keep this receipt to yourself" if receipt.opening is not None else "no"


def _scope(about: Mapping[str, Any]) -> str:
    parts = [", ".join(about["categories"]) or "all your content"]
    if about["items"]:
        parts.append(f"{about['items']} single item{'s' * (about['items'] != 1)} of it")
    return ", ".join(parts)


def _moment(at: int) -> str:
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return f"{at} seconds after 1970"
