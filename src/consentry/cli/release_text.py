"""How releases are shown to people: what they hold, why an item is in one, how two differ, what left them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from consentry.cli.gap_words import nothing_eligible
from consentry.cli.output import Output, counted, moment, share
from consentry.cli.places import place_in_table
from consentry.policy.vocabulary import Age
from consentry.release.compare import ERASED_SINCE
from consentry.release.explain import said_elsewhere
from consentry.release.tallies import ELIGIBLE

_TOP = 15


def show_head(out: Output, body: dict[str, Any]) -> None:
    """Print what a release was decided by."""
    policy = body["policy"]
    out.heading(f"Release {body['release']}")
    out.table(
        ["", ""],
        [
            ["purpose", body["purpose"]],
            ["policy", f"{policy['name']} {policy['version']}"],
            ["covers", f"ledger events before position {body['position']}"],
            ["decided as of", moment(body["decided_at"])],
            ["files", str(len(body["files"]))],
        ],
    )


def withdrawn_since(withdrawn: dict[str, Any] | None) -> str:
    """Return when and why a release was withdrawn; nothing if it was not."""
    return "" if withdrawn is None else f"{moment(withdrawn['at'])}: {withdrawn['reason']}"


def show_withdrawn(out: Output, name: str, *, withdrawn: dict[str, Any] | None) -> None:
    """Print that a release was withdrawn, if it was."""
    if withdrawn is not None:
        when = f"{moment(withdrawn['at'])}, at position {withdrawn['position']}"
        out.text(f"\nWITHDRAWN: {name}, on {when}. Nobody may read it any more: {withdrawn['reason']}")


def show_barred(out: Output, barred: Mapping[str, Any] | None) -> None:
    """Print that an order keeps a release from being read, if one does."""
    if barred is not None:
        out.text(f"\nNOT READABLE: {barred['why']}. Build a new release.")


def _largest_first(split: Mapping[str, Mapping[str, int]]) -> list[tuple[str, Mapping[str, int]]]:
    """Order names by their items. A sealed manifest is canonical, so it has them in the order of the alphabet."""
    return sorted(split.items(), key=lambda each: (-sum(each[1].values()), each[0]))


def show_counts(out: Output, counts: Any) -> None:
    """Print the counts of a release or a plan."""
    items = counts["items"]
    eligible, denied = counts["eligible"], counts["denied"]
    out.text(f"\n{counted(items, 'item')}: {eligible:,} eligible ({share(eligible, items)}), {denied:,} denied")
    suspended = sum(count for reason, count in counts["by_reason"].items() if "suspended:" in reason)
    if not eligible and suspended:
        out.hint(f"Orders suspend {counted(suspended, 'item')}: consentry order list")
    if not eligible and (advice := nothing_eligible(counts["by_gap"], by_reason=counts["by_reason"], items=items)):
        out.hint(advice)
    if counts["by_reason"]:
        by_reason = sorted(counts["by_reason"].items(), key=lambda each: (-each[1], each[0]))
        rows = [[reason, count, share(count, items)] for reason, count in by_reason]
        out.heading(f"Denied, by the first reason of each item{_first(rows)}")
        out.table(["reason", "items", "of all"], rows[:_TOP])
    if counts["by_gap"]:
        out.heading("Gaps: what could not be known (an item may have several)")
        out.table(["gap", "items"], sorted(counts["by_gap"].items(), key=lambda each: (-each[1], each[0])))
    for label, title in (("by_place", "By place"), ("by_category", "By category"), ("by_licence", "By licence")):
        split = counts[label]
        if set(split) <= {""}:
            continue
        rows = [
            [_name(name), each["eligible"], each["denied"], share(each["eligible"], sum(each.values()))]
            for name, each in _largest_first(split)
        ]
        out.heading(title + _first(rows))
        out.table([title.removeprefix("By "), "eligible", "denied", "eligible share"], rows[:_TOP])


def show_explanation(out: Output, item: str, *, body: dict[str, Any]) -> None:
    """Print why an item is in a release, or is not."""
    what = body["item"]
    unread = body["withdrawn"] or body["barred"]
    verdict = "is left out" if not body["allowed"] else "is in it, and may not be used now" if unread else "may be used"
    out.heading(f"{item} ({what['category']}, {what['visibility']}, {moment(what['created'])}) {verdict}")
    show_reasons(out, body["reasons"])
    if body["counted_as"] not in (None, ELIGIBLE, body["reasons"][0]["reason"]):
        out.text(f"  the counts have it under {body['counted_as']}")
    for person in body["people"]:
        if "places" not in person:
            out.text(f"  {person['role']}: nobody is named")
            continue
        where = f"in {', '.join(person['places'])}" if person["places"] else "whereabouts unknown"
        sure = "" if person["established"] else ", not established"
        out.text(
            f"  {person['role']}: {where}{sure}; {_aged(person['age'])};"
            f" account {person['account']}: {'allowed' if person['allowed'] else 'not allowed'}"
        )
        for said in person["choices"]:
            about = said["category"] or ("one item" if said["item"] else "everything")
            out.text(
                f"    chose {said['state']} for {said['purpose']} ({about}, reach {said['reach']})"
                f" on {moment(said['at'])}, position {said['position']}{_heard(said)}{said_elsewhere(said)}"
            )
    if (left := body.get("amendment")) is not None:
        of_the_seal = any(person.get("choices") for person in body["people"])
        out.text(
            f"  removed by amendment {left['number']}, since position {left['position']}; it was sealed with the item."
            + (" The choices above are those of the seal" if of_the_seal else "")
        )
    if not body.get("agrees_with_bitmap", True) and not body.get("erased_since"):
        out.hint("  WRONG: the sealed bitmap says otherwise; run `consentry release verify`")


def _heard(said: Mapping[str, Any]) -> str:
    """Say how a choice came in, and which notice was read."""
    notice = f", having read notice {said['notice']}" if said["notice"] else ""
    return f", by {said['source']}{notice}" if said["source"] else ""


def show_reasons(out: Output, reasons: Sequence[Mapping[str, Any]]) -> None:
    """Print the reasons of a decision, each rule with its line in the policy set."""
    for reason in reasons:
        place = f" (policy line {reason['line']})" if "line" in reason else ""
        out.text(f"  {reason['reason']}{place}: {reason['why']}")


def _aged(age: str) -> str:
    return "age unknown" if age == Age.UNKNOWN else age


def show_comparison(out: Output, found: dict[str, Any]) -> None:
    """Print what changed between two releases."""
    before, after = found["before"], found["after"]
    out.heading(f"{before['release']} -> {after['release']}")
    out.text(f"eligible {before['eligible']:,} -> {after['eligible']:,} ({found['eligible_change']:+,})")
    changed = [name for name, differs in found["causes"].items() if differs]
    out.text(f"what differs: {', '.join(changed) or 'nothing'}")
    if any(ERASED_SINCE in (move["from"], move["to"]) for move in found["moves"]):
        out.text("erased-since: somebody was erased after the release was sealed; why can no longer be said")
    if not found["reproduced"]:
        out.hint("WRONG: deciding again does not give what was sealed; run `consentry release verify --decide`")
    if found["moves"]:
        out.table(["was", "is", "items"], [[m["from"], m["to"], m["items"]] for m in found["moves"]][:_TOP])
    show_changed_counts(out, found["counts"])
    for label in ("added", "removed"):
        for file in found["files"][label]:
            out.text(f"{label}: {file['path']}, {counted(file['items'], 'item')}, {file['eligible']:,} eligible")
    for path in found["files"]["changed"]:
        out.text(f"other bytes: {path}")
    for each in (before, after):
        show_withdrawn(out, each["release"], withdrawn=each["withdrawn"])


def show_changed_counts(out: Output, counts: Mapping[str, Mapping[str, Any]]) -> None:
    """Print which counts of two releases differ: by reason all items that are denied, also those that were before."""
    for split, title in (("by_reason", "Denied, by the first reason of each item"), ("by_gap", "Gaps")):
        rows = [[name, was, now, f"{now - was:+,}"] for name, was, now in _differing(counts[split])]
        if rows:
            out.heading(f"{title}{_first(rows)}")
            out.table([split.removeprefix("by_"), "was", "is", "change"], rows[:_TOP])
    for split in ("by_place", "by_category", "by_licence"):
        rows = [
            [_name(name), was["eligible"], now["eligible"], was["denied"], now["denied"]]
            for name, was, now in _differing(counts[split])
        ]
        if rows and not set(counts[split]) <= {""}:
            noun = split.removeprefix("by_")
            out.heading(f"By {noun}{_first(rows)}")
            out.table([noun, "eligible was", "eligible is", "denied was", "denied is"], rows[:_TOP])


def _name(name: str) -> str:
    """Return what a place, a category or a licence is called in a table."""
    return place_in_table(name) or "(none)"


def _differing(split: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Any, Any]]:
    return [(name, each["before"], each["after"]) for name, each in split.items() if each["before"] != each["after"]]


def _first(rows: Sequence[Any]) -> str:
    return f" (first {_TOP} of {len(rows)})" if len(rows) > _TOP else ""


def show_amendments(out: Output, amendments: Sequence[Mapping[str, Any]]) -> None:
    """Print what left a release since it was sealed, if anything did."""
    if amendments:
        rows = [
            [each["number"], each["removed"], moment(each["at"]), f"before {each['position']}"] for each in amendments
        ]
        out.heading(f"Amendments: {counted(amendments[-1]['items'], 'item')} left it since it was sealed")
        out.table(["amendment", "items removed", "at", "covers ledger events"], rows)
