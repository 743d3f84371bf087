"""What is said to whoever asks for a release, or for a lease on one, that an order bars (`hits.py`)."""

from __future__ import annotations

from typing import Any

from consentry.errors import StateError
from consentry.oversight.order import Order, in_words


def why_barred(order: Order, release: str) -> str:
    """Say why nobody may read a release that an order bars."""
    if order.ended is None:
        return f"release `{release}` holds what order `{order.order}` suspends ({order.reference})"
    suspension = f"the suspension of {in_words(order.scope)} (order `{order.order}`)"
    return f"release `{release}` was sealed before {suspension} that was {order.ended.in_words()}"


def barred_json(order: Order | None, release: str) -> dict[str, Any] | None:
    """Return as plain values by which order nobody may read a release, and why; None if no order bars it."""
    if order is None:
        return None
    return {
        "order": order.order,
        "case": order.case,
        "reference": order.reference,
        "ended": None if order.ended is None else str(order.ended.how),
        "ended_at": None if order.ended is None else order.ended.at,
        "why": why_barred(order, release),
    }


def barred(order: Order, release: str, *, lease: bool = False) -> StateError:
    """Return the error for who asks for a release, or for a lease on one, that an order bars."""
    if order.ended is None:
        return StateError(
            "lease-suspended" if lease else "release-suspended",
            why_barred(order, release),
            help="build a release now: it leaves out what is suspended",
        )
    return StateError(
        "lease-old-terms" if lease else "release-old-terms",
        why_barred(order, release),
        help="build a new release: what was suspended comes back on the terms that hold now",
    )
