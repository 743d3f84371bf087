"""What the pages of the console share: who is let in, errors shown where they were made, and lines of forms.

The console shows everything there is, so it is for those whose scope is all of a deployment. An authority, whose scope
is its own jurisdictions, has pages of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from consentry.errors import ConsentryError, InputError
from consentry.policy.jurisdictions import instant, known_area
from consentry.service.gate import NeedsAll
from consentry.service.problems import require_refusal, status_of
from consentry.service.site import document as as_document
from consentry.service.site import wants_document

SEE_OTHER = 303
REFUSED = 422


Staff = NeedsAll


def told(error: ConsentryError, *, field: str | None = None) -> dict[str, str | None]:
    """Return an error as `parts.error` shows it, at the top of the page with the form.

    Raises:
        ConsentryError: it is no refusal of what was typed.
    """
    require_refusal(error)
    return {"message": sentence(error.message), "help": sentence(error.help), "field": field}


def sentence(text: str) -> str:
    """Return a message of ours as a sentence."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('?') else '.'}" if text else ""


def said(do: Callable[[], object], *, to: str, again: Callable[[dict[str, str | None]], Response]) -> Response:
    """Do what a form asks for and go to an address; if it is refused, show the form `again` with what is wrong.

    Only what somebody can mend by another input is shown there: that something is not there, damaged or not reachable
    is an answer of its own.
    """
    try:
        do()
    except ConsentryError as error:
        if status_of(error) not in (409, REFUSED):
            raise
        return again(told(error))
    return RedirectResponse(to, SEE_OTHER)


def twin(request: Request, document: Callable[[], Mapping[str, Any]]) -> Response | None:
    """Return what a page shows as JSON, if that is asked for; None if it is not."""
    if not wants_document(request, request.query_params.get("format", "")):
        return None
    return as_document(document())


def day_of(text: str, *, what: str, end: bool = False) -> int | None:
    """Return the time at which a day (`2026-11-26`) begins, or the last second of it; None for an empty field.

    Raises:
        InputError: it is no day.
    """
    if not text.strip():
        return None
    try:
        return instant(text.strip()) + (86_399 if end else 0)
    except ValueError:
        raise InputError(
            "form-day", f"the {what} `{text.strip()[:20]}` is no day", help="write it as year-month-day: 2026-11-26"
        ) from None


def required_day(text: str, *, what: str) -> int:
    """Return the last second of a day that has to be given.

    Raises:
        InputError: it is not, or is no day.
    """
    found = day_of(text, what=what, end=True)
    if found is None:
        raise InputError("form-day", f"the {what} is missing", help="write it as year-month-day: 2026-11-26")
    return found


def words_of(text: str) -> frozenset[str]:
    """Return the words of a field that takes several, between commas or spaces."""
    return frozenset(text.replace(",", " ").split())


def areas_of(text: str) -> frozenset[str]:
    """Return the areas of a field: codes between commas or spaces. What is no code stays whole: it may be a name."""
    parts = [part.split() for part in re.split("[,;\n]", text.upper())]
    found = (words if any(map(known_area, words)) else [" ".join(words)] for words in parts if words)
    return frozenset(area for areas in found for area in areas)


def kept(**given: Any) -> Mapping[str, Any]:
    """Return what was typed into a form, to be shown again: each text, or list of texts, by its field."""
    return given
