"""Models for which something should have been done by now, and jobs that told what they were not given.

As the ledger says, the objects beside it, and the bitmaps of the releases.

What a model lost is worked out as the verbs do (`control_plane/consumption.py`). What cannot be told from these, as a
release cannot be amended any more, is not looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from consentry.control_plane.consumption import RowsConsumed
from consentry.control_plane.removals import Removals
from consentry.digests import Digest
from consentry.doctor.finding import Finding, State
from consentry.errors import ConsentryError
from consentry.exhausted import require_room
from consentry.ledger.envelope import Event
from consentry.ledger.release_events import Sealing, Withdrawing
from consentry.oversight.lineage import Use
from consentry.oversight.model_standing import Loss, ModelStanding, Stage, standing
from consentry.oversight.overseen import Overseen
from consentry.policy.choice import Seconds
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import Remedies
from consentry.release.amendment import Amendments
from consentry.release.sealed import SealedRelease, open_release

_NEXT = {
    Stage.AFFECTED: "consentry model remedy {} REMEDY --by HANDLE",
    Stage.REMEDY_CHOSEN: "consentry model finish {} --by HANDLE",
    Stage.WITHDRAWN: "consentry model destroy {} --folder FOLDER --by HANDLE",
}
_RESTORE = "restore `objects/` of the home from a backup"
_PURPOSE = "keeping what people withdrew out of models that are served"


@dataclass(slots=True, kw_only=True)
class _Said:
    overseen: Overseen
    amendments: Amendments


def models(events: Sequence[Event], overseen: Overseen, *, home: Path, at: Seconds) -> Iterator[Finding]:
    """Yield a finding for every model whose deadline passed, or of which that cannot be told.

    And for every job that said it was trained on what its release leaves out.
    """
    lost = _Lost(events, overseen, home=home)
    yield from _late_models(overseen, lost, at=at)
    for model in overseen.lineage:
        for use in model.uses:
            lease = None if use.lease is None else overseen.leases.get(use.lease)
            if lease is not None and (items := lost.not_given(use)):
                yield Finding(
                    name=f"job {lease.job}",
                    state=State.MISSING,
                    found=f"said it was trained on items that {use.release} leaves out and did not give it: {items:,}",
                    purpose="knowing what models were trained on",
                    remedy=f"ask who runs it what it read: consentry model show {model.name}",
                )


def _late_models(overseen: Overseen, lost: _Lost, *, at: Seconds) -> Iterator[Finding]:
    for model in overseen.lineage:
        try:
            stands = standing(overseen.lineage, model.name, losses=lost.of, terms=lost.terms)
        except (OSError, ConsentryError, json.JSONDecodeError) as error:
            require_room(error)
            yield _finding(
                model.name, "nobody can tell where it stands: objects are gone or damaged", "consentry doctor"
            )
            continue
        if stands.late(at):
            yield _late(model.name, stands)


def _late(name: str, stands: ModelStanding) -> Finding:
    until = datetime.fromtimestamp(stands.deadline or 0, UTC).strftime("%Y-%m-%d")
    return _finding(name, f"overdue since {until}: {stands.stage}", _NEXT[stands.stage].format(name))


def _finding(name: str, found: str, remedy: str) -> Finding:
    return Finding(name=f"model {name}", state=State.MISSING, found=found, purpose=_PURPOSE, remedy=remedy)


class _Lost:
    """What models lost."""

    def __init__(self, events: Sequence[Event], overseen: Overseen, *, home: Path) -> None:
        amendments = Amendments()
        for event in events:
            amendments.take(event)
        said = _Said(overseen=overseen, amendments=amendments)
        self._objects, self._releases = home / "objects", home / "releases"
        self._lineage = overseen.lineage
        self._consumption = RowsConsumed(lambda: said, get=self._get, removals=Removals(self._get))
        self._sealed = {body.release: body for each in events if isinstance(body := each.body, Sealing)}
        self._opened: dict[str, SealedRelease] = {}
        self._withdrawn: Mapping[str, Event] = {
            body.release: each for each in reversed(events) if isinstance(body := each.body, Withdrawing)
        }

    def _get(self, document: Digest) -> bytes:
        return (self._objects / document.removeprefix("sha256:")).read_bytes()

    def of(self, name: str) -> list[Loss]:
        """Return what a model was trained on itself and that was withdrawn since, oldest first."""
        model, found = self._lineage.get(name), list[Loss]()
        for use in () if model is None else model.uses:
            if use.release in self._sealed:
                left = list(self._consumption.left(use))
                if (gone := self._withdrawn.get(use.release)) is not None:
                    left.append((max(gone.position, use.position), max(gone.recorded_at, use.at), 0))
                terms = self._terms(use.release)
                found += [Loss(each, at, name, use.release, items, use.position, terms) for each, at, items in left]
        return sorted(found, key=lambda loss: loss.position)

    def not_given(self, use: Use) -> int:
        """Count what a job said it was trained on and its release leaves out, as far as somebody can tell."""
        if use.release not in self._sealed or not self._lineage.consumed(use.lease or ""):
            return 0
        try:
            if use.release not in self._opened:
                sealed = self._sealed[use.release]
                self._opened[use.release] = open_release(self._releases / use.release, expected=sealed.manifest)
            return self._consumption.not_given(use, self._opened[use.release].rows_left_out)
        except (OSError, ConsentryError, json.JSONDecodeError):
            return 0

    def terms(self, name: str) -> list[Remedies]:
        """Return what the policies of the releases say that a model itself was trained on."""
        model = self._lineage.get(name)
        used = () if model is None else dict.fromkeys(use.release for use in model.uses)
        return [self._terms(each) for each in used if each in self._sealed]

    def _terms(self, release: str) -> Remedies:
        document = self._sealed[release].policy
        return load(self._get(document).decode(), document, accepted=True).remedies
