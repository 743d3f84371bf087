"""What left a sealed release since, and whether a model may be served: where the service asks for lineage."""

from __future__ import annotations

from consentry.control_plane.plane import ControlPlane
from consentry.errors import NotFoundError
from consentry.oversight.lease import Lease
from consentry.release.amendment import number_of

SERVING_TTL_S = 60.0
"""For how long an answer about a model counts."""


def newest(control: ControlPlane, release: str) -> int:
    """Return the number of the newest amendment of a release, brought up to date with the head.

    INVARIANT: the caller does not hold the lock of the control plane: another thread may be amending.
    """
    return control.amendments.newest(release)


def known(control: ControlPlane, release: str) -> int:
    """Return the number of the newest amendment that was read of. The caller holds the lock of the control plane."""
    return number_of(control.desk.newest.amendments.newest(release))


def removed(control: ControlPlane, lease: Lease, *, index: int, number: int) -> bytes:
    """Return the rows of a file that amendments 1 to `number` removed, as a bitmap; no bytes: none.

    Raises:
        NotFoundError: the release has no such file or amendment.
    """
    control.leases.archive.file(lease.release, index)
    if number > newest(control, lease.release):
        raise NotFoundError(
            "lease-amendment-unknown",
            f"release `{lease.release}` has no amendment `{number}`",
            help="ask for the number that the last renewal told, or a lower one",
        )
    return control.amendments.rows(lease.release, index, number=number)


def may_serve(control: ControlPlane, model: str) -> dict[str, object]:
    """Say whether a model may be served, and why not.

    Raises:
        NotFoundError: nobody ever trained or registered such a model here.
    """
    found = control.models.may_serve(model)
    return {"model": model, "may": found["may"], "reasons": found["reasons"], "ttl_s": SERVING_TTL_S}
