"""What errors mean to people who are not at work here, by their code: the page of an error says it in their language.

An error's own message is in English and says exactly what was given: people at work see it as well.
A code stands here if members, objectors or anybody can meet it on a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from consentry.errors import ConsentryError

N_ = str
"""Marks a text for translation; the template translates it."""


class Plain(NamedTuple):
    """What happened, and what to do about it: in the form of an error's own, which pages make sentences of."""

    message: str
    help: str


_LATER = N_("nothing was saved: try again in a few minutes")
_LOOK_AGAIN = N_("look at the page again in a few minutes")
_NOTHING_ANSWERS = Plain(N_("a part of this site does not answer at this moment"), _LATER)
_SOMETHING_IS_MISSING = Plain(
    N_("some of what people said is missing here at this moment, so we cannot say how it stands for you"),
    N_("nothing was saved: we show nothing rather than something wrong. Try again later"),
)

PROBLEMS: Mapping[str, Plain] = MappingProxyType(
    {
        "access-denied": Plain(
            N_("you are signed in here with an account that this page is not for"),
            N_("sign out, and come back with the account that you want to use"),
        ),
        "access-other-site": Plain(
            N_("another site has sent this from your browser, and we do nothing that another site asks for"),
            N_("if you meant it, open the page here and do it there"),
        ),
        "accounts-unavailable": _NOTHING_ANSWERS,
        "choice-changed": Plain(
            N_("something has changed since you opened this page, so your yes is not saved"),
            N_("below it shows how it stands now: choose again if you want to"),
        ),
        "choice-no-such-use": Plain(N_("nothing is decided here about this use"), N_("open your page again")),
        "choice-somebody-else": Plain(
            N_("this page was opened by somebody else, who was signed in before you"),
            N_("nothing was saved: open your own page and choose there"),
        ),
        "corpus-not-recorded": _NOTHING_ANSWERS,
        "choice-lost": Plain(
            N_("what you said under this number is lost here"),
            N_("keep your receipt, which proves it; open your page, and say it again"),
        ),
        **dict.fromkeys(
            (
                "ledger-database-damaged",
                "ledger-documents-deleted",
                "ledger-event-changed",
                "ledger-event-malformed",
                "ledger-event-unknown",
                "ledger-gap",
                "ledger-head-missing",
                "ledger-older",
            ),
            _SOMETHING_IS_MISSING,
        ),
        "internal-error": Plain(
            N_("that is a mistake of ours, not yours"),
            N_("look at the page again in a few minutes, and tell us if it is still so"),
        ),
        "ledger-outcome-unknown": Plain(N_("we cannot tell whether this was saved"), _LOOK_AGAIN),
        "ledger-unavailable": _NOTHING_ANSWERS,
        "system-disk-full": _NOTHING_ANSWERS,
        "system-exhausted": _NOTHING_ANSWERS,
        "serve-body-too-large": Plain(
            N_("that was more than we can take at once"),
            N_("nothing was saved: go back, and send less or a smaller file"),
        ),
        "serve-body-too-slow": Plain(
            N_("what you sent did not arrive in time"), N_("nothing was saved: go back and send it again")
        ),
        "serve-malformed": Plain(
            N_("something in the address or in the form cannot be read"),
            N_("go back, and try it once more from there"),
        ),
        "serve-method": Plain(
            N_("this address cannot be used in this way"), N_("go back, and try it once more from there")
        ),
        "sign-in-elsewhere": Plain(N_("signing in did not work"), N_("go back and sign in again")),
        "sign-in-not-set-up": Plain(
            N_("signing in with your platform or organisation is not set up here"),
            N_("tell those who run this site; you can object without signing in"),
        ),
        "sign-in-unavailable": Plain(
            N_("the site that signs people in does not answer at this moment"),
            N_("try again in a few minutes; you can object without signing in"),
        ),
    }
)


def read_in_vain(error: ConsentryError) -> tuple[ConsentryError, Plain | None]:
    """Return an error of somebody who only looks at a page, with what it means.

    That nothing was saved is true, and says nothing: they may have been led to the page when something was.
    """
    plain = PROBLEMS.get(error.code)
    if plain is not _NOTHING_ANSWERS:
        return error, plain
    rest = error.help.removeprefix("nothing was recorded").lstrip(":. ")
    return type(error)(error.code, error.message, help=rest), plain._replace(help=_LOOK_AGAIN)


def plainly(error: ConsentryError) -> Plain:
    """Return what an error means, in the words it has itself if nobody but people at work can meet it."""
    return PROBLEMS.get(error.code, Plain(error.message, error.help))
