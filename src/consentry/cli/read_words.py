"""What was found in a platform's own files, in words: what nobody could read, and how to say what it means."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import numpy as np

from consentry.cli.output import Output, counted
from consentry.corpus.classes import PersonClasses
from consentry.policy.vocabulary import Account

LOADED: Mapping[str, str] = {
    "rows": "rows read",
    "nulls": "rows without an id, left out",
    "new": "seen for the first time",
    "unresolved": "no country established",
    "rare_countries": "country not readable, in a word of fewer than 10 people",
    "unknown_ages": "age unknown",
    "implausible_years": "year of birth implausible",
    "unknown_accounts": "state of the account unknown",
    "linked": "linked to another account",
    "links_gone": "links that are gone since the table before",
}
"""What the counts of a people table are called."""
_TABLES: Mapping[str, str] = {
    "category": "categories",
    "visibility": "visibilities",
    "age": "ages",
    "account": "accounts",
}
"""In which table of a descriptor the words of a column are mapped."""
_CUT_SHORT = "… ("


def show_unread(out: Output, unread: Mapping[str, Mapping[str, int]], *, of: str) -> None:
    """Print the words of each column that nobody could read, and the lines for the descriptor that say what they mean.

    `of` is what has the words: items or people.
    """
    rows = [[role, word, count] for role, words in unread.items() for word, count in words.items()]
    if not rows:
        return
    out.text("\nWords that nobody could read; they count as unknown, which denies:")
    out.table(["column", "word", of], sorted(rows, key=lambda row: -row[2]))
    lines = [line for role, words in unread.items() if role in _TABLES for line in _to_paste(_TABLES[role], words)]
    if lines:
        out.text("\nSay in the descriptor what they mean, with words of docs/descriptors.md in place of `unknown`:")
        out.text("\n".join(lines))
    if "country" in unread:
        out.text("\nA country is a code of ISO 3166 (`GB`, `GBR`) or a country's name.")
        out.text("`NA` may be Namibia or nothing: write `NAM` for Namibia, and leave empty what is not known.")


def show_odd_rows(out: Output, rows: Iterable[Mapping[str, str | None]]) -> None:
    """Print the first rows with a cell that means nothing, each as an error would name it."""
    for number, row in enumerate(rows):
        place = f"{row['where']}: " if row["where"] else ""
        held = "nothing" if row["value"] is None else f"`{row['value']}`"
        gap = "" if number else "\n"
        out.text(f"{gap}{place}column `{row['column']}` holds {held}, which {row['why']}")


def show_links_gone(out: Output, links: int) -> None:
    """Print what it means that accounts are not linked any more."""
    if links:
        gone = counted(links, "link is gone", several="links are gone")
        out.text(
            f"\n{gone} that joined accounts before: what one account refused no longer covers the other. If they still"
            " belong to one person, load the table with the column `same_as`, or record it: consentry people link"
        )


def _to_paste(table: str, words: Mapping[str, int]) -> list[str]:
    whole = [word for word in words if _CUT_SHORT not in word]
    return [f"[{table}]", *(f'{json.dumps(word, ensure_ascii=False)} = "unknown"' for word in whole)] if whole else []


def in_no_table(classes: PersonClasses) -> int:
    """Return how many people content or links name that stand in no people table. Who was erased is not counted."""
    counts = np.bincount(classes.codes, minlength=len(classes.members)).tolist()
    return sum(
        count
        for member, count in zip(classes.members, counts, strict=True)
        if member is not None and not member.known and member.account is not Account.CLOSED
    )


def show_in_no_table(out: Output, people: int, *, loaded: bool) -> None:
    """Print how many people stand in no people table, and what that means."""
    if not people:
        return
    if not loaded:
        out.text(f"\nNo people table is loaded yet: nothing is known of {_persons(people)} that the content names.")
        return
    out.text(
        f"\n{_persons(people)} that content names, of this corpus or another, {'is' if people == 1 else 'are'} in no"
        " people table, and what is by them is denied. If these are too many, compare the ids of the column `person`"
        " with those of `author`."
    )


def _persons(people: int) -> str:
    return counted(people, "person", several="people")
