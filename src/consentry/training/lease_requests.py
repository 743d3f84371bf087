"""The requests of a lease, as the control plane takes them. A copy may go to another process of the job."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consentry.errors import (
    ConsentryError,
    InputError,
    IntegrityError,
    LeaseOverError,
    NotFoundError,
    StateError,
    UnavailableError,
)
from consentry.training.consumption import Journal
from consentry.training.http import Answer, Requests, no_answer
from consentry.training.refusals import Meaning, meaning

_OVER_HELP = "stop; ask for a new lease when the release may be used again"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequests:
    """Everything that the holder of a lease may ask, with the lease's own secret."""

    url: str
    lease: str
    secret: str = field(repr=False)

    def post(self, what: str, body: dict[str, Any], *, timeout_s: float, requests: Requests | None = None) -> Answer:
        """Post a document to a part of the lease; through `requests` if another thread shall be able to abort it.

        Raises:
            UnavailableError: no answer.
        """
        path = f"/v1/leases/{self.lease}/{what}"
        through = Requests(self.url) if requests is None else requests
        return through.send("POST", path, secret=self.secret, body=body, timeout_s=timeout_s)

    def watch(self, requests: Requests, *, wait_s: float, amendment: int) -> dict[str, Any]:
        """Wait for a change, at most so long; an answer that is no answer is an empty document.

        Raises:
            UnavailableError: no answer.
        """
        path = f"/v1/leases/{self.lease}/watch?wait={wait_s:.3f}&amendment={amendment}"
        answer = requests.send("GET", path, secret=self.secret, timeout_s=wait_s + 5)
        return answer.json() if answer.ok else {}

    def exclusions(self, file: int, *, timeout_s: float) -> bytes:
        """Return the bitmap of the rows that the release leaves out of a file.

        Raises:
            UnavailableError: no answer.
            ConsentryError: the control plane refuses it.
        """
        return self._bitmap(f"files/{file}/exclusions", timeout_s)

    def removed(self, file: int, amendment: int, *, timeout_s: float) -> bytes:
        """Return the bitmap of the rows that amendments up to this one remove from a file.

        Raises:
            UnavailableError: no answer.
            ConsentryError: the control plane refuses it.
        """
        return self._bitmap(f"files/{file}/amendment/{amendment}", timeout_s)

    def _bitmap(self, what: str, timeout_s: float) -> bytes:
        path = f"/v1/leases/{self.lease}/{what}"
        answer = Requests(self.url).send("GET", path, secret=self.secret, timeout_s=timeout_s)
        if not answer.ok:
            raise refusal(answer)
        return answer.content


def refusal(answer: Answer) -> ConsentryError:
    """Return what the control plane answered as the error it is."""
    code, title, help_ = answer.text("code"), answer.text("title"), answer.text("detail")
    means = meaning(answer.status, code)
    if means is Meaning.OVER:
        return over(code, title)
    if means is Meaning.AGAIN:
        return no_answer(f"status {answer.status}" + (f": {title} [{code}]" if code else ""))
    kind = {404: NotFoundError, 409: StateError, 500: IntegrityError}.get(answer.status, InputError)
    return kind(code, title or f"the control plane answered {answer.status}", help=help_ or "see docs/errors.md")


def over(code: str, message: str = "") -> LeaseOverError:
    """Return the error of a lease that is over."""
    return LeaseOverError(code, message or "the lease is over", help=_OVER_HELP)


def deliver(path: Path, *, how: str | None, timeout_s: float) -> bool:
    """Send what a journal still holds, and how the job ended unless that is None; return whether all of it arrived.

    For whoever is left when a job was killed. The journal is removed when nothing of it is missing any more. How the
    job ended is said also where the journal is refused: who waits for its end would wait until the lease expires.

    Raises:
        ConsentryError: it is refused, and the end was said.
    """
    journal, refused = Journal(path), None
    requests = LeaseRequests(**journal.header)
    try:
        arrived = journal.send(lambda body: posted(requests, "consumption", body=body, timeout_s=timeout_s))
    except ConsentryError as error:
        arrived, refused = False, error
    finally:
        journal.close()
    if not arrived and refused is None:
        return False
    end = {"how": how, "step": journal.last_step}
    said = how is None or posted(requests, "end", body=end, timeout_s=timeout_s)
    if refused is not None and said:
        raise refused
    return arrived and said


def posted(requests: LeaseRequests, what: str, *, body: dict[str, Any], timeout_s: float) -> bool:
    """Post a document and return whether it was taken; no answer is no.

    Raises:
        ConsentryError: it is refused, and will be again.
    """
    try:
        answer = requests.post(what, body, timeout_s=timeout_s)
        if not answer.ok:
            raise refusal(answer)
    except UnavailableError:
        return False
    return True


def unsent(job: str, refused: ConsentryError | None, *, where: str) -> StateError:
    """Return the error for what a job trained on and the control plane does not know: it did not answer, or refused."""
    if refused is None:
        return UnavailableError(
            "consumption-unsent",
            f"what job `{job}` trained on could not be sent",
            help="it is kept: when the control plane answers again, python -m consentry.training.delivery FILE",
            where=where,
        )
    return StateError(
        "consumption-refused",
        f"what job `{job}` trained on is refused: {refused.message} [{refused.code}]",
        help="it is kept: see to the cause, then python -m consentry.training.delivery FILE",
        where=where,
    )
