"""Amendments: what left a release after it was sealed.

A release is final; what a person withdraws later leaves it by a further set of rows for each file. Rules:

* An amendment only ever removes. It holds all that the one before it holds, so the newest one says everything.
* It says up to which position of the ledger it covers what people said, as a release does.
* It is a signed document (DSSE, as the manifest is) that names its bitmaps by digest. The document and each bitmap,
  framed like the bitmaps of a release, are objects; the event `release.amended` names the document.
* Objects come first, then the event. A crash in between leaves objects that nothing names.

`Amendments` is what the ledger says: which amendments there are. `Amendment` is the document of one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from pyroaring import BitMap64

from consentry.digests import Digest, canonical_json
from consentry.errors import IntegrityError, NotFoundError
from consentry.ledger.envelope import Event
from consentry.ledger.lineage_events import ReleaseAmended
from consentry.policy.choice import Seconds
from consentry.release.deletion_vector import frame, unframe
from consentry.release.manifest import envelope, open_envelope, pre_authentication
from consentry.transparency.signed_document import Signer

FORMAT = "consentry/amendment/v1"
PAYLOAD_TYPE = "application/vnd.consentry.amendment+json"


class Noted(NamedTuple):
    """An amendment as the ledger knows it. `at` is when it was recorded, `stands` at which position."""

    number: int
    document: Digest
    items: int
    position: int
    stands: int
    at: Seconds


class Amendments:
    """All amendments, folded from events."""

    def __init__(self) -> None:
        self._known: dict[str, list[Noted]] = {}

    def of(self, release: str) -> Sequence[Noted]:
        """Return the amendments of a release, oldest first."""
        return self._known.get(release, ())

    def newest(self, release: str) -> Noted | None:
        """Return the newest amendment of a release, None if it was never amended."""
        return self._known[release][-1] if release in self._known else None

    def take(self, event: Event) -> None:
        """Take one event in, if it amends a release. A number that was given before is not given again."""
        body = event.body
        if isinstance(body, ReleaseAmended):
            known = self._known.setdefault(body.release, [])
            if body.number == len(known) + 1:
                known.append(
                    Noted(body.number, body.document, body.items, body.position, event.position, event.recorded_at)
                )


def number_of(noted: Noted | None) -> int:
    """Return the number of an amendment, 0 for a release as it was sealed."""
    return 0 if noted is None else noted.number


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendedFile:
    """What left one file: `bitmap` is the digest of the framed rows, `items` their number."""

    path: str
    bitmap: Digest
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """One amendment. `files` are those that something left, by their number in the release."""

    release: str
    manifest: Digest
    number: int
    before: Digest | None
    position: int
    files: Mapping[int, AmendedFile] = field(default_factory=dict)

    @property
    def items(self) -> int:
        """How many items left the release, in this amendment and those before it."""
        return sum(file.items for file in self.files.values())

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        files = [{"file": index, **asdict(file)} for index, file in sorted(self.files.items())]
        return canonical_json(
            {
                "format": FORMAT,
                "release": self.release,
                "manifest": self.manifest,
                "number": self.number,
                "before": self.before,
                "position": self.position,
                "items": self.items,
                "files": files,
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Amendment:
        """Read canonical bytes.

        Raises:
            IntegrityError: not an amendment of this format, or not canonical.
        """
        try:
            body: dict[str, Any] = json.loads(content)
            found = cls(
                release=body["release"],
                manifest=body["manifest"],
                number=body["number"],
                before=body["before"],
                position=body["position"],
                files={
                    each["file"]: AmendedFile(path=each["path"], bitmap=each["bitmap"], items=each["items"])
                    for each in body["files"]
                },
            )
            if found.to_bytes() != content:
                raise ValueError("not canonical, or of another format")
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(f"this is no amendment: {error}") from error
        return found


def sign(amendment: Amendment, signer: Signer) -> bytes:
    """Return the signed document."""
    payload = amendment.to_bytes()
    signature = signer.sign(pre_authentication(payload, PAYLOAD_TYPE))
    return envelope(payload, key_id=signer.key_id, signature=signature, kind=PAYLOAD_TYPE)


def opened(content: bytes) -> Amendment:
    """Return the amendment in a signed document. Whether the signature is right is for `verify` to say."""
    return Amendment.from_bytes(open_envelope(content, PAYLOAD_TYPE)[0])


def to_object(rows: BitMap64) -> bytes:
    """Return rows as they are stored."""
    return frame(rows.serialize())


def from_object(framed: bytes) -> BitMap64:
    """Return stored rows.

    Raises:
        IntegrityError: they are not what was stored.
    """
    try:
        return BitMap64.deserialize(unframe(framed))
    except (ValueError, MemoryError) as error:
        raise damaged("the rows of an amendment are no bitmap") from error


def joined(excluded: bytes, removed: BitMap64) -> bytes:
    """Return what is left out of a file together, as `DataFile` wants it: a portable bitmap, or nothing."""
    if not removed:
        return excluded
    return (removed | BitMap64.deserialize(excluded) if excluded else removed).serialize()


def unknown(release: str, number: int, *, newest: int) -> NotFoundError:
    """Return the error for an amendment that there is not."""
    return NotFoundError(
        "amendment-unknown",
        f"release `{release}` has no amendment `{number}`",
        help=f"the newest one is {newest}" if newest else "it was never amended",
    )


def damaged(message: str) -> IntegrityError:
    """Return the error for an amendment that is not what was signed."""
    return IntegrityError(
        "amendment-damaged",
        message,
        help="restore the objects folder from a backup: without it nobody knows what left the release",
    )
