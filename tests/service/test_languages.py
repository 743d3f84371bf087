"""Every text of the pages is there in every language, with the same places to fill in."""

from __future__ import annotations

import re

import pytest
from babel.messages.catalog import Message

from consentry.service.languages import LANGUAGES
from consentry.service.pages.receipt_words import for_person
from consentry.service.site import environment
from consentry.transparency.receipt import Place, Receipt
from service.catalogues import gathered, others, translated

ADVICE = "write the catalogues anew (.run/test/bin/python tests/service/catalogues.py) and translate what is empty"
_PLACE = re.compile(r"%\((\w+)\)s|\{(\w+)\}|</?[a-z]+")


def places(text: str) -> set[str]:
    return {match.group(0) for match in _PLACE.finditer(text)}


def texts(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (str(message.string or ""),)


def wanted() -> list[Message]:
    return [message for message in gathered() if message.id]


def test_something_was_gathered() -> None:
    assert len(wanted()) > 30
    assert {"en", "cy", "fr", "de", "es", "ar"} == set(LANGUAGES)


@pytest.mark.parametrize("code", sorted(others()))
def test_no_text_is_missing(code: str) -> None:
    catalogue = translated(code)
    found = {(message.id, message.context): message for message in catalogue if message.id}
    missing = [each.id for each in wanted() if not all(texts(found.get((each.id, each.context), Message(""))))]
    assert missing == [], ADVICE
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []
    unused = set(found) - {(message.id, message.context) for message in wanted()}
    assert unused == set(), ADVICE


@pytest.mark.parametrize("code", sorted(others()))
def test_every_place_to_fill_in_is_kept(code: str) -> None:
    for message in translated(code):
        if not message.id:
            continue
        ids = tuple(map(str, message.id if isinstance(message.id, tuple) else (message.id,)))
        allowed = set().union(*(places(each) for each in ids))
        for text in texts(message):
            # Of one or two of something a language may leave the number out; nothing else, and nothing may be added.
            assert places(text) <= allowed, (message.id, text)
            if len(ids) == 1:
                assert places(text) == allowed, (message.id, text)


@pytest.mark.parametrize("code", sorted(others()))
def test_plurals_are_those_of_the_language(code: str) -> None:
    catalogue = translated(code)
    for message in catalogue:
        if isinstance(message.id, tuple):
            assert len(texts(message)) == catalogue.num_plurals, message.id


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("en", "26 November 2026, 14:03 UTC"),
        ("cy", "26 Tachwedd 2026 14:03 UTC"),
        ("fr", "26 novembre 2026, 14:03 UTC"),
        ("de", "26. November 2026, 14:03 UTC"),
        ("es", "26 de noviembre de 2026, 14:03 UTC"),
        ("ar", "26 نوفمبر 2026، 14:03 UTC"),
    ],
)
def test_a_date_with_a_time_is_written_as_the_language_writes_dates(code: str, written: str) -> None:
    at = environment(code).filters["time"]
    assert at(1_795_701_780) == written
    assert re.sub(r"\W", "", environment(code).filters["day"](1_795_701_780)) in re.sub(r"\W", "", written)


NUMBERS = [
    ("en", "12,345"),
    ("cy", "12,345"),
    ("fr", "12\u202f345"),
    ("de", "12.345"),
    ("es", "12.345"),
    ("ar", "12,345"),
]


@pytest.mark.parametrize(("code", "written"), NUMBERS)
def test_a_number_in_a_sentence_is_written_as_the_language_writes_numbers(code: str, written: str) -> None:
    def said(template: str) -> str:
        return environment(code).from_string(template).render(number=12_345)

    assert written in said('{{ ngettext("%(num)s item", "%(num)s items", number) }}')
    assert said('{{ _("Page %(number)s of %(pages)s", number=number, pages=number) }}').count(written) == 2
    assert written in said('{{ ngettext("%(num)s row", "%(num)s rows", number, num=number | number) }}')
    assert "&amp;lt;" not in said("""{{ _("%(name)s: %(value)s", name="<", value=number) }}""")


@pytest.mark.parametrize(("code", "written"), NUMBERS)
def test_a_receipt_writes_how_many_items_it_is_about_in_the_same_way(code: str, written: str) -> None:
    about = {"what": "choice", "state": "refused", "purpose": "train-genai", "reach": "everything", "made_at": 0}
    receipt = Receipt(
        about={**about, "categories": [], "items": 12_345, "source": "settings"},
        effective_at=0,
        ledger=Place(id="l", position=1, kind="choice.made", version=1, commitment="00"),
        policies=(),
        notice=None,
        opening=None,
    )
    assert written in for_person(receipt, language=LANGUAGES[code])
