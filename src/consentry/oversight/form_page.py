"""The form for objections as a page shows it: what a person would have to go through, read from the page itself.

A step is a group of fields (`fieldset`); fields in none are a step of their own. A field has to be filled in if the
page says so. A password among the fields is a login.
"""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

from consentry.oversight.objection_form import Field, Form, FormStep

SEEN = 0
"""The version of a form that was seen on a page: pages name none."""
_TAGS = {"input", "select", "textarea"}
_NO_FIELDS = {"button", "hidden", "image", "reset", "submit"}


def read_form(text: str, *, path: str) -> Form | None:
    """Return the form that a page sends to `path` on its server, None if the page has none with a field."""
    page = _Page(path)
    page.feed(text)
    page.close()
    steps = tuple(FormStep(title="", fields=tuple(each.values())) for each in page.steps if each)
    return Form(version=SEEN, steps=steps, login=page.login) if steps else None


class _Page(HTMLParser):
    """Collects the fields of the form, by name, for each step."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.steps: list[dict[str, Field]] = [{}]
        self.login = False
        self._path = path
        self._inside = False
        self._groups = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            address = urlsplit(given.get("action", ""))
            own = not address.netloc and address.path == self._path
            self._inside = own and given.get("method", "").lower() == "post"
        elif self._inside and tag == "fieldset":
            self._groups += 1
            if self._groups == 1:
                self.steps.append({})
        elif self._inside and tag in _TAGS:
            self._field(tag, given)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside, self._groups = False, 0
        elif self._inside and tag == "fieldset" and self._groups:
            self._groups -= 1
            if not self._groups:
                self.steps.append({})

    def _field(self, tag: str, given: dict[str, str]) -> None:
        kind = given.get("type", "text").lower() if tag == "input" else tag
        name = given.get("name", "")
        if kind in _NO_FIELDS or not name:
            return
        self.login = self.login or kind == "password"
        most = given.get("maxlength", "")
        self.steps[-1][name] = Field(
            name=name,
            asks="",
            required="required" in given,
            most=int(most) if most.isascii() and most.isdigit() else 0,
            lines=tag == "textarea",
        )
