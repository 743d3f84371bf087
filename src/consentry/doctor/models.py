"""Models for which something should have been done by now, as the ledger and the objects beside it say.

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
from consentry.ledger.envelope import Event
from consentry.ledger.events import ReleaseSealed, ReleaseWithdrawn, ReleaseWithdrawnV1
from consentry.oversight.model_standing import Loss, ModelStanding, Stage, standing
from consentry.oversight.overseen import Overseen
from consentry.policy.choice import Seconds
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import Remedies
from consentry.release.amendment import Amendments

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


def late_models(events: Sequence[Event], overseen: Overseen, *, objects: Path, at: Seconds) -> Iterator[Finding]:
    """Yield a finding for every model whose deadline passed, or of which that cannot be told."""
    lost = _Lost(events, overseen, objects=objects)
    for model in overseen.lineage:
        try:
            stands = standing(overseen.lineage, model.name, losses=lost.of, terms=lost.terms)
        except (OSError, ConsentryError, json.JSONDecodeError):
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

    def __init__(self, events: Sequence[Event], overseen: Overseen, *, objects: Path) -> None:
        amendments = Amendments()
        for event in events:
            amendments.take(event)
        said = _Said(overseen=overseen, amendments=amendments)
        self._objects = objects
        self._lineage = overseen.lineage
        self._consumption = RowsConsumed(lambda: said, get=self._get, removals=Removals(self._get))
        self._policies = {body.release: body.policy for each in events if isinstance(body := each.body, ReleaseSealed)}
        self._withdrawn: Mapping[str, Event] = {
            body.release: each
            for each in reversed(events)
            if isinstance(body := each.body, ReleaseWithdrawn | ReleaseWithdrawnV1)
        }

    def _get(self, document: Digest) -> bytes:
        return (self._objects / document.removeprefix("sha256:")).read_bytes()

    def of(self, name: str) -> list[Loss]:
        """Return what a model was trained on itself and that was withdrawn since, oldest first."""
        model, found = self._lineage.get(name), list[Loss]()
        for use in () if model is None else model.uses:
            if use.release in self._policies:
                left = list(self._consumption.left(use))
                if (gone := self._withdrawn.get(use.release)) is not None:
                    left.append((max(gone.position, use.position), max(gone.recorded_at, use.at), 0))
                terms = self._terms(use.release)
                found += [Loss(each, at, name, use.release, items, use.position, terms) for each, at, items in left]
        return sorted(found, key=lambda loss: loss.position)

    def terms(self, name: str) -> list[Remedies]:
        """Return what the policies of the releases say that a model itself was trained on."""
        model = self._lineage.get(name)
        used = () if model is None else dict.fromkeys(use.release for use in model.uses)
        return [self._terms(each) for each in used if each in self._policies]

    def _terms(self, release: str) -> Remedies:
        document = self._policies[release]
        return load(self._get(document).decode(), document, accepted=True).remedies
