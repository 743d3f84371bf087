"""A receipt as a text for the person it was given to: in their language, and in the words of their pages.

It is made of the receipt alone and is not signed. `transparency.receipt_text` says the same in English to whoever works
with receipts, with all that a check needs.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator

from babel.lists import format_list
from babel.numbers import format_decimal
from fastapi import Request
from fastapi.responses import Response

from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.service.languages import Language, language_of, translations
from consentry.service.pages import member_words as say
from consentry.service.site import date_and_time
from consentry.transparency.receipt import Receipt

_FROM_THE_RIGHT, _LEFT_TO_RIGHT, _END = "\u200f", "\u2066", "\u2069"
"""A mark at the start of a line; what stands between the others is read from left to right (Unicode UAX 9)."""

Row = tuple[str, str]


def handed_out(request: Request, content: bytes, *, form: str, name: str) -> Response:
    """Return a receipt as a file to keep: a `text` in the language of whoever asks, else as it was signed."""
    if form != "text":
        named = {"content-disposition": f'attachment; filename="{name}.json"'}
        return Response(content, media_type="application/json", headers=named)
    language = language_of(request)
    text = for_person(Receipt.from_json(json.loads(content)["receipt"]), language=language)
    named = {"content-disposition": f'attachment; filename="{name}.txt"', "content-language": language.code}
    return Response(text, media_type="text/plain; charset=utf-8", headers={**named, "vary": "accept-language, cookie"})


def for_person(receipt: Receipt, *, language: Language) -> str:
    """Return a receipt as lines of text."""
    words = translations(language.code)
    _ = words.gettext
    rows = _choice(receipt, language) if receipt.about["what"] == "choice" else _objection(receipt, language)
    last = _(
        "This text is for reading and is not signed. To be able to prove it, keep the file that can be checked too."
    )
    facts = (_("%(name)s: %(value)s") % {"name": name, "value": value} for name, value in rows)
    lines = [_("Receipt"), *facts, last]
    start = _FROM_THE_RIGHT if language.direction == "rtl" else ""
    return "".join(f"{start}{line}\n" for line in lines)


def _choice(receipt: Receipt, language: Language) -> Iterator[Row]:
    about, _ = receipt.about, translations(language.code).gettext
    state = ChoiceState(about["state"])
    yield _("Use"), _(say.PURPOSES[Purpose(about["purpose"])])
    yield _("What you said"), _(say.STATES[state])
    yield _("Content"), _content(receipt, language)
    if state is ChoiceState.REFUSED:
        yield _("How far back a no goes"), _(say.REACHES[Reach(about["reach"])])
    yield _("Said"), _moment(about["made_at"], language)
    yield from _what_counts(receipt, language)
    yield _("Number of this choice"), _name(str(receipt.ledger.position), language)


def _objection(receipt: Receipt, language: Language) -> Iterator[Row]:
    about, _ = receipt.about, translations(language.code).gettext
    yield _("What you said"), _("You objected")
    if "purpose" in about:
        yield _("Use"), _(say.PURPOSES[Purpose(about["purpose"])])
    yield from _what_counts(receipt, language)
    if "due" in about:
        yield _("Answer due by"), _moment(about["due"], language)
    yield _("Number of this objection"), _name(str(about["objection"]), language)


def _what_counts(receipt: Receipt, language: Language) -> Iterator[Row]:
    """Yield since when it counts, the notice that was read, and the rules that were in force."""
    _ = translations(language.code).gettext
    yield _("Received, and counts from"), _moment(receipt.effective_at, language)
    if receipt.notice is not None:
        read = _("Rules you read") if receipt.notice.is_policy else _("Notice you read")
        # Of rules the file has the digest as well, for whoever checks it.
        name, *rest = receipt.notice.notice.split("/")
        version = rest[0] if rest else receipt.notice.version
        yield read, _versioned(name, version, language)
    for each in receipt.policies:
        yield _("Rules in force then"), _versioned(each.name, each.version, language)


def _content(receipt: Receipt, language: Language) -> str:
    about, words = receipt.about, translations(language.code)
    if about["items"]:
        items = format_decimal(about["items"], locale=language.locale)
        return words.ngettext("%(num)s item", "%(num)s items", about["items"]) % {"num": items}
    kinds = [words.gettext(say.KINDS[each]) for each in Category if each in about["categories"]]
    return format_list(kinds, locale=language.locale) if kinds else words.gettext("All kinds of content")


def _versioned(name: str, version: object, language: Language) -> str:
    """Return a name with its version; None is the version of what nobody wrote down."""
    _: Callable[[str], str] = translations(language.code).gettext
    named = _name(name, language)
    return named if version is None else _("%(name)s, version %(number)s") % {"name": named, "number": version}


def _name(text: str, language: Language) -> str:
    """Return a name in Latin letters so that a line from the right does not turn it around."""
    return f"{_LEFT_TO_RIGHT}{text}{_END}" if language.direction == "rtl" else text


def _moment(at: int, language: Language) -> str:
    try:
        return date_and_time(dt.datetime.fromtimestamp(at, dt.UTC), language.locale)
    except (OverflowError, OSError, ValueError):  # a platform may say anything of when a choice was made
        return _name(str(at), language)
