"""Lists of ten thousand rows: a page of them is small and soon there, and all of it can be had."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator

import httpx2
import pytest

from service.many_rows import ACCOUNTS, MANY, POLICIES, RELEASES, Full, full
from service.members import token_for
from service.staff import STAFF
from service.test_authority_lists import PATHS as OF_AN_AUTHORITY
from service.test_every_list import CONSOLE
from service.visitor import Visitor, words

pytestmark = pytest.mark.slow
LISTS: dict[str, tuple[str, str, int]] = {
    "cases": ("olga", "/console/cases", MANY),
    "conditions": ("olga", "/console/conditions", MANY),
    "reports": ("olga", "/console/reports", MANY),
    "orders": ("olga", "/console/orders", MANY),
    "jobs": ("mel", "/console/jobs", MANY),
    "releases": ("olga", "/console/releases", RELEASES),
    "models": ("olga", "/console/models", MANY + 1),
    "trained_by": ("olga", "/console/models/drafts/jobs", MANY),
    "policies": ("olga", "/console/policies", POLICIES + 1),
    "proposals": ("olga", "/console/proposals", MANY),
    "notices": ("olga", "/console/notices", MANY + 1),
    "servings": ("olga", "/console/notices/told/servings", MANY),
    "accounts": ("ada", "/console/accounts", ACCOUNTS + len(STAFF)),
    "keys": ("ada", "/console/keys", ACCOUNTS),
    "overdue": ("olga", "/console/overdue", 0),
    "timeline": ("olga", "/console/cases/case-0/timeline", 0),
    "deliveries": ("ada", "/console/webhooks/{hook}/deliveries", 0),
    "choices": ("us", "/me/history", MANY),
    "look_ups": ("us", "/me/look-ups", MANY),
    "items": ("us", "/me/items", MANY),
}
"""Who sees it, where, and how many rows it has; 0: some thousands, of several kinds."""
SHORT = {"files", "amendments", "losses", "moves", "webhooks"}
"""As many as files, refusals, rules and servers: a few."""
ELSEWHERE = {"acts"}
"""A hundred thousand here; of ten thousand it is looked at in a browser (`tests/browser/places.py`)."""
NONE_HERE = {"models", "notices"}
"""Of an authority: nothing of its people was trained on here, and none of its cases requires a notice."""
OTHERS = {
    "overview": ("olga", "/console/overview"),
    "case": ("olga", "/console/cases/case-0"),
    "suspend": ("olga", "/console/suspend"),
    "release": ("olga", "/console/releases/{release}"),
    "compare-releases": ("olga", "/console/compare-releases?before={before}&after={release}"),
    "model": ("olga", "/console/models/drafts"),
    "compare-policies": ("olga", "/console/compare-policies"),
    "propose-policy": ("olga", "/console/propose-policy"),
    "objections": ("sue", "/console/objections"),
    "notice": ("olga", "/console/notices/told"),
    "webhook": ("ada", "/console/webhooks/{hook}"),
    "authority": ("ico", "/authority"),
    "authority-case": ("ico", "/authority/cases/case-0"),
    "authority-file": ("ico", "/authority/file"),
    "transparency": ("", "/transparency"),
    "settings": ("us", "/me"),
    "uses": ("us", "/me/uses"),
}
"""Pages that are no list, and lead to some."""
PAGE_BYTES, PAGE_S = 150_000, 5.0
"""The largest page, and the seconds of a processor it may take. Most take a tenth of one; models are worked out one by
one."""


@pytest.fixture(scope="module")
def place() -> Iterator[Full]:
    with full() as made:
        yield made


@pytest.fixture(scope="module")
def visitors(place: Full) -> dict[str, Visitor]:
    """Return somebody of each kind, for whom the server has worked out once what it keeps."""
    found = {name: place.visitor(name) for name in ("", *STAFF)}
    member = found["us"] = Visitor(place.ask.url)
    assert member.get(f"/me/enter?token={token_for(place.deployment, 'us')}").status_code == 303
    return found


def look(place: Full, visitors: dict[str, Visitor], who: str, path: str) -> httpx2.Response:
    """Ask for a page, and hold what came to its bounds."""
    began = time.process_time()
    answer = visitors[who].get(path.format(**place.places))
    took = time.process_time() - began
    assert answer.status_code == 200, words(answer)[:300]
    assert len(answer.content) < PAGE_BYTES
    assert took < PAGE_S, "of the processor, for the server and whoever asks: both run here"
    return answer


def with_query(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}"


@pytest.mark.parametrize("name", LISTS)
def test_a_page_of_a_long_list_is_small_and_soon_there(place: Full, visitors: dict[str, Visitor], name: str) -> None:
    who, path, count = LISTS[name]
    rows = visitors[who].get(with_query(path, "format=json").format(**place.places)).json()[name]
    assert len(rows) == count or (not count and len(rows) > MANY // 4)
    away = visitors[who].get(with_query(path, "format=csv").format(**place.places))
    assert len(list(csv.DictReader(io.StringIO(away.text)))) == len(rows)
    number = "number" if name == "items" else "page"
    for query in (f"{number}={len(rows)}&sort=-{next(iter(rows[0]))}", "q=7"):
        look(place, visitors, who, with_query(path, query))


@pytest.mark.parametrize("name", sorted(set(OF_AN_AUTHORITY) - NONE_HERE))
def test_so_is_one_of_an_authority(place: Full, visitors: dict[str, Visitor], name: str) -> None:
    path = OF_AN_AUTHORITY[name].replace("ico-1", "case-0").replace("uk-1", "case-0")
    rows = visitors["ico"].get(f"{path}?format=json").json()[name]
    assert rows
    look(place, visitors, "ico", f"{path}?page={len(rows)}&sort={next(iter(rows[0]))}")


@pytest.mark.parametrize("name", OTHERS)
def test_so_are_the_pages_that_lead_there(place: Full, visitors: dict[str, Visitor], name: str) -> None:
    look(place, visitors, *OTHERS[name])


def test_what_is_sent_by_a_form_is_small_too(visitors: dict[str, Visitor]) -> None:
    forms = {
        ("sue", "/console/people"): {"person": "us", "reason": "ticket 1"},
        ("sue", "/console/objections"): {"q": "post 99"},
        ("olga", "/console/suspend"): {"case": "new", "reference": "letter", "areas": "US"},
    }
    for (who, path), given in forms.items():
        began = time.process_time()
        answer = visitors[who].post(path, given)
        assert answer.status_code == 200, words(answer)
        assert len(answer.content) < PAGE_BYTES, path
        assert time.process_time() - began < PAGE_S, path


def test_no_list_is_missing() -> None:
    assert set(CONSOLE) <= set(LISTS) | SHORT | ELSEWHERE
