"""What a policy set would change if it took the place of the one in force: rules, answers, and what is used."""

from __future__ import annotations

from typing import Any

from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError
from consentry.policy.policy_diff import diff
from consentry.policy.policy_prose import describe_diff
from consentry.policy.policy_set import PolicySet
from consentry.release.plan import difference


def effects(control: ControlPlane, policy: PolicySet) -> dict[str, Any]:
    """Return what differs from the set in force under the name, and what it would change of the newest releases.

    Counted from the census, as of now: both sets with the same people, choices and orders.
    """
    now = control.desk.parts.clock()
    published = control.desk.present().state.policy(policy.name)
    current = None if published is None else control.desk.document(published.digest)
    return {
        "lines": None if current is None else describe_diff(diff(current, policy, at=now)),
        "changes": [] if current is None else _changes(control, current, policy),
    }


def _changes(control: ControlPlane, current: PolicySet, policy: PolicySet) -> list[dict[str, Any]]:
    now = control.desk.parts.clock()
    newest = {
        (sealed.corpus, sealed.purpose): name
        for name, sealed in control.releases.sealed().items()
        if sealed.withdrawn is None and (current.decides(sealed.purpose) or policy.decides(sealed.purpose))
    }
    found: list[dict[str, Any]] = []
    for (corpus, purpose), name in newest.items():
        try:
            before, after = (control.releases.plan(corpus, purpose, policy=each, at=now) for each in (current, policy))
        except ConsentryError as error:
            found.append({"corpus": corpus, "purpose": str(purpose), "release": name, "problem": error.message})
            continue
        changed = difference(before.tally, after.tally)
        found.append(
            {"corpus": corpus, "purpose": str(purpose), "release": name, "problem": "", "undecided": after.undecided}
            | changed
        )
    return found
