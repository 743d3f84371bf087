"""The commands that are killed, with what prepares each, what must be able to read what it did, and how it is refused.

In words: `{f}` is the folder with content and papers, `{o}` one that is copied with the home, `{r}` a release, `{x}` an
objection and `{l}` its private link.
"""

from __future__ import annotations

from dataclasses import dataclass

BY, BEN = "--by ann", "--by ben"
PAPER = "--reference letter"
WHY = "--reason 'a slip of the pen'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """A command line that is killed."""

    words: str
    before: tuple[str, ...] = ()
    reads: str = ""
    """A command that must not fail once the ledger says that it was done."""
    done: str = ""
    """The code it is refused with if it is asked for again after it was done; else it may be done twice."""
    deletes: bool = False
    """It takes a folder away file by file, and goes on with that when it is asked for again."""


_OPENED = (f"case open ico --title x {PAPER} {BY}",)
_SUSPENDED = (f"suspend --case ico --area UK --origin authority-request {PAPER}",)
_CONDITION = f"case condition add ico window --title x --owner product --due 2030-01-31 {BY}"
_REVIEWED = (*_SUSPENDED, f"case review ico {BY}")
_LENT = (f"release withdraw {{r}} --reason x {BY} --yes", "copy {f}/items {o}/copy")
_TRAINED = ("model register m --release {r}",)
_WITHDRAWN = ("model register m --digest {d}", f"model withdraw m {WHY} {BY} --yes")
_AFFECTED = (*_TRAINED, "choice record p1 refused --reach everything")
_ANSWERED = (f"objection not-found {{x}} --tried x {BY}",)
_AUTHORITY = (
    "account add ico --role authority --area UK",
    "account key-of ico {f}/ico.pem",
    f"authority draft ico suspend --case ico-1 --area UK {PAPER} --output {{f}}/said.json",
    "sign {f}/said.json {f}/said.sig",
)

SEVERAL_WRITES = (
    Killed(words="policy publish november-2025", reads="may p1 --category post --policy november-2025"),
    Killed(words="people link p1 p5", reads="people uses p1"),
    Killed(words="choice import {f}/choices.csv", reads="choice show p1"),
    Killed(
        words=f"notice write n-1 {{f}}/paper.txt --language en --channel in-app --audience everybody {BY}",
        reads="notice show n-1 --text",
    ),
    Killed(words="notice serve n-1 {f}/ids.txt", reads="notice show n-1"),
    Killed(words="objection file 'a picture' --answer-to zoe", reads="objection list"),
    Killed(words="objection match {x} --person p1 --by sam", reads="objection show {x}", done="objection-answered"),
    Killed(
        words=f"assessment bind legitimate-interest {{f}}/paper.txt --policy september-2024 {BY}",
        reads="assessment list",
    ),
    Killed(words="import tabular {f}/corpus.toml {o}/tabular", done="corpus-folder-exists"),
    Killed(words="import stackexchange {f}/dump {o}/dump", done="corpus-folder-exists"),
    Killed(words="release table {r}"),
    Killed(words="release table {r} --format-version 3"),
    Killed(words="release materialise {r} {o}/parquet", done="release-target-exists"),
    Killed(words="release materialise {r} {o}/jsonl --format jsonl", done="release-target-exists"),
    Killed(
        words=f"release certificate {{r}} --folder {{o}}/copy {BY} --yes",
        before=_LENT,
        reads="release certificate {r}",
        done="destruction-folder",
        deletes=True,
    ),
)
"""Those that write more than one event at a time: documents, folders, amendments."""

ONE_WRITE = (
    Killed(words="policy withdraw september-2024", reads="policy list", done="policy-withdrawn"),
    Killed(words="choice record p1 refused", reads="choice show p1"),
    Killed(words="objection add {l} --text more", reads="objection show {x}"),
    Killed(words="objection withdraw {l}", reads="objection show {x}", done="objection-withdrawn"),
    Killed(words=f"objection take {{x}} {BY}", reads="objection show {x}"),
    Killed(words=f"objection ask {{x}} --text which {BY}", reads="objection show {x}"),
    Killed(
        words=f"objection extend {{x}} --months 1 --text long {BY}",
        reads="objection show {x}",
        done="objection-not-extendable",
    ),
    Killed(words=f"objection not-found {{x}} --tried all {BY}", reads="objection show {x}", done="objection-answered"),
    Killed(
        words=f"objection decline {{x}} --ground excessive --text no {BY}",
        reads="objection show {x}",
        done="objection-answered",
    ),
    Killed(words=f"objection note {{x}} --text look {BY}", reads="objection show {x}"),
    Killed(
        words=f"objection erase {{x}} {BY} --yes",
        before=_ANSWERED,
        reads="objection show {x}",
        done="objection-not-erasable",
    ),
    Killed(words="receipt give {o}/receipt.json --person p2", reads="receipt verify {o}/receipt.json"),
    Killed(words=f"case open ico --title x {PAPER} {BY}", reads="case show ico", done="case-known"),
    Killed(words=f"case review ico {BY}", before=_SUSPENDED, reads="case show ico"),
    Killed(words=_CONDITION, before=_OPENED, reads="case show ico", done="case-condition-known"),
    Killed(
        words=f"case condition meet ico window {{f}}/paper.txt {BY}",
        before=(*_OPENED, _CONDITION),
        reads="case show ico",
    ),
    Killed(
        words=f"case condition reopen ico window {WHY} {BY}",
        before=(*_OPENED, _CONDITION, f"case condition meet ico window {{f}}/paper.txt {BY}"),
        reads="case show ico",
    ),
    Killed(
        words=f"case condition take-back ico window {WHY} {BY}",
        before=(*_OPENED, _CONDITION),
        reads="case show ico",
        done="case-condition-unknown",
    ),
    Killed(words=f"case notice ico n-1 --days 3 {BY}", before=_SUSPENDED, reads="case show ico"),
    Killed(
        words=f"case correct-notice ico n-1 --take-back {WHY} {BY}",
        before=(*_SUSPENDED, f"case notice ico n-1 --days 3 {BY}"),
        reads="case show ico",
        done="case-notice-unknown",
    ),
    Killed(words=f"case approve ico {BY}", before=_REVIEWED, reads="case show ico", done="case-approved-already"),
    Killed(
        words=f"case withdraw ico {PAPER} {BY}",
        before=(*_SUSPENDED, f"case withdraw ico {PAPER} {BEN}"),
        reads="case show ico",
        done="case-over",
    ),
    Killed(words=f"case prohibit ico {PAPER} {BY} --yes", before=_SUSPENDED, reads="case show ico", done="case-over"),
    Killed(
        words=f"case report schedule ico q1 --title x --due 2030-01-01 {BY}",
        before=_OPENED,
        reads="case show ico",
        done="case-report-known",
    ),
    Killed(
        words=f"case report deliver ico q1 {BY}",
        before=(*_OPENED, f"case report schedule ico q1 --title x --due 2030-01-01 {BY}"),
        reads="case show ico",
    ),
    Killed(
        words="authority file ico {f}/said.json {f}/said.sig",
        before=_AUTHORITY,
        reads="case show ico-1",
        done="statement-filed-before",
    ),
    Killed(words="model register m --release {r}", reads="model show m"),
    Killed(words=f"model remedy m accept {WHY} {BY}", before=_AFFECTED, reads="model show m"),
    Killed(
        words=f"model approve m {BEN}",
        before=(*_AFFECTED, f"model remedy m accept {WHY} {BY}"),
        reads="model show m",
        done="model-approved-before",
    ),
    Killed(
        words=f"model finish m {BY}",
        before=(
            *_AFFECTED,
            f"model remedy m accept {WHY} {BY}",
            f"model approve m {BY}",
            f"model approve m {BEN}",
        ),
        reads="model show m",
        done="model-not-now",
    ),
    Killed(
        words=f"model withdraw m {WHY} {BY} --yes",
        before=_TRAINED,
        reads="model show m",
        done="model-already-withdrawn",
    ),
    Killed(words=f"model gone m {WHY} {BY}", before=_WITHDRAWN, reads="model show m", done="model-approved-before"),
    Killed(
        words=f"model destroy m --folder {{o}}/weights {BY} --yes",
        before=(*_WITHDRAWN, "copy {f}/weights {o}/weights"),
        reads="model certificate m",
        done="destruction-folder",
        deletes=True,
    ),
)
"""Those that say one thing in the ledger."""

ELSEWHERE = {
    "init": "start",
    "corpus register": "register",
    "people load": "people",
    "people erase": "erase",
    "release build": "build",
    "release withdraw": "withdraw",
    "suspend": "suspend_by_command",
    "case narrow": "narrow",
    "case lift": "lift",
}
"""Commands whose verb `test_crashes.py` or `test_order_crashes.py` kills, by name in the driver."""

NOT_KILLED = {
    "demo": "says nothing that the other commands do not say",
    "serve": "what it answers is said by the same verbs; killed while jobs hold leases in `test_start.py`",
    "authority draft": "one file for somebody to sign, and nothing is recorded",
    "case report write": "one file to read, and nothing is recorded",
    "ledger migrate": "PostgreSQL changes its tables in one transaction",
    "ledger accept-older": "an act on a ledger that is lost, with nobody at work: `test_restored_homes.py`",
    **dict.fromkeys(
        (
            *("account add", "account disable", "account sign-out", "account roles", "account password"),
            *("account key-of", "account add-key", "account revoke-key", "account member-link"),
            *("webhook add", "webhook remove", "webhook exchange", "webhook replay"),
        ),
        "one transaction of the database of accounts, and nothing beside it",
    ),
}
"""Commands that write and are not killed, and why."""

READS = frozenset(
    {
        *("doctor", "what-if", "may", "jobs", "completion"),
        *("policy list", "policy check", "policy show", "policy diff", "policy test"),
        *("people show", "people locate", "people uses", "choice show"),
        *("notice list", "notice show", "notice audience", "objection follow", "objection list", "objection show"),
        *("receipt verify", "corpus show", "corpus list", "order list", "order show"),
        *("release plan", "release list", "release show", "release explain", "release diff", "release verify"),
        *("case list", "case show", "case timeline", "authority verify", "assessment list"),
        *("model list", "model show", "model may-serve", "model certificate"),
        *("account list", "account keys", "webhook list", "ledger show", "ledger verify"),
    }
)
"""Commands that change nothing, but for a file that is asked for."""
