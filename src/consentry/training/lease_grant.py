"""Asking for a lease: what a job gets when it is granted one, or why it gets none."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, NamedTuple

from consentry.errors import ConsentryError, InputError
from consentry.exhausted import require_room
from consentry.training.boot_clock import boot_seconds
from consentry.training.consumption import Journal
from consentry.training.held_release import HeldRelease, held_files
from consentry.training.holding import Asked, Holding, granted
from consentry.training.http import Requests, no_answer
from consentry.training.lease_requests import LeaseRequests, refusal
from consentry.training.shared_deadline import SharedDeadline

_TIMEOUT_S = 20.0


class Grant(NamedTuple):
    """What was granted. Whoever gets it owns the file of the deadline and the journal, and ends both."""

    holding: Holding
    release: HeldRelease
    journal: Journal


def grant(url: str, body: dict[str, Any], *, credential: str, folder: Path) -> Grant:
    """Ask for a lease, and begin its journal in a folder.

    Raises:
        InputError: nothing says who this workload is, or there can be no journal.
        ConsentryError: the control plane refuses it.
        UnavailableError: there is no answer, or none that is a lease.
    """
    if not credential:
        raise InputError(
            "lease-no-credential",
            "nothing says who this workload is",
            help="set CONSENTRY_TOKEN to what stands in keys/workload.token of the home",
        )
    asked = Asked(nonce=secrets.token_hex(16), sequence=0, at=boot_seconds())
    answer = Requests(url).send(
        "POST", "/v1/leases", secret=credential, body={**body, "nonce": asked.nonce}, timeout_s=_TIMEOUT_S
    )
    if not answer.ok:
        raise refusal(answer)
    document = answer.json()
    holding = granted(asked, document, now=boot_seconds())
    try:
        if holding is None:
            raise ValueError("the answer is to another request")
        requests = LeaseRequests(url=url, lease=_name(document["lease"]), secret=str(document["secret"]))
        files, about = held_files(document["release"]), document["release"]
        held = HeldRelease(
            name=str(about["name"]),
            manifest=str(about["manifest"]),
            purpose=str(about["purpose"]),
            files=files,
            requests=requests,
            shared=SharedDeadline.create(),  # last: what is wrong above leaves no file
        )
    except (KeyError, TypeError, ValueError) as error:
        raise no_answer("its answer is no lease") from error
    header = {"url": url, "lease": requests.lease, "secret": requests.secret}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        journal = Journal(folder / f"consumption-{requests.lease}.jsonl", header=header)
    except OSError as error:
        held.shared.path.unlink(missing_ok=True)
        require_room(error)
        raise _no_journal(folder) from error
    return Grant(holding=holding, release=held, journal=journal)


def _name(value: Any) -> str:
    """Return the name of a lease, which becomes part of paths and addresses."""
    if not isinstance(value, str) or not value.replace("-", "").replace("_", "").isalnum() or not value.isascii():
        raise ValueError("no name of a lease")
    return value


def _no_journal(folder: Path) -> ConsentryError:
    return InputError(
        "consumption-no-journal",
        f"what is trained on cannot be written down in `{folder}`",
        help="name a folder that this user may write to: hold(..., state_folder=...)",
    )
