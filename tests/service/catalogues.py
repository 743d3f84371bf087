"""The words of the pages, gathered from templates and code.

    .run/test/bin/python tests/service/catalogues.py

brings `locale/*.po` up to date: new words are added without a translation, words nobody uses any more are dropped, and
a translation is never guessed.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from consentry.service.languages import CATALOGUES, DEFAULT, LANGUAGES
from consentry.service.site import IN_ENGLISH

SERVICE = CATALOGUES.parent
NOISE = tuple(
    f'"{each}' for each in ("Project-Id", "Report-Msgid", "POT-", "PO-", "Last-", "Language-Team", "Generated-")
)
"""Lines of a header that say nothing here, or change with the day."""
AT_WORK = (*(f"templates/{folder}" for folder in IN_ENGLISH), "pages/console", "pages/authority", "papers.py")
"""Of people at work, who share one language."""
METHODS = [("templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"templates/**.html": {"silent": "false", "trim_blocks": "true", "extensions": "jinja2.ext.do"}}
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}


@cache
def gathered() -> Catalog:
    """Return every text that is marked for translation, for everybody to read: it takes a second."""
    catalogue = Catalog(charset="utf-8")
    for name, line, text, _, context in extract_from_dir(SERVICE, METHODS, OPTIONS, keywords=KEYWORDS):
        where = Path(name).as_posix()
        if not where.startswith(AT_WORK):
            catalogue.add(text, None, [(where, line)], context=context)
    return catalogue


def translated(code: str) -> Catalog:
    """Return the catalogue of a language as it is; empty if there is none."""
    path = CATALOGUES / f"{code}.po"
    if not path.exists():
        return Catalog(locale=code, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=code)


def others() -> Iterator[str]:
    """Yield the languages that need a catalogue."""
    return (code for code in LANGUAGES if code != DEFAULT)


def write(code: str) -> int:
    """Bring a catalogue up to date and return how many texts it lacks."""
    wanted, has = gathered(), translated(code)
    made = Catalog(locale=code, charset="utf-8", fuzzy=False, header_comment=f"# {LANGUAGES[code].name}")
    missing = 0
    for message in wanted:
        if not message.id:
            continue
        before = has.get(message.id, message.context)
        text = before.string if before is not None else ""
        made.add(message.id, text, sorted({(name, 0) for name, _ in message.locations}), context=message.context)
        missing += not (all(text) if isinstance(text, tuple) else text)
    file = io.BytesIO()
    write_po(file, made, width=0, omit_header=False, sort_output=True, include_lineno=False, ignore_obsolete=True)
    lines = [line for line in file.getvalue().decode().splitlines() if not line.startswith(NOISE)]
    (CATALOGUES / f"{code}.po").write_text("\n".join(lines).strip() + "\n", "utf-8")
    return missing


if __name__ == "__main__":
    for each in others():
        sys.stdout.write(f"{each}: {write(each)} without a translation\n")
