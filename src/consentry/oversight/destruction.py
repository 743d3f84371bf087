"""What was destroyed: plans to delete files, and the certificates that they are gone.

A plan is written down before the first file is deleted, so that what was interrupted can be finished, and nobody has to
remember what there was. Only one plan for a thing is open at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from consentry.digests import Digest, canonical_json, digest_json
from consentry.errors import IntegrityError
from consentry.ledger.envelope import Event
from consentry.ledger.lineage_events import AnyCertified, Destroyed, DestructionBegun
from consentry.policy.choice import Seconds

FORMAT = "consentry/destruction-plan/v1"
_NOTES = ("consentry.json", "quarantine.json")
"""What a store of model checkpoints adds to one after it was digested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file that is to be deleted; `path` is relative to the folder."""

    path: str
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which files of which folder are to be deleted."""

    what: Destroyed
    name: str
    folder: str
    files: tuple[Listed, ...]

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        files = [asdict(file) for file in self.files]
        return canonical_json(
            {"format": FORMAT, "of": str(self.what), "name": self.name, "folder": self.folder, "files": files}
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Plan:
        """Read canonical bytes.

        Raises:
            IntegrityError: not a plan of this format, or not canonical.
        """
        try:
            body = json.loads(content)
            found = cls(
                what=Destroyed(body["of"]),
                name=body["name"],
                folder=body["folder"],
                files=tuple(Listed(**each) for each in body["files"]),
            )
            if found.to_bytes() != content:
                raise ValueError("not canonical, or of another format")
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(f"this is no plan: {error}") from error
        return found


def digests_in(files: Iterable[Listed]) -> set[Digest]:
    """Return the digests by which files may be known: of each, and of each folder, without notes of a store too."""
    found: set[Digest] = set()
    whole: dict[tuple[str, ...], dict[str, Digest]] = {}
    bare: dict[tuple[str, ...], dict[str, Digest]] = {}
    for file in files:
        found.add(file.digest)
        parts = tuple(file.path.split("/"))
        for depth in range(len(parts)):
            inside = "/".join(parts[depth:])
            whole.setdefault(parts[:depth], {})[inside] = file.digest
            if inside not in _NOTES:
                bare.setdefault(parts[:depth], {})[inside] = file.digest
    return found | {digest_json(each) for folders in (whole, bare) for each in folders.values()}


def damaged(message: str) -> IntegrityError:
    """Return the error for a plan or a certificate that is not what was written."""
    return IntegrityError("destruction-damaged", message, help="restore the objects folder from a backup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destruction:
    """One plan; `certificate` is None until everything in it is gone."""

    plan: Digest
    files: int
    by: str
    position: int
    at: Seconds
    certificate: Digest | None = None
    certified_at: Seconds | None = None


class Destructions:
    """All destructions, folded from events."""

    def __init__(self) -> None:
        self._known: dict[tuple[Destroyed, str], list[Destruction]] = {}

    def of(self, what: Destroyed, name: str) -> Sequence[Destruction]:
        """Return what was destroyed of a release or a model, oldest first."""
        return self._known.get((what, name), ())

    def open(self, what: Destroyed, name: str) -> Destruction | None:
        """Return the plan that was begun and not finished, None if there is none."""
        return next((each for each in self.of(what, name) if each.certificate is None), None)

    def take(self, event: Event) -> None:
        """Take one event in, if it is about destruction."""
        body = event.body
        if isinstance(body, DestructionBegun):
            begun = Destruction(
                plan=body.plan, files=body.files, by=body.by, position=event.position, at=event.recorded_at
            )
            self._known.setdefault((body.what, body.name), []).append(begun)
        elif isinstance(body, AnyCertified):
            known = self._known.get((body.what, body.name), [])
            for index, each in enumerate(known):
                if each.plan == body.plan and each.certificate is None:
                    known[index] = replace(each, certificate=body.certificate, certified_at=event.recorded_at)
                    return
