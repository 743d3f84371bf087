"""The languages of the pages: which there are, which one a browser asks for, and their catalogues.

`locale/CODE.po` holds the words of a language. They are compiled when they are first needed: a few hundred lines.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from starlette.requests import Request

CATALOGUES = Path(__file__).parent / "locale"
COOKIE = "__Host-language"
DEFAULT = "en"


def N_(text: str) -> str:  # noqa: N802 - the name that whoever gathers texts for translation looks for
    """Mark a text that a template translates."""
    return text


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the pages; `name` is what it calls itself."""

    code: str
    name: str

    @property
    def locale(self) -> Locale:
        """How it writes dates and numbers. English: as in the United Kingdom, where a day comes before its month."""
        return Locale.parse("en_GB" if self.code == "en" else self.code)

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return self.locale.text_direction

    @property
    def comma(self) -> str:
        """What stands between the words of a list."""
        return "، " if self.code == "ar" else ", "

    @property
    def semicolon(self) -> str:
        """What stands between parts that hold lists."""
        return "؛ " if self.code == "ar" else "; "


LANGUAGES = {
    language.code: language
    for language in (
        Language("en", "English"),
        Language("cy", "Cymraeg"),
        Language("fr", "Français"),
        Language("de", "Deutsch"),
        Language("es", "Español"),
        Language("ar", "العربية"),
    )
}


def language_of(request: Request) -> Language:
    """Return the language of an answer: what the address asks for, what was chosen before, what the browser prefers."""
    for asked in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if asked in LANGUAGES:
            return LANGUAGES[asked]
    preferred = [_weighed(part) for part in request.headers.get("accept-language", "")[:200].split(",")]
    preferred.sort(key=lambda each: -each[1])
    return next((LANGUAGES[code] for code, weight in preferred if code in LANGUAGES and weight), LANGUAGES[DEFAULT])


def _weighed(part: str) -> tuple[str, float]:
    """Return a language of `Accept-Language` without its region, and how much it is wanted (RFC 9110, 12.5.4)."""
    tag, _, weight = part.partition(";")
    try:
        wanted = float(weight.strip().removeprefix("q=") or 1)
    except ValueError:
        wanted = 0.0
    return tag.strip().lower().partition("-")[0], wanted if 0 <= wanted <= 1 else 0.0


@cache
def translations(code: str) -> NullTranslations:
    """Return the words of a language; those of the templates themselves for English."""
    path = CATALOGUES / f"{code}.po"
    if not path.exists():
        return NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return Translations(compiled)
