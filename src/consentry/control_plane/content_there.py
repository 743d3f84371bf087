"""What an authority is told of content of its jurisdictions: which releases hold it, and which models learned from it.

There are two counts. *Such items* are by or about people who live there, or may, by what was known from the seal on
(`rows_there.py`): of releases and of models, so that what a model read is a part of what its releases hold. What became
of items, and their categories, is counted by the counts of a release: by where owners lived when it was sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from consentry.control_plane.archive import Archive
from consentry.control_plane.known import Known
from consentry.control_plane.losses import Losses
from consentry.control_plane.lru import Lru
from consentry.control_plane.removals import Removals
from consentry.control_plane.rows_there import KEPT_COUNTS, Asked, Held, RowsThere
from consentry.control_plane.trained_on import TrainedOn
from consentry.digests import Digest
from consentry.errors import ConsentryError
from consentry.oversight.jurisdiction import Areas, Lies, lies
from consentry.oversight.model_standing import standing
from consentry.policy.evaluator import ReasonKind
from consentry.release.amendment import Noted

_OUTCOMES = ("used", "refused", "suspended", "other")


class OfModel(NamedTuple):
    """What a model was trained on itself."""

    releases: Mapping[str, int | None]
    """The releases that hold such items, with how many; None if that is not known."""
    held: int | None
    """How many such items these hold, each counted once."""
    read: int | None
    """How many of them it read."""


class ContentFound(NamedTuple):
    """What was found of the content of some areas, and what that depends on."""

    asked: Mapping[str, Asked]
    uses: Mapping[str, int]
    """How often each model was trained on something."""
    items: Mapping[str, int | None]
    """By release, how many such items it was sealed with; None if that is not known."""
    left: Mapping[str, int | None]
    """By amended release, how many of these have left it since; None if that is not known."""
    noted: Mapping[str, Noted]
    """By amended release, the newest amendment."""
    counted: Mapping[str, Mapping[str, Any] | None]
    """By release, what its counts say; None if it cannot be read any more."""
    models: Mapping[str, OfModel]

    @property
    def unreadable(self) -> int:
        """How many releases cannot be read any more."""
        return sum(each is None for each in self.counted.values())

    def built_on_it(self, known: Known) -> frozenset[str]:
        """Return the models whose releases hold such items, or may, and those that are built on one."""
        lineage = known.overseen.lineage
        return frozenset(
            name
            for name in self.models
            if any(each in self.models and self.models[each].releases for each in lineage.ancestry(name))
        )


class ContentThere:
    """Finds it, and writes it down. Counts of releases are remembered: what is sealed does not change."""

    def __init__(self, archive: Archive, *, removals: Removals, trained_on: TrainedOn, losses: Losses) -> None:
        self.desk = archive.desk
        self.archive = archive
        self.rows = RowsThere(archive)
        self.removals = removals
        self.trained_on = trained_on
        self.losses = losses
        self._counts = Lru[dict[str, Any]](lambda _: 1)
        self._models: dict[Areas, tuple[int, Mapping[str, Asked], Mapping[str, OfModel]]] = {}

    def find(self, areas: Areas, held: Held | None = None) -> ContentFound:
        """Find it. `held`: whoever asks again, as something changed meanwhile, gives what was held before.

        INVARIANT: the caller does not hold the lock: it takes a moment, and leases are renewed meanwhile.
        """
        with self.desk.lock:
            known = self.desk.present()
            position, asked, uses, noted = known.position, self.rows.asked(known), _uses(known), _noted(known)
            trained = {
                model.name: tuple(dict.fromkeys(use.release for use in model.uses)) for model in known.overseen.lineage
            }
        items = self.rows.counts(asked, areas)
        counted = {name: self._counted(name, each.manifest, areas=areas) for name, each in asked.items()}
        before = self._models.get(areas)
        if before is None or before[:2] != (position, asked):
            holding = {name for name, count in items.items() if count != 0}
            models = {
                model: self._of(model, [each for each in releases if each in holding], asked, areas=areas, held=held)
                for model, releases in trained.items()
            }
            before = position, asked, models
            if not any(None in each.releases.values() for each in models.values()):
                self._models[areas] = before
        amended = {name: each for name, each in noted.items() if items.get(name) != 0}
        left = self.rows.left(amended, asked, areas=areas, removed=self.removals.removed, held=held)
        return ContentFound(asked, uses, items, left, noted, counted, before[2])

    def still(self, found: ContentFound, known: Known) -> bool:
        """Say whether it is what is there now. The caller holds the lock."""
        then = found.asked, found.uses, found.noted
        return then == (self.rows.asked(known), _uses(known), _noted(known))

    def _of(
        self, name: str, releases: list[str], asked: Mapping[str, Asked], *, areas: Areas, held: Held | None
    ) -> OfModel:
        rows = self.rows.of(releases, asked, areas=areas, held=held)
        with self.desk.lock:
            model = self.desk.present().overseen.lineage.get(name)
            read = None if model is None else self.trained_on.items(model, rows, only_said=True)
        counts = {each: None if found is None else sum(map(len, found.values())) for each, found in rows.items()}
        return OfModel(counts, self.trained_on.distinct(rows), read)

    def releases(self, found: ContentFound, known: Known) -> list[dict[str, Any]]:
        """Return the releases with such content, oldest first. The caller holds the lock."""
        rows = []
        for name, sealed in known.state.releases.items():
            counts, items = found.counted[name], found.items[name]
            if counts is not None and (items != 0 or any(counts["there"].values()) or any(counts["perhaps"].values())):
                rows.append(
                    {
                        "release": name,
                        "position": sealed.position,
                        "corpus": sealed.corpus,
                        "purpose": str(sealed.purpose),
                        "manifest": sealed.manifest,
                        "amendments": len(known.amendments.of(name)),
                        "withdrawn": sealed.withdrawn is not None,
                        "items": items,
                        "left": found.left.get(name, 0),
                        **counts,
                    }
                )
        return rows

    def _counted(self, name: str, manifest: Digest, *, areas: Areas) -> dict[str, Any] | None:
        """Count the items of people in some areas, by what became of them, and those that are used by category.

        None if the release cannot be read: what is gone shows in what was reported of it.
        """
        if (known := self._counts.get((manifest, areas))) is not None:
            return known
        try:
            release = self.archive.open(name)
            tally, at = release.tally(), release.manifest.decided_at
        except ConsentryError:
            return None
        where = [lies(place, areas, at=at) for place in tally.places]
        counts: dict[str, Any] = {
            "decided_at": at,
            "policy": {"name": release.manifest.policy.name, "version": release.manifest.policy.version},
            "there": dict.fromkeys(_OUTCOMES, 0),
            "perhaps": dict.fromkeys(_OUTCOMES, 0),
            "used_by_category": {},
        }
        kinds = [_kind(outcome.allowed, outcome.label) for outcome in tally.outcomes]
        columns = (tally.place, tally.kind, tally.outcome, tally.items)
        for place, kind, outcome, items in zip(*(each.tolist() for each in columns), strict=True):
            if where[place] is Lies.ELSEWHERE:
                continue
            counts[str(where[place])][kinds[outcome]] += items
            if kinds[outcome] == "used":
                category = tally.kinds[kind].category
                counts["used_by_category"][category] = counts["used_by_category"].get(category, 0) + items
        self._counts.put((manifest, areas), counts, most=KEPT_COUNTS)
        return counts

    def models(self, found: ContentFound, known: Known) -> list[dict[str, Any]]:
        """Return the models that were trained on such items, or on such models, or of which that is not known."""
        lineage, rows = known.overseen.lineage, []
        for name, own in found.models.items():
            model = lineage.get(name)
            through = [
                each for each in lineage.ancestry(name)[1:] if each in found.models and found.models[each].read != 0
            ]
            if model is not None and (own.read != 0 or through):
                stands = standing(lineage, name, losses=self.losses.of, terms=self.losses.terms)
                rows.append(
                    {
                        "model": name,
                        "digest": model.digest,
                        "stage": str(stands.stage),
                        "releases": dict(own.releases),
                        "in_releases": own.held,
                        "items": own.read,
                        "through": through,
                    }
                )
        return rows


def _noted(known: Known) -> dict[str, Noted]:
    found = ((name, known.amendments.newest(name)) for name in known.state.releases)
    return {name: each for name, each in found if each is not None}


def _uses(known: Known) -> dict[str, int]:
    return {model.name: len(model.uses) for model in known.overseen.lineage}


def _kind(allowed: bool, label: str) -> str:  # noqa: FBT001 - of an outcome
    if allowed:
        return "used"
    reason = label.removeprefix("involved:").partition(":")[0]
    return reason if reason in (ReasonKind.REFUSED.value, ReasonKind.SUSPENDED.value) else "other"
