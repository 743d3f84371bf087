"""A deployment of members with content in every state, a browser for each of them, and what they press there."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from consentry.accounts.member_link import LinkKeys, claims_for
from consentry.bootstrap import Deployment
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release.snapshot import Use
from end_to_end.network import RawItem, RawPerson, made_once, write_corpus, write_people
from end_to_end.test_story import BEFORE, NOW
from service.at_work import POLICY, in_thread
from service.visitor import Visitor, words

NEW_POST = Use(Purpose.TRAIN_GENAI, Category.POST, Visibility.PUBLIC)
VERSION = "what-we-use/1"
HOSTILE = "<script>alert(1)</script>'\"><img src=x onerror=alert(1)>"
PEOPLE = (
    RawPerson(id="us"),
    RawPerson(id="us2"),
    RawPerson(id="gb", country="GB"),
    RawPerson(id="de", country="DE"),
    RawPerson(id="kid", age="minor"),
    RawPerson(id="noage", age=None),
    RawPerson(id="nowhere", country=None),
    RawPerson(id="empty"),
    RawPerson(id="gone", account="closed"),
    RawPerson(id="one", country="CA"),
    RawPerson(id="other", country="CA", same_as="one"),
)
ITEMS = (
    RawItem(id="u1", author="us", created=BEFORE),
    RawItem(id="u2", author="us", category="comment", created=BEFORE + 5, involves=("us2",)),
    RawItem(id=HOSTILE, author="us", category="direct-message", created=BEFORE + 9),
    RawItem(id="v1", author="us2", created=BEFORE),
    RawItem(id="g1", author="gb", created=BEFORE),
    RawItem(id="d1", author="de", created=BEFORE),
    RawItem(id="k1", author="kid", created=BEFORE),
    RawItem(id="n1", author="noage", created=BEFORE),
    RawItem(id="w1", author="nowhere", created=BEFORE),
)
Come = Callable[..., Visitor]


def token_for(deployment: Deployment, person: str, **changed: Any) -> str:
    control, settings = deployment.control, deployment.settings
    claims = claims_for(person, audience=settings.audience, now=control.desk.parts.clock(), facts={})
    return LinkKeys(settings.home / "keys").signed({**claims, **changed})


def members(folder: Path, deployment: Deployment) -> None:
    """Fill a deployment."""
    control = deployment.control
    control.statements.register_corpus(write_corpus(folder, [ITEMS[:4], ITEMS[4:]]))
    control.statements.load_people(write_people(folder / "people", PEOPLE))
    control.statements.publish(shipped()[POLICY], POLICY)
    release = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
    control.models.register("drafts", releases=[release])


@pytest.fixture
def place() -> Iterator[tuple[Deployment, Come, str]]:
    with made_once(members) as (_, deployment, _none), in_thread(deployment) as ask:

        def come(person: str, **facts: Any) -> Visitor:
            visitor = Visitor(ask.url)
            answer = visitor.get(f"/me/enter?token={token_for(deployment, person, **facts)}")
            assert answer.status_code == 303, words(answer)
            assert answer.headers["location"].startswith("/me")
            assert "token" not in answer.headers["location"]
            return visitor

        yield deployment, come, ask.url


def no(visitor: Visitor, **more: str) -> str:
    answer = visitor.post("/me/choices", {"purpose": "train-genai", "answer": "no", **more})
    assert answer.status_code == 303, words(answer)
    return str(answer.headers["location"])


def shown(visitor: Visitor, purpose: str = "train-genai") -> dict[str, str]:
    """Return the field in which the forms about a use say how everything stands when the pages are opened."""
    pages = [visitor.get("/me").text, visitor.get(f"/me/items?purpose={purpose}").text]
    forms = [form for page in pages for form in re.findall(r'(?s)<form [^>]*action="/me/choices".*?</form>', page)]
    found = [re.findall(r'name="shown" value="([^"]*)"', form) for form in forms if f'value="{purpose}"' in form]
    return {"shown": " ".join(html.unescape(text) for each in found for text in each)}


def read(visitor: Visitor) -> dict[str, str]:
    """Return the fields of somebody who has looked at how it stands, and has read what the page shows before a yes."""
    found = re.search(r'name="version" value="([^"]*)"', visitor.get("/me").text)
    return shown(visitor) | ({"read": "yes", "version": html.unescape(found[1])} if found else {})


def yes(visitor: Visitor, **more: str) -> str:
    answer = visitor.post("/me/choices", {"purpose": "train-genai", "answer": "yes", **read(visitor), **more})
    assert answer.status_code == 303, words(answer)
    return str(answer.headers["location"])


def one_item(item: str, number: int, answer: str) -> dict[str, str]:
    return {f"corpus-{number}": "network", f"item-{number}": item, f"answer-{number}": answer}


def main_of(text: str) -> str:
    return text[text.index("<main") : text.index("</main>")]


def form_of(page: httpx2.Response, **changed: str) -> dict[str, str]:
    """Return the hidden fields of the first form that records a choice, and what is chosen in it."""
    form = page.text.partition('action="/me/choices"')[2].partition("</form>")[0]
    return {**dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)), **changed}


def ended(visitor: Visitor) -> Visitor:
    """End the session of a visitor, in whose browser the page is still open."""
    kept = dict(visitor.cookies)
    visitor.post("/sign-out")
    visitor.cookies = kept
    assert visitor.get("/me").status_code == 401
    return visitor


def again(deployment: Deployment, visitor: Visitor, person: str) -> httpx2.Response:
    """Come in once more by a link in the same browser, and return the page it leads to."""
    return visitor.follow(visitor.get(f"/me/enter?token={token_for(deployment, person)}"))


def waiting_on(page: httpx2.Response) -> list[str]:
    """Return what a page says of each form that waits."""
    notice = page.text.partition('<div class="notice hold" role="status">')[2].partition("<form")[0]
    return [re.sub(r"<[^>]+>", "", each).strip() for each in re.findall(r"(?s)<p>(.*?)</p>", notice)][1:]
