"""What a policy set would change if it were published now: rules, answers, and what is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from consentry.control_plane.in_force import by_purpose, deciding
from consentry.control_plane.plane import ControlPlane
from consentry.digests import Digest
from consentry.errors import ConsentryError
from consentry.ledger.state import Published
from consentry.policy.choice import Seconds
from consentry.policy.policy_diff import diff
from consentry.policy.policy_prose import describe_diff
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.release.plan import difference


class _Use(NamedTuple):
    """A corpus and what it is used for, with the newest release of it that is not withdrawn; None: there is none."""

    corpus: str
    purpose: Purpose
    release: str | None


def effects(control: ControlPlane, policy: PolicySet) -> dict[str, Any]:
    """Return what would differ from what is in force, and what that would change of what is used.

    `against` names the sets that it is compared with: the one in force under its name, and those that decide now about
    what it is for. `lines` are the differences, None if there is no such set. `changes` are counted from the census, as
    of now: what decides about each use, before and after, with the same people, choices and orders. `stays` are uses
    that belong to what the set is for, each with the set that decides about it before and after.
    """
    now = control.desk.parts.clock()
    published = control.desk.present().state.policies
    compared = _compared(control, policy, published=published)
    lines = [
        line if len(compared) == 1 else f"{each.name}: {line}"
        for each in compared
        for line in describe_diff(diff(each, policy, at=now))
    ]
    return {
        "against": [f"{each.name} {each.version}" for each in compared],
        "lines": lines if compared else None,
        "changes": [_change(control, use, sets, at=now) for use, sets in _moved(control, policy, published=published)],
        "stays": _stays(control, policy, published=published),
    }


def _stays(control: ControlPlane, policy: PolicySet, *, published: Sequence[Published]) -> list[tuple[str, str]]:
    """Return the uses below those that a set names about which another set still decides, with its name and version."""
    others = [each for each in published if each.name != policy.name]
    decides = by_purpose(others, control.desk.document)
    return [
        (str(purpose), f"{each.name} {each.version}")
        for purpose, each in sorted(decides.items())
        if purpose not in policy.purposes and any(named.covers(purpose) for named in policy.purposes)
    ]


def _compared(control: ControlPlane, policy: PolicySet, *, published: Sequence[Published]) -> list[PolicySet]:
    """Return the set in force under the name of a set, and those that decide about what it names; each once."""
    same = next((each for each in reversed(published) if each.name == policy.name), None)
    decides = by_purpose(published, control.desk.document)
    found = (deciding(decides, purpose) for purpose in sorted(policy.purposes))
    return [control.desk.document(each.digest) for each in dict.fromkeys((same, *found)) if each is not None]


def _moved(
    control: ControlPlane, policy: PolicySet, *, published: Sequence[Published]
) -> Iterator[tuple[_Use, tuple[PolicySet, PolicySet]]]:
    """Yield every use about which the set would decide, or no longer would, with what decides before and after."""

    def read(digest: Digest) -> PolicySet:
        return policy if digest == _NEW else control.desk.document(digest)

    def rules(found: Published | None) -> PolicySet:
        return _NOTHING if found is None else read(found.digest)

    before = by_purpose(published, read)
    after = by_purpose([*published, Published(policy.name, policy.version, _NEW, -1)], read)
    for use in _uses(control, policy):
        was, will_be = deciding(before, use.purpose), deciding(after, use.purpose)
        if was != will_be:
            yield use, (rules(was), rules(will_be))


def _uses(control: ControlPlane, policy: PolicySet) -> list[_Use]:
    """Return the uses that have a release, and those that a set names, of every corpus."""
    newest: dict[tuple[str, Purpose], str | None] = {
        (sealed.corpus, sealed.purpose): name
        for name, sealed in control.releases.sealed().items()
        if sealed.withdrawn is None
    }
    for corpus in control.desk.present().state.corpora:
        for purpose in sorted(policy.purposes):
            newest.setdefault((corpus, purpose), None)
    return [_Use(corpus, purpose, name) for (corpus, purpose), name in newest.items()]


def _change(control: ControlPlane, use: _Use, sets: tuple[PolicySet, PolicySet], *, at: Seconds) -> Mapping[str, Any]:
    named = {"corpus": use.corpus, "purpose": str(use.purpose), "release": use.release}
    try:
        before, after = (control.releases.plan(use.corpus, use.purpose, policy=each, at=at) for each in sets)
    except ConsentryError as error:
        return {**named, "problem": error.message}
    return {**named, "problem": "", **difference(before, after)}


_NEW = "sha256:proposed"
"""Stands for the set that is asked about: it is not published, and its name is no digest."""
_NOTHING = PolicySet(name="nothing", version="", title="", purposes=frozenset(), rules=())
