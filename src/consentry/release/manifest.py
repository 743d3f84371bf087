"""The manifest of a release: which items, decided by what, sealed when. Canonical JSON, signed as a DSSE envelope.

A release is a folder:

| file | what |
|---|---|
| `manifest.json` | this document, canonical (RFC 8785) |
| `manifest.dsse.json` | the same bytes in a DSSE envelope (secure-systems-lab/dsse v1.0.2), Ed25519 |
| `exclusions.bin` | one framed 64-bit roaring bitmap of excluded positions per file, one after another |
| `tallies.json` | how many items there are of each combination of place, category, visibility, licence and outcome |

The manifest pins everything else by digest, so that its own digest, which the ledger keeps, stands for the release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from consentry.corpus.sidecar import FilePin
from consentry.digests import Digest, canonical_json, digest
from consentry.errors import IntegrityError
from consentry.exhausted import listed
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import Purpose
from consentry.transparency import signed_document

FORMAT = "consentry/release/v1"
PAYLOAD_TYPE = "application/vnd.consentry.release+json"
MANIFEST, ENVELOPE, EXCLUSIONS, TALLIES = "manifest.json", "manifest.dsse.json", "exclusions.bin", "tallies.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPin:
    """Which policy set decided."""

    name: str
    version: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class BitmapPin:
    """Where a file's excluded positions are in `exclusions.bin`, and how many there are."""

    offset: int
    length: int
    digest: Digest
    cardinality: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """One content file, pinned, with its bitmap."""

    pin: FilePin
    bitmap: BitmapPin

    @property
    def eligible(self) -> int:
        """Number of items of the file that are in the release."""
        return self.pin.rows - self.bitmap.cardinality


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A sealed choice of items. It covers exactly the events [0, `position`) of the ledger.

    `decided_at` is the time the decisions are as of (ages, notice periods, memberships of jurisdictions).
    """

    release: str
    corpus: str
    corpus_snapshot: Digest
    people_snapshot: Digest
    purpose: Purpose
    policy: PolicyPin
    position: int
    decided_at: Seconds
    files: tuple[ReleaseFile, ...]
    tallies: Digest
    counts: Mapping[str, Any]

    @property
    def items(self) -> int:
        """Number of items of the corpus."""
        return sum(each.pin.rows for each in self.files)

    @property
    def eligible(self) -> int:
        """Number of items in the release."""
        return sum(each.eligible for each in self.files)

    def to_json(self) -> dict[str, Any]:
        """Return the document as plain JSON values."""
        return {
            "format": FORMAT,
            "release": self.release,
            "corpus": self.corpus,
            "corpus_snapshot": self.corpus_snapshot,
            "people_snapshot": self.people_snapshot,
            "purpose": str(self.purpose),
            "policy": asdict(self.policy),
            "position": self.position,
            "decided_at": self.decided_at,
            "files": [{"pin": asdict(each.pin), "bitmap": asdict(each.bitmap)} for each in self.files],
            "tallies": self.tallies,
            "counts": dict(self.counts),
        }

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return canonical_json(self.to_json())

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Read canonical bytes.

        Raises:
            IntegrityError: not a manifest of this format, or not canonical.
        """
        try:
            body = json.loads(content)
            if body["format"] != FORMAT or canonical_json(body) != content:
                raise ValueError("not canonical, or of another format")
            return cls(
                release=body["release"],
                corpus=body["corpus"],
                corpus_snapshot=body["corpus_snapshot"],
                people_snapshot=body["people_snapshot"],
                purpose=Purpose(body["purpose"]),
                policy=PolicyPin(**body["policy"]),
                position=body["position"],
                decided_at=body["decided_at"],
                files=tuple(
                    ReleaseFile(pin=FilePin(**each["pin"]), bitmap=BitmapPin(**each["bitmap"]))
                    for each in body["files"]
                ),
                tallies=body["tallies"],
                counts=body["counts"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(
                "release-manifest-damaged",
                f"this is no release manifest: {error}",
                help="restore the release folder from a copy, or build the release again",
            ) from error


def lay_out(bitmaps: Sequence[tuple[bytes, Digest, int]]) -> tuple[bytes, list[BitmapPin]]:
    """Return the content of `exclusions.bin` and each bitmap's place in it, from framed bitmaps.

    With each come its digest and its cardinality.
    """
    pins = []
    offset = 0
    for framed, named, cardinality in bitmaps:
        pins.append(BitmapPin(offset=offset, length=len(framed), digest=named, cardinality=cardinality))
        offset += len(framed)
    return b"".join(framed for framed, _, _ in bitmaps), pins


def pre_authentication(payload: bytes, kind: str = PAYLOAD_TYPE) -> bytes:
    """Return the bytes a signature is over: that of a manifest, if `kind` does not say otherwise."""
    return signed_document.pre_authentication(payload, kind)


def envelope(payload: bytes, *, key_id: str, signature: bytes, kind: str = PAYLOAD_TYPE) -> bytes:
    """Return the DSSE envelope of a signed document: a manifest, if `kind` does not say otherwise."""
    return signed_document.envelope(payload, key_id=key_id, signature=signature, kind=kind)


def open_envelope(content: bytes, kind: str = PAYLOAD_TYPE) -> tuple[bytes, str, bytes]:
    """Return payload, key id and signature of a DSSE envelope of a document of this kind.

    Raises:
        IntegrityError: not such an envelope.
    """
    try:
        return signed_document.open_envelope(content, kind)
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            "release-envelope-damaged",
            f"this is no signed `{kind}`: {error}",
            help="restore the release folder from a copy, or build the release again",
        ) from error


def sealed_in(folder: Path) -> Iterator[tuple[str, Digest, int]]:
    """Yield key id, digest and position of the manifests in a folder of releases that can be read.

    `release verify` finds the others.
    """
    for path in (each / ENVELOPE for each in listed(folder)):
        if not path.exists():
            continue
        try:
            payload, key, _ = open_envelope(path.read_bytes())
            yield key, digest(payload), Manifest.from_bytes(payload).position
        except IntegrityError:
            continue
