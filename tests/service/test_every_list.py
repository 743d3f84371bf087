"""Every list of the console is searched, narrowed, sorted, paged and exported, and none is missing here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest

from consentry.accounts.access import Role
from consentry.accounts.webhooks import Webhooks
from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Reach
from consentry.service.site import FOLDER
from end_to_end.test_story import build, say
from service.at_work import POLICY
from service.staff import Office, office
from service.test_authority_lists import PATHS
from service.visitor import words

BY_A_FORM = {"objections"}
"""Searched with a form that is sent, because an address would keep what objectors wrote: `test_objection_queue.py`."""
CONSOLE = {
    "cases": ("olga", "/console/cases"),
    "conditions": ("olga", "/console/conditions"),
    "reports": ("olga", "/console/reports"),
    "orders": ("olga", "/console/orders"),
    "jobs": ("mel", "/console/jobs"),
    "releases": ("olga", "/console/releases"),
    "files": ("audrey", "/console/releases/{release}/files"),
    "amendments": ("olga", "/console/releases/{release}/amendments"),
    "models": ("olga", "/console/models"),
    "losses": ("olga", "/console/models/drafts/losses"),
    "trained_by": ("olga", "/console/models/drafts/jobs"),
    "policies": ("olga", "/console/policies"),
    "proposals": ("olga", "/console/proposals"),
    "notices": ("olga", "/console/notices"),
    "accounts": ("ada", "/console/accounts"),
    "keys": ("ada", "/console/keys"),
    "webhooks": ("ada", "/console/webhooks"),
    "acts": ("audrey", "/console/acts"),
    "overdue": ("olga", "/console/overdue"),
    "timeline": ("olga", "/console/cases/br-1/timeline"),
    "moves": ("olga", "/console/compare-releases/moves?before={release}&after={later}"),
    "servings": ("olga", "/console/notices/told/servings"),
    "deliveries": ("ada", "/console/webhooks/{hook}/deliveries"),
}
SHORT = {
    "case": {"conditions", "reports", "steps", "obstacles", "case.notices.items()"},  # each with what is to be done
    "compare_policies": {"lines"},  # as many as rules
    "explanation": {"found.reasons", "person.reasons"},  # of one decision
    "frame": {"shown"},  # the pages there are
    "model": {"model.why", "certificates"},  # why it is held, and one for each time it was destroyed
    "notice": {"servings", "waiting"},  # the last ones, cut before; the rules and cases that wait for it
    "objections": {"rows"},  # a page of them: `BY_A_FORM`
    "objection": {
        "course",
        "meant",
    },  # what was said in one; the items that somebody typed, shown before they are excluded
    "parts": {"named", "rows", "releases"},  # counts by country, category and reason; what a page cut before
    "people": {"choices.rows", 'found["items"]', "found.gaps"},  # a page of them; by category, and four at most
    "policy_parts": {"rows", "found", "unsaid", "lines"},  # fifteen and the rest; as many as examples, languages, rules
    "propose_policy": {"problems"},  # of a text that does not parse: cut before
    "release": {"gaps"},  # by what is not known: four
    "sessions": {"sessions"},  # one's own
    "webhook": {"rows"},  # the last deliveries, cut before
}
"""Rows of the console that are few by nature, or cut before they come to their page. Any other is a list."""
SHORT_FOR_AN_AUTHORITY = {
    "file": {"waiting.items()"},  # cases that wait for their signature
    "case": {"doc.in_the_way"},  # what is missing
    "pieces": {"rows"},  # reports: the macro cuts them
    "start": {"doc.signing_key.changes | reverse"},  # as often as the key was changed
}
WITHOUT_ADDRESS = {("people", "rows | length, MOST")}
"""What is known of a person is at no address: the form is sent once more for all of it."""


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    """Something in every list."""
    with office() as made:
        control = made.deployment.control
        control.leases.grant(made.release, job="job-1", model="drafts")
        say(made.deployment, "br", reach=Reach.EVERYTHING)
        control.releases.data_files(made.release)
        control.orders.suspend(
            Scope(areas=frozenset({"BR"})), case="br-1", origin=Origin.OWN_DECISION, reference="letter", by="olga"
        )
        control.notices.write("told", b"Text", languages=["en"], channel="mail", audience="all", by="olga")
        person = made.deployment.person("gb")
        control.notices.serve("told", [person], at=control.desk.parts.clock())
        control.reports.schedule("br-1", "first", title="What was done", due=1, by="olga")
        control.proposals.propose(shipped()["november-2025"], reason="newer", by="olga")
        with made.deployment.admission() as admission:
            admission.add_key("trainer", roles=frozenset({Role.WORKLOAD}), by="ada")
            hooks = Webhooks(admission.web, clock=control.desk.parts.clock)
            hook = hooks.add("https://hooks.example/x", kinds=frozenset({"order.issued"}), by="ada", position=0)
        asked: dict[str, Any] = {"title": "Asked", "owner": "olga", "due": 1, "check": None, "policy": None}
        control.conditions.add(ConditionAdded(case="br-1", condition="asked", by="olga", parameters=(), **asked))
        made.places = {"release": made.release, "later": _later(made), "hook": hook.ident}  # type: ignore[attr-defined]
        yield made


def _later(made: Office) -> str:
    """Build a release in which somebody is left out who was in the first."""
    say(made.deployment, "us")
    return build(made.deployment, POLICY)


def _with(path: str, asked: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{asked}"


def test_no_list_is_missing() -> None:
    pages = {path.stem: path.read_text("utf-8") for path in (FOLDER / "templates" / "console").glob("*.html")}
    lists = {name for name, text in pages.items() if "parts.listing(" in text}
    assert lists == {name if name != "files" else "release_files" for name in CONSOLE}
    assert dict(_rows_of("console")) == SHORT
    pages = {path.stem: path.read_text("utf-8") for path in (FOLDER / "templates" / "authority").glob("*.html")}
    assert {name for name, text in pages.items() if "parts.listing(" in text} == set(PATHS)
    assert dict(_rows_of("authority")) == SHORT_FOR_AN_AUTHORITY


def test_whatever_is_cut_leads_to_all_of_it() -> None:
    cut = r"show\.(?:cut|whole|first)\(((?:[^()]|\([^()]*\))*)\)"
    found = {
        (path.stem, given)
        for folder in ("console", "authority")
        for path in (FOLDER / "templates" / folder).glob("*.html")
        for given in re.findall(cut, path.read_text("utf-8"))
    }
    assert len(found) > len(WITHOUT_ADDRESS)
    assert {(page, given) for page, given in found if given.count(",") < 2} == WITHOUT_ADDRESS


def _rows_of(folder: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each page with what the rows of its tables and lists are, where neither a slice nor a listing bounds them.

    A page that slices them has to say so, and where all of them are.
    """
    for path in (FOLDER / "templates" / folder).glob("*.html"):
        text = path.read_text("utf-8")
        rows = re.findall(r"<(?:tbody|ul|ol)\b[^>]*>\s*{% for [^%]*? in ([^%]*?)(?: if [^%]*)? %}", text)
        sliced = {each for each in rows if re.search(r"\[-?:?-?(?:\d+|MOST):?\]$", each)}
        if unbounded := set(rows) - sliced:
            yield path.stem, unbounded


@pytest.mark.parametrize("name", sorted(CONSOLE))
def test_a_list_does_what_every_list_does(place: Office, name: str) -> None:
    handle, path = CONSOLE[name]
    path, visitor = path.format(**place.places), place.visitor(handle)  # type: ignore[attr-defined]
    rows = visitor.get(_with(path, "format=json")).json()[name]
    assert rows
    answer = visitor.get(_with(path, "format=csv"))
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.csv"'
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert (len(table), set(table[0])) == (len(rows), set(rows[0]))
    assert visitor.get(_with(path, "q=no-such-word-anywhere&format=json")).json() == {name: []}
    for column in rows[0]:
        there, back = (visitor.get(_with(path, f"sort={sign}{column}&format=json")).json()[name] for sign in ("", "-"))
        assert [row[column] for row in there] == [row[column] for row in back][::-1], column
    assert visitor.get(path, accept="application/json").json()[name] == rows, "without a word in the address"
    shown = visitor.get(path)
    for form, kind in (("json", "application/json"), ("csv", "text/csv")):
        (link,) = re.findall(rf'<link rel="alternate" type="{kind}" href="([^"]+)">', shown.text)
        assert link.endswith(f"format={form}")
    assert "accept" in shown.headers["vary"].split(", ")
    assert 'type="search"' in shown.text
    assert "aria-sort" in shown.text
    assert f"{len(rows)} row" in words(shown)
    for column in re.findall(r'<select id="by-([a-z_]+)"', shown.text):
        value = next(str(each) for row in rows for each in _texts(row[column]))
        narrowed = visitor.get(_with(path, f"{column}={value}&format=json")).json()[name]
        assert narrowed
        assert all(value in _texts(row[column]) for row in narrowed)


def _texts(value: object) -> list[str]:
    return [] if value is None else [str(each) for each in value] if isinstance(value, list) else [str(value)]


@pytest.mark.parametrize("name", sorted(BY_A_FORM))
def test_a_list_that_is_searched_by_a_form_is_exported_too(place: Office, name: str) -> None:
    sam = place.visitor("sue")
    assert name in sam.get(f"/console/{name}?format=json&state=all").json()
    assert sam.get(f"/console/{name}?format=csv").headers["content-type"].startswith("text/csv")
