"""How pages are made: a template, in the language of whoever asks, with who they are.

Templates are trusted, values are not: everything is escaped. A name that a template asks for and nobody gave is an
error.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_datetime_format
from babel.numbers import format_decimal, format_percent
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from consentry import __version__
from consentry.charts import Bar, bars, columns
from consentry.digests import canonical_json
from consentry.errors import ConsentryError
from consentry.service.gate import principal_of
from consentry.service.languages import COOKIE as LANGUAGE_COOKIE
from consentry.service.languages import DEFAULT, LANGUAGES, Language, language_of, translations
from consentry.service.plain_words import collection_name, place_name
from consentry.settings import Settings
from consentry.stages import stage

FOLDER = Path(__file__).parent
IN_ENGLISH = ("console/", "authority/", "api.html")
"""Templates for people at work, who share one language; the others are in all of them."""
VARY = "accept, accept-language, cookie"
"""What the answer at the address of a page depends on besides it."""
RETRY_S = "1"
"""How long to wait where something does not answer."""
_YEAR_S = 365 * 86_400
_IN_A_LANGUAGE = re.compile(r"(  (?:title|because) \(([a-z]{2,3})\): )(.*)")
"""A line of `policy_prose.describe` that is in a language of its own."""
_CODE = re.compile("`([^`]+)`")
UNSAVED_COOKIE, UNSAVED_S = "__Host-unsaved", 3600
"""The secret under which a choice is kept that could not be saved any more, and for how long."""


@cache
def environment(code: str) -> Environment:
    """Return the templates in a language."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    words = translations(code)
    made.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        words.gettext, words.ngettext, newstyle=True, pgettext=words.pgettext, npgettext=words.npgettext
    )
    made.globals |= _with_numbers(made.globals, LANGUAGES[code].locale)
    made.filters.update(_filters(LANGUAGES[code]))
    return made


def _with_numbers(words: Mapping[str, Any], locale: Locale) -> dict[str, Callable[..., Any]]:
    """Return what says a text, and one of several, with whole numbers in it as the language writes them."""
    gettext, ngettext = words["gettext"], words["ngettext"]

    def written(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: format_decimal(each, locale=locale) if type(each) is int else each for name, each in values.items()
        }

    @pass_context
    def one(context: Context, text: str, /, **values: Any) -> Any:
        return gettext(context, text, **written(values))

    @pass_context
    def several(context: Context, singular: str, /, *plural_and_num: Any, **values: Any) -> Any:
        return ngettext(context, singular, *plural_and_num, **written({"num": plural_and_num[-1], **values}))

    return {"gettext": one, "ngettext": several}


def _filters(language: Language) -> dict[str, Callable[..., str]]:
    locale = language.locale

    def moment(at: int | dt.datetime) -> dt.datetime:
        return at if isinstance(at, dt.datetime) else dt.datetime.fromtimestamp(at, dt.UTC)

    return {
        "in_language": lambda query, code: "?" + urlencode({**dict(query), "lang": code}),
        "as_json": lambda query: "?" + urlencode({**dict(query), "format": "json"}),
        "number": lambda value: format_decimal(value, locale=locale),
        "percent": lambda value: format_percent(value, "#,##0.0%", locale=locale),
        "day": lambda at: format_date(moment(at), "long", locale=locale),
        "time": lambda at: date_and_time(moment(at), locale),
        "iso": lambda at: moment(at).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "territory": lambda code: place_name(code, locale, translated=translations(language.code).gettext),
        "collection": lambda name: collection_name(name, translated=translations(language.code).gettext),
        "language_name": lambda code: locale.languages.get(code.replace("_", "-").partition("-")[0].lower(), code),
        "span": lambda seconds: format_timedelta(dt.timedelta(seconds=seconds), locale=locale, threshold=1.2),
        "bars": _drawn,
        "columns": _columns,
        "coded": coded,
    }


def date_and_time(at: dt.datetime, locale: Locale) -> str:
    """Return a moment in UTC as a language writes its dates, and the time: both in the order that the language has."""
    day, time = format_date(at, "long", locale=locale), format_time(at, "HH:mm 'UTC'", locale=locale)
    # The patterns for longer forms say "at", which not every language has a word for here.
    return str(get_datetime_format("medium", locale=locale)).replace("{1}", day).replace("{0}", time)


def coded(text: str) -> Markup:
    """Return a line of ours with what stands between backticks as code, and arrows as they are drawn.

    What a policy set says of itself in another language is marked as such: it is read out, and runs, in its own way.
    """
    if said := _IN_A_LANGUAGE.fullmatch(text):
        return Markup('{}<span lang="{}" dir="auto">{}</span>').format(*said.groups())
    safe = str(escape(text.replace(" -> ", " → ")))
    return Markup(_CODE.sub(r"<code>\1</code>", safe))  # noqa: S704 - escaped above


_Rows = Iterable[tuple[str, Sequence[tuple[str, int]]]]


def _drawn(rows: _Rows, title: str, beside: str) -> Markup:
    """Draw a bar chart of rows (label, parts); a part is the class of its colour and its length."""
    return Markup(bars(_plain(title), _bars(rows), beside=_plain(beside)))  # noqa: S704 - escaped there


def _columns(rows: _Rows, title: str, beside: str) -> Markup:
    """Draw a chart of columns of the same."""
    return Markup(columns(_plain(title), _bars(rows), beside=_plain(beside)))  # noqa: S704 - escaped there


def _bars(rows: _Rows) -> list[Bar]:
    return [Bar(_plain(label), list(parts)) for label, parts in rows]


def _plain(text: str) -> str:
    """Return a text as it is read: what a macro made is escaped already, and is escaped where it is drawn."""
    return text.unescape() if isinstance(text, Markup) else text


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """Return a page. Every template can ask for `who`, `language`, `languages`, `here`, `query`, `now`, `controller`.

    `languages` are those that the page can be had in; none for a page that is in English only.
    """
    at_work = template.startswith(IN_ENGLISH)
    language, settings = LANGUAGES[DEFAULT] if at_work else language_of(request), request.app.state.deployment.settings
    with stage("page.render", template=template):
        html = (
            environment(language.code)
            .get_template(template)
            .render(
                who=principal_of(request),
                language=language,
                languages=[] if at_work else list(LANGUAGES.values()),
                here=request.url.path,
                query=request.query_params,
                now=request.app.state.deployment.control.desk.parts.clock(),
                site=settings.site_name,
                controller=controller_of(settings),
                version=__version__,
                **context,
            )
        )
    answer = HTMLResponse(html, status, headers={"content-language": language.code, "vary": VARY})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["retry-after"] = RETRY_S
    answer.headers.update(headers or {})
    if request.query_params.get("lang") in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, language.code, max_age=_YEAR_S, secure=True, httponly=True, samesite="lax")
    return answer


def controller_of(settings: Settings) -> dict[str, str | None]:
    """Return who is responsible for the use of people's content, and how to reach them; None: nobody is named."""
    return {"name": settings.controller_name or None, "contact": settings.controller_contact or None}


def away(request: Request, *, status: int, error: ConsentryError | None = None) -> HTMLResponse:
    """Return the page that sends a member back to their platform, or lets it sign them in.

    What they chose and could not save is kept for their browser, if it was (`pages/member_unsaved.py`).
    """
    oidc = bool(request.app.state.deployment.settings.member_issuer)
    kept: str = getattr(request.state, "unsaved", "")
    answer = page(request, "member/away.html", status=status, error=error, oidc=oidc, kept=bool(kept))
    if kept:
        answer.set_cookie(UNSAVED_COOKIE, kept, max_age=UNSAVED_S, secure=True, httponly=True, samesite="lax")
    return answer


def wants_page(request: Request) -> bool:
    """Say whether somebody looks at this with a browser, rather than a program that asks the interface."""
    return not request.url.path.startswith(("/v1/", "/access/")) and "text/html" in request.headers.get("accept", "")


def wants_document(request: Request, form: str) -> bool:
    """Say whether somebody asks for the document: with `?format=json`, or by accepting JSON and no page."""
    accepted = request.headers.get("accept", "")
    return form == "json" or ("application/json" in accepted and "text/html" not in accepted)


def form_of(request: Request, form: str) -> str:
    """Return in which form something is asked for: a page where it is empty."""
    return "json" if not form and wants_document(request, form) else form


def document(content: Mapping[str, Any]) -> Response:
    """Return a document at an address that has a page for whoever looks at it with a browser."""
    return Response(canonical_json(content), headers={"vary": VARY}, media_type="application/json")
