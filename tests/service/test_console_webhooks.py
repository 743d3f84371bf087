"""Webhooks in the console: made with a secret that is shown once, watched, sent once more, removed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from consentry.accounts.access import Role
from consentry.accounts.webhooks import Webhooks
from consentry.bootstrap import Deployment
from consentry.policy.library import shipped
from consentry.service.gate import COOKIE
from consentry.service.pages.console_webhooks import sent_before
from service import test_webhooks as webhooks
from service.at_work import Caller, in_thread, until
from service.visitor import Visitor, words

deployment = webhooks.deployment
STAFF = {"ada": Role.ADMINISTRATOR, "olga": Role.PRIVACY_OFFICER}


@contextmanager
def served(deployment: Deployment) -> Iterator[dict[str, Visitor]]:
    with deployment.admission() as admission, in_thread(deployment) as ask:
        for handle, role in STAFF.items():
            admission.add(handle, roles=frozenset({role}), password="")
        yield {
            handle: Visitor(ask.url, {COOKIE: admission.admit(handle, subject=f"https://idp.example/#{handle}")})
            for handle in STAFF
        }


def test_one_is_made_delivers_and_is_sent_once_more(deployment: Deployment) -> None:
    with webhooks.receiver() as found, served(deployment) as staff:
        ada = staff["ada"]
        assert "Nothing is sent to anybody yet" in words(ada.get("/console/webhooks"))
        made = ada.post("/console/webhooks", {"url": found.url, "kinds": "policy.published"})
        secret = re.search(r"<code>(whsec_[^<]+)</code>", made.text)
        assert secret is not None
        assert secret[1] not in ada.get("/console/webhooks").text, "shown once"
        (row,) = ada.get("/console/webhooks?format=json").json()["webhooks"]
        assert (row["url"], row["kinds"], row["made_by"]) == (found.url, ["policy.published"], "ada")
        path = f"/console/webhooks/{row['webhook']}"
        assert "Nothing that it wants was delivered lately" in words(ada.get(path))
        deployment.control.statements.publish(shipped()["august-2024"], "p")
        until(lambda: len(found.got) == 1)
        until(lambda: "up to date" in words(ada.get(path)))
        page = ada.get(path)
        assert "policy.published" in words(page).partition("Delivered last")[2]
        assert secret[1] not in page.text
        again = re.search(r'action="([^"]+/replay)"><input type="hidden" name="position" value="(\d+)"', page.text)
        assert again is not None
        assert "sent once more" in words(ada.follow(ada.post(again[1], {"position": again[2]})))
        until(lambda: len(found.got) == 2)
        assert found.seen[0][0]["webhook-id"] == found.seen[1][0]["webhook-id"]
        assert ada.post(f"{path}/replay", {"position": "later"}).status_code == 422
        exchanged = ada.post(f"{path}/exchange")
        other = re.search(r"<code>(whsec_[^<]+)</code>", exchanged.text)
        assert other is not None
        assert other[1] != secret[1]
        assert "signed with a new secret from now on" in words(exchanged)
        assert other[1] not in ada.get(path).text, "shown once"
        assert ada.post(f"{path}/remove").status_code == 303
        assert ada.get(path).status_code == 404
        assert ada.post(f"{path}/replay", {"position": "0"}).status_code == 404
        assert ada.post(f"{path}/exchange").status_code == 404


def test_what_was_before_a_webhook_was_not_delivered_to_it(deployment: Deployment) -> None:
    control = deployment.control
    control.statements.publish(shipped()["august-2024"], "p")
    with deployment.admission() as admission:
        clock = control.desk.parts.clock
        hooks = Webhooks(admission.web, clock=lambda: clock() + 10)
        made = hooks.add("https://receiver.example/", kinds=frozenset(), by="ada", position=deployment.ledger.head())
    assert sent_before(control, made) == []
    assert sent_before(control, replace(made, made_at=made.made_at - 3600)), "it would be found"


def test_one_that_fails_says_why_and_when_it_is_tried_again(deployment: Deployment) -> None:
    with webhooks.receiver() as found, served(deployment) as staff:
        ada = staff["ada"]
        found.answers = [500] * 50
        ada.post("/console/webhooks", {"url": found.url})
        (row,) = ada.get("/console/webhooks?format=json").json()["webhooks"]
        deployment.control.statements.publish(shipped()["august-2024"], "p")
        until(lambda: "failing" in words(ada.get("/console/webhooks")))
        text = words(ada.get(f"/console/webhooks/{row['webhook']}"))
        assert "status 500" in text
        assert "The next one is at" in text
        assert "policy.published" in text.partition("Sent next")[2]


def test_no_choice_says_whose_it_is_and_nobody_else_looks(deployment: Deployment) -> None:
    with webhooks.receiver() as found, served(deployment) as staff:
        ada = staff["ada"]
        ada.post("/console/webhooks", {"url": found.url})
        (row,) = ada.get("/console/webhooks?format=json").json()["webhooks"]
        path = f"/console/webhooks/{row['webhook']}"
        ask = Caller(ada.url, "")
        webhooks.refuse(ask, deployment, "somebody-real")
        until(lambda: len(found.got) == 1)
        until(lambda: "choice.recorded" in words(ada.get(path)))
        assert deployment.person("somebody-real") not in ada.get(path).text
        for address in ("/console/webhooks", path):
            assert staff["olga"].get(address).status_code == 403
        assert staff["olga"].post("/console/webhooks", {"url": found.url}).status_code == 403
        assert Visitor(ada.url).get(path).status_code == 303


@pytest.mark.parametrize(
    "form", [{"url": "ftp://x"}, {"url": "https://a:b@example.com/"}, {"url": "https://x", "kinds": "nonsense"}]
)
def test_what_cannot_be_sent_is_refused_and_stays_in_the_form(deployment: Deployment, form: dict[str, str]) -> None:
    with served(deployment) as staff:
        answer = staff["ada"].post("/console/webhooks", form)
        assert answer.status_code == 422
        assert f'value="{form["url"]}"' in answer.text
        assert "Nothing is sent to anybody yet" in words(answer)
