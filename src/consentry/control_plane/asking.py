"""Asking about one person, without a release: may something new of theirs be used?"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from consentry.control_plane.desk import Desk
from consentry.policy.choice import Seconds
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.release.basis import rules_for
from consentry.release.explain import worded
from consentry.release.snapshot import Snapshot, Use, take


class Asking(Desk):
    """Verbs that answer about people as of now. Who is asked about is looked up, never stored: it gets no seat."""

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
        return self._take(self.policy(policy)[0], purposes, at=at, like=like)

    def may(self, person: str, use: Use, *, policy: str) -> dict[str, Any]:
        """Say whether a new item of one person may be used, and why. Who asks often takes a snapshot and asks that.

        Raises:
            NotFoundError: no policy set of this name is in force.
        """
        document, _ = self.policy(policy)
        taken = self._take(document, [use.purpose])
        return {
            **worded(taken.may(person, **use._asdict()), document, rules=taken.rules(use.purpose)),
            "person": self.parts.pseudonyms.person(person),
            **{name: str(value) for name, value in use._asdict().items()},
            "policy": {"name": document.name, "version": document.version, "digest": document.digest},
            "position": taken.position,
            "at": taken.at,
        }

    def _take(
        self,
        policy: PolicySet,
        purposes: Collection[Purpose],
        *,
        at: Seconds | None = None,
        like: Snapshot | None = None,
    ) -> Snapshot:
        index, key = self.parts.pseudonyms.lookup()
        rules = {each: rules_for(policy.rules, decides=policy.decides(each)) for each in purposes}
        with self.lock:
            present = self.present()
            rules = {each: (*found, *present.suspensions(each)) for each, found in rules.items()}
            when = self.parts.clock() if at is None else at
            return take(present, rules, index=index, key=key, at=when, like=like)
