"""What releases hold, counted by country, category and reason: of one, and of those of a use one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError
from consentry.policy.policy_set import PolicySet
from consentry.service.languages import N_

Counts = Callable[[str], dict[str, Any]]
"""Returns the counts of a release, as `counts_of` does."""
_RELEASES, _NAMES = 12, 6
"""How many releases of a use are shown over time, and of how many countries, categories or reasons."""
_SPLITS = (
    ("places", N_("By country"), N_("Country")),
    ("categories", N_("By category"), N_("Category")),
    ("reasons", N_("By reason: why items are left out"), N_("Reason")),
)


def counts_of(control: ControlPlane, name: str) -> dict[str, Any]:
    """Return the counts of a release as rows for the parts of the console; `damaged` if they cannot be read.

    They are those it was sealed with. `left` is how many of its eligible items left it since.
    """
    try:
        manifest = control.releases.open(name).manifest
        policy: PolicySet | None = control.desk.document(manifest.policy.digest)
    except ConsentryError as error:
        return {"release": name, "damaged": error.message, "items": 0, "eligible": 0, "denied": 0, "left": 0}
    counts, amendments = manifest.counts, control.amendments.of(name)
    return {
        "release": name,
        "damaged": "",
        "items": counts["items"],
        "eligible": counts["eligible"],
        "denied": counts["denied"],
        "left": amendments[-1]["items"] if amendments else 0,
        "places": split_rows(counts["by_place"]),
        "categories": split_rows(counts["by_category"]),
        "reasons": reason_rows(counts["by_reason"], policy),
        "decided_at": manifest.decided_at,
    }


def split_rows(counts: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Return eligible and denied items by name as rows, those with most items first."""
    ordered = sorted(counts.items(), key=lambda each: (-sum(each[1].values()), each[0]))
    return [{"name": name, **each} for name, each in ordered]


def reason_rows(counts: Mapping[str, int], policy: PolicySet | None) -> list[dict[str, Any]]:
    """Return denied items by reason as rows, the largest first, with why where a rule says it."""
    rules = {} if policy is None else {rule.id: rule.why for rule in policy.rules}
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [{"name": name, "items": items, "why": rules.get(name.rpartition(":")[2], "")} for name, items in ordered]


def over_time(control: ControlPlane, counts: Counts) -> list[dict[str, Any]]:
    """Return for each corpus and use that has several releases what the newest of them held, oldest first.

    Each is told as a whole and split by country, category and reason: of the largest names, eligible and denied items
    release by release.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name, sealed in control.releases.sealed().items():
        found.setdefault((sealed.corpus, str(sealed.purpose)), []).append(name)
    uses = []
    for (corpus, purpose), names in sorted(found.items()):
        counted = [each for each in map(counts, names[-_RELEASES:]) if not each["damaged"]]
        if len(counted) > 1:
            whole = [{"name": "", "held": [(each["eligible"], each["denied"]) for each in counted]}]
            splits: list[dict[str, Any]] = [
                {"kind": "whole", "heading": N_("All items"), "noun": N_("Items"), "rows": whole}
            ]
            splits += [
                {"kind": kind, "heading": heading, "noun": noun, "rows": _series(counted, kind)}
                for kind, heading, noun in _SPLITS
            ]
            uses.append({"corpus": corpus, "purpose": purpose, "releases": counted, "splits": splits})
    return uses


def _series(counted: Sequence[Mapping[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return for the names that have most items what each release held of them; 0 where it held nothing."""
    held = [{row["name"]: _held(row) for row in release[kind]} for release in counted]
    totals: dict[str, int] = {}
    for release in held:
        for name, (eligible, denied) in release.items():
            totals[name] = totals.get(name, 0) + eligible + denied
    largest = sorted(totals, key=lambda name: (-totals[name], name))[:_NAMES]
    return [{"name": name, "held": [release.get(name, (0, 0)) for release in held]} for name in largest]


def _held(row: Mapping[str, Any]) -> tuple[int, int]:
    """Return eligible and denied items of a row; a reason has denied ones only."""
    return (0, row["items"]) if "items" in row else (row["eligible"], row["denied"])
