"""Asking about one person: may something new of theirs be used, and what was used of them?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from pyroaring import BitMap64

from consentry.control_plane.archive import Archive
from consentry.control_plane.consumption import RowsOfFiles
from consentry.control_plane.desk import Desk
from consentry.control_plane.in_force import by_purpose, deciding
from consentry.control_plane.known_files import OwnRows
from consentry.control_plane.removals import Removals
from consentry.control_plane.trained_on import TrainedOn
from consentry.corpus.people import MISSING
from consentry.corpus.pseudonym import words
from consentry.errors import ConsentryError, InputError
from consentry.oversight.order import Order
from consentry.policy.choice import Seconds
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.progress import Progress, watched
from consentry.release.basis import rules_for
from consentry.release.explain import worded
from consentry.release.snapshot import Snapshot, Use, take


class PersonVerbs:
    """Verbs about people. Who is asked about is looked up, never stored: it gets no seat."""

    def __init__(
        self,
        desk: Desk,
        *,
        archive: Archive,
        removals: Removals,
        trained_on: TrainedOn,
        barring: Callable[[str], Order | None],
    ) -> None:
        self.desk = desk
        self._barring = barring
        self.archive = archive
        self.removals = removals
        self.trained_on = trained_on

    def snapshot(
        self, policy: str, purposes: Collection[Purpose], *, at: Seconds | None = None, like: Snapshot | None = None
    ) -> Snapshot:
        """Take a snapshot of what people allow, to be held and asked from any number of threads.

        It knows what is in the ledger now, and the policy set that is in force now. Nothing that comes later changes
        it: take the next one as often as you can bear to be out of date, `like` the one before.

        Args:
            policy: the name of a policy set in force.
            purposes: what may be asked about, at least one.
            at: the time the answers are as of; now if not given.
            like: the snapshot that this one takes the place of. What is the same in both is not worked out again.

        Raises:
            NotFoundError: no policy set of this name is in force.
        """
        return self.taken(policy, purposes, at=at, like=like)[1]

    def may(self, person: str, use: Use, *, policy: str | None = None) -> dict[str, Any]:
        """Say whether a new item of one person may be used, and why. Who asks often takes a snapshot and asks that.

        Without `policy`, the set that decides about the use is asked.

        Raises:
            NotFoundError: no policy set of this name is in force.
            InputError: none was named, and none decides about the use.
        """
        document, taken = self.taken(policy, [use.purpose])
        return {
            **worded(taken.may(person, **use._asdict()), document, rules=taken.rules(use.purpose)),
            "person": self.desk.parts.pseudonyms.person(person),
            **{name: str(value) for name, value in use._asdict().items()},
            "policy": {"name": document.name, "version": document.version, "digest": document.digest},
            "position": taken.position,
            "at": taken.at,
        }

    def taken(
        self,
        policy: str | None,
        purposes: Collection[Purpose],
        *,
        at: Seconds | None = None,
        like: Snapshot | None = None,
    ) -> tuple[PolicySet, Snapshot]:
        """Take a snapshot, as `snapshot` says, and return it with the policy set that was in force at its position.

        Without `policy` it is the set that decides about the purposes at that position.
        """
        index, key = self.desk.parts.pseudonyms.lookup()
        with self.desk.lock:
            document = self._deciding(purposes) if policy is None else self.desk.policy(policy)[0]
            present = self.desk.newest
            rules = {
                each: (*rules_for(document.rules, decides=document.decides(each)), *present.suspensions(each))
                for each in purposes
            }
            when = self.desk.parts.clock() if at is None else at
            return document, take(present, rules, index=index, key=key, at=when, like=like)

    def _deciding(self, purposes: Collection[Purpose]) -> PolicySet:
        published = self.desk.present().state.policies
        by_use = by_purpose(published, self.desk.document)
        found = {deciding(by_use, purpose) for purpose in purposes}
        (only,) = found if len(found) == 1 else (None,)
        if only is None:
            asked, names = ", ".join(f"`{each}`" for each in purposes), sorted({each.name for each in published})
            raise InputError(
                "decision-policy",
                f"{'several policy sets decide' if len(found) > 1 else 'no policy set decides'} about {asked}",
                help=f"name one that is in force: {', '.join(names) or 'none is published'}",
            )
        return self.desk.document(only.digest)

    def uses_of(self, person: str, *, progress: Progress | None = None) -> dict[str, Any]:
        """Say which releases hold items by or about a person, which held some, and which models were trained on them.

        Who is asked about is looked up, never stored. What is read of a release is not checked: see `verify`.
        """
        index, key = self.desk.parts.pseudonyms.lookup()
        with self.desk.lock:
            present = self.desk.present()
            ordinal = index.lookup_one(*words(key, person))
            seats = () if ordinal == MISSING else present.accounts(ordinal + 1)
            releases = dict(present.state.releases)
        named = self.desk.parts.pseudonyms.person(person)
        own = self.own_rows(seats)
        names = list(releases) if seats else []
        asked = watched(names, progress, what="looking into releases", total=len(names), unit="releases")
        sealed_rows = {name: self.rows_in(name, own) for name in asked}
        sealed_rows = {name: rows for name, rows in sealed_rows.items() if rows is None or rows}
        return {
            "person": named,
            "accounts": len(seats),
            "erased": present.state.is_erased(named),
            "releases": [self._release_used(name, rows) for name, rows in sealed_rows.items()],
            "models": self.models_using(sealed_rows, progress=progress),
            "position": present.position,
        }

    def own_rows(self, seats: Sequence[int]) -> OwnRows:
        """Return what finds the rows by and about a person, as everything that they withdraw leaves releases by it."""
        return OwnRows(self.archive.known_files, seats)

    def rows_in(self, name: str, own: OwnRows) -> RowsOfFiles | None:
        """Return the rows of a person that a release was sealed with; None if a file of it is not known any more."""
        try:
            release = self.archive.remembered(name)
            wanted = own.of(release.manifest)
            if wanted is None:
                return None
            out = release.left_out(wanted)
        except (ConsentryError, KeyError):
            return None
        kept = {index: rows[~out[index]] for index, rows in wanted.items()}
        return {index: BitMap64(rows.astype(np.uint64)) for index, rows in kept.items() if rows.size}

    def _release_used(self, name: str, rows: RowsOfFiles | None) -> dict[str, Any]:
        noted = self.desk.newest.amendments.newest(name)
        removed = self.removals.removed(noted)
        gone = sum(len(each & removed[index]) for index, each in (rows or {}).items() if index in removed)
        withdrawn = self.desk.newest.state.releases[name].withdrawn is not None
        order = None if withdrawn else self._barring(name)
        return {
            "release": name,
            "known": rows is not None,
            "sealed_with": None if rows is None else sum(map(len, rows.values())),
            "removed": gone if rows is not None else None if removed else 0,
            "withdrawn": withdrawn,
            "barred_by": None if order is None else order.order,
        }

    def models_using(
        self, sealed_rows: Mapping[str, RowsOfFiles | None], *, progress: Progress | None = None
    ) -> list[dict[str, Any]]:
        """Say which models were trained on some of a person's rows, by the release that was sealed with them."""
        with self.desk.lock:
            lineage = self.desk.present().overseen.lineage
            # Once: others are registered meanwhile.
            models = list(lineage)
        own = {}
        for model in watched(models, progress, what="looking at models", total=len(models), unit="models"):
            # One at a time: it takes a moment, and leases are renewed meanwhile.
            with self.desk.lock:
                self.desk.present()
                own[model.name] = self.trained_on.items(model, sealed_rows)
        found = []
        for model in models:
            above = [name for name in lineage.ancestry(model.name)[1:] if own.get(name, 0) != 0]
            if own[model.name] != 0 or above:
                found.append({"model": model.name, "items": own[model.name], "through": above})
        return found
