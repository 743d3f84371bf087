"""What was taken out of a sealed release since: the only place where the service asks for amendments.

Nothing amends a release yet: the newest amendment of each is number 0, which removes nothing.
"""

from __future__ import annotations

from consentry.control_plane.plane import ControlPlane
from consentry.errors import NotFoundError
from consentry.oversight.lease import Lease


def newest(control: ControlPlane, release: str) -> int:  # noqa: ARG001
    """Return the number of the newest amendment of a release. The caller holds the lock of the control plane."""
    return 0


def removed(control: ControlPlane, lease: Lease, *, index: int, number: int) -> bytes:
    """Return the rows of a file that amendments 1 to `number` removed, as a bitmap; no bytes: none.

    Raises:
        NotFoundError: the release has no such file or amendment.
    """
    control.file_of(lease.release, index)
    if number > newest(control, lease.release):
        raise NotFoundError(
            "lease-amendment-unknown",
            f"release `{lease.release}` has no amendment `{number}`",
            help="ask for the number that the last renewal told, or a lower one",
        )
    return b""


def may_serve(control: ControlPlane, model: str) -> dict[str, object]:
    """Say whether a model may be served, and why not.

    Raises:
        NotFoundError: nobody ever trained such a model here.
    """
    if model not in control.present().record.models:
        raise NotFoundError("model-unknown", f"no model `{model}`", help="models appear with the first lease for them")
    return {"model": model, "may": True, "reasons": [], "ttl_s": 60.0}
