"""Receipts on the pages of a member: of their own choices, and only those."""

from __future__ import annotations

from typing import Protocol, cast

from consentry.control_plane.plane import ControlPlane


class Receipts(Protocol):
    """Gives receipts."""

    def of(self, position: int) -> bytes:
        """Return the signed receipt for the event at a position."""
        ...


def receipts_of(control: ControlPlane) -> Receipts | None:
    """Return what gives receipts; None where nothing does."""
    return cast("Receipts | None", getattr(control, "receipts", None))


def text_of(content: bytes) -> str:
    """Return a receipt as a text for people."""
    return content.decode()
