"""Webhooks arrive signed, in order, and all of them: at a receiver that fails, hangs, goes away and comes back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from consentry.accounts.access import Role
from consentry.accounts.webhooks import Webhooks
from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import NotFoundError
from consentry.ledger.objection_events import LawfulGround
from consentry.oversight.authority_statement import Signatory
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose
from consentry.service import deliveries
from consentry.service.gate import COOKIE
from service.at_work import Caller, in_thread, platform_key, said, until


@dataclass
class Receiver:
    """Takes what is sent, or does not: `answers` says what it does with the next ones."""

    answers: list[int | str] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            found.seen.append(({name.lower(): value for name, value in self.headers.items()}, content))
            answer = found.answers.pop(0) if found.answers else 204
            if answer == "hang":
                time.sleep(3)
                return
            if answer in {204, "endless"}:
                found.got.append(json.loads(content))
            self.send_response(200 if isinstance(answer, str) else answer)
            if answer == "drip":  # never long enough without a byte for one read to give up
                self._slowly(b"x-more: 1\r\n")
            self.end_headers()
            if answer == "endless":
                self._slowly(b"x" * 65_536)

        def _slowly(self, part: bytes) -> None:
            with suppress(OSError):
                self.flush_headers()
                for _ in range(30):
                    self.wfile.write(part)
                    time.sleep(0.1)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook?a=1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    monkeypatch.setenv("CONSENTRY_WEBHOOK_PRIVATE", "true")
    plain = deliveries.Deliveries.__init__
    monkeypatch.setattr(
        deliveries.Deliveries, "__init__", lambda self, *a, **k: plain(self, *a, **{**k, "pace": 0.05, "timeout": 0.5})
    )
    found = open_deployment(tmp_path / "home", embedded=True)
    yield found
    found.close()


def hooked(deployment: Deployment, url: str, kinds: frozenset[str] = frozenset()) -> tuple[str, str]:
    with deployment.admission() as admission:
        hooks = Webhooks(admission.web, clock=deployment.control.desk.parts.clock)
        made = hooks.add(url, kinds=kinds, by="adam", position=deployment.ledger.head())
    return made.ident, made.secret


def refuse(ask: Caller, deployment: Deployment, person: str) -> None:
    body = {"choices": [{"person": person, "purpose": "train-ai", "state": "refused"}]}
    assert ask("POST", "/v1/choices", body, token=platform_key(deployment)).status == 201


def test_what_happens_is_sent_signed_and_by_pseudonym(deployment: Deployment) -> None:
    with receiver() as found, in_thread(deployment) as ask:
        _, secret = hooked(deployment, found.url)
        deployment.control.statements.publish(shipped()["august-2024"], "p")
        refuse(ask, deployment, "somebody-real")
        until(lambda: len(found.got) == 2)
    assert [each["type"] for each in found.got] == ["policy.published", "choice.recorded"]
    assert found.got[1]["data"]["person"] == deployment.person("somebody-real")
    headers, content = found.seen[1]
    assert b"somebody-real" not in content
    assert is_signed(headers, content, secret)
    assert headers["host"] in found.url


def test_a_signature_is_that_of_the_example_of_standard_webhooks() -> None:
    found = deliveries.signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        at=1614265330,
    )
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def is_signed(headers: dict[str, str], content: bytes, secret: str) -> bool:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == f"v1,{right}"


def test_what_waits_is_sent_with_the_new_secret_after_an_exchange(deployment: Deployment) -> None:
    home = deployment.settings.home
    with receiver() as found, in_thread(deployment) as ask:
        ident, old = hooked(deployment, found.url)
        found.answers = [401] * 1000
        for person in ("a", "b", "c"):
            refuse(ask, deployment, person)
        until(lambda: len(found.seen) > 2)
        new = said(home, "webhook", "exchange", ident).split()[-1]
        found.answers = []
        until(lambda: len(found.got) == 3, 20)
    assert [each["data"]["person"] for each in found.got] == [deployment.person(each) for each in ("a", "b", "c")]
    assert new.startswith("whsec_")
    assert new != old
    assert all(is_signed(*each, old) for each in found.seen[:2])
    assert all(is_signed(*each, new) for each in found.seen[-3:])
    with pytest.raises(NotFoundError, match="webhook-unknown"):
        said(home, "webhook", "exchange", "no-such")


def test_figures_say_that_one_fails_and_how_far_it_is_behind(deployment: Deployment) -> None:
    def figures() -> dict[str, float]:
        lines = httpx2.get(f"{ask.url}/metrics", headers={"authorization": f"Bearer {ask.token}"}).text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}

    with receiver() as found, in_thread(deployment) as ask:
        assert figures()["consentry_webhook_events_behind"] == 0
        hooked(deployment, found.url)
        hooked(deployment, "https://127.0.0.1:1/", frozenset({"order.issued"}))
        found.answers = [500] * 1000
        for _ in range(3):
            deployment.control.statements.publish(shipped()["august-2024"], "p")
        until(lambda: figures()['consentry_webhooks{state="failing"}'] == 1)
        until(lambda: figures()['consentry_webhooks{state="up to date"}'] == 1)
        assert figures()["consentry_webhook_events_behind"] == 3
        found.answers = []
        until(lambda: figures()['consentry_webhooks{state="up to date"}'] == 2, 20)
        assert figures()['consentry_webhooks{state="failing"}'] == 0
        assert figures()["consentry_webhook_events_behind"] == 0
        filed = deployment.control.objections.file("me", answer_to="me")
        assert figures()['consentry_objections_waiting{overdue="no"}'] == 1
        clock = deployment.control.desk.parts.clock
        object.__setattr__(deployment.control.desk.parts, "clock", lambda: clock() + 40 * 86_400)
        assert figures()['consentry_objections_waiting{overdue="yes"}'] == 1
        assert filed.objection not in str(figures())


def test_nothing_is_lost_by_a_receiver_that_fails_and_hangs(deployment: Deployment) -> None:
    with receiver() as found, in_thread(deployment) as ask:
        hooked(deployment, found.url)
        found.answers = [500, "hang", 302]
        for person in ("a", "b", "c"):
            refuse(ask, deployment, person)
        until(lambda: len(found.got) == 3, 40)
    people = [deployment.person(each) for each in ("a", "b", "c")]
    assert [each["data"]["person"] for each in found.got] == people
    ids = [headers["webhook-id"] for headers, _ in found.seen]
    assert len(set(ids)) == 3, "what is sent again has the same id"


def test_an_answer_without_an_end_holds_up_nothing(deployment: Deployment) -> None:
    with receiver() as found, in_thread(deployment) as ask:
        hooked(deployment, found.url)
        found.answers = ["endless"]
        refuse(ask, deployment, "a")
        until(lambda: len(found.got) == 1)
        refuse(ask, deployment, "b")
        until(lambda: len(found.got) == 2, 2)
    assert [each["data"]["person"] for each in found.got] == [deployment.person(each) for each in ("a", "b")]


def test_an_answer_that_drips_is_given_up(deployment: Deployment) -> None:
    with receiver() as found, in_thread(deployment) as ask:
        ident, _ = hooked(deployment, found.url)
        found.answers = ["drip"]
        refuse(ask, deployment, "a")
        with deployment.admission() as admission:
            until(lambda: any(each.ident == ident and each.failures for each in admission.web.endpoints()), 2)
        until(lambda: len(found.got) == 1, 40)
    assert {each["data"]["person"] for each in found.got} == {deployment.person("a")}
    ids = [headers["webhook-id"] for headers, _ in found.seen]
    assert len(ids) > 1, "it was sent again"
    assert len(set(ids)) == 1, "and is the same"


def test_nothing_is_lost_over_a_restart(deployment: Deployment) -> None:
    with receiver() as found:
        hooked(deployment, found.url)
        deployment.control.statements.publish(shipped()["august-2024"], "p")
        with in_thread(deployment) as ask:
            refuse(ask, deployment, "a")
            until(lambda: len(found.got) == 2)
        deployment.control.statements.publish(shipped()["august-2024"], "p")
        with in_thread(deployment):
            until(lambda: len(found.got) == 3)
    assert [each["data"]["position"] for each in found.got] == [0, 1, 2]


def test_an_endpoint_gets_the_kinds_it_wants_and_can_have_them_again(deployment: Deployment) -> None:
    home = deployment.settings.home
    with receiver() as found, in_thread(deployment) as ask:
        ident, _ = hooked(deployment, found.url, frozenset({"policy.published"}))
        refuse(ask, deployment, "a")
        deployment.control.statements.publish(shipped()["august-2024"], "p")
        until(lambda: len(found.got) == 1)
        assert "policy.published" in said(home, "webhook", "list")
        said(home, "webhook", "replay", ident, "--from", "0")
        until(lambda: len(found.got) == 2)
        assert [each["type"] for each in found.got] == ["policy.published"] * 2
        assert found.seen[0][0]["webhook-id"] == found.seen[1][0]["webhook-id"]
        said(home, "webhook", "remove", ident)
        assert said(home, "webhook", "list") == "No webhooks.\n"


def test_objections_statements_and_proposals_are_told_without_a_word_of_anybody(deployment: Deployment) -> None:
    control = deployment.control
    scope = Scope(areas=frozenset({"UK"}), purposes=frozenset({Purpose.TRAIN_GENAI}))
    with receiver() as found, in_thread(deployment):
        hooked(deployment, found.url)
        filed = control.objections.file("link of zoe", answer_to="zoe@example.org", reason="because of me")
        control.objection_queue.take(filed.objection, by="olga")
        control.objection_queue.note(filed.objection, text="a note for the others", by="olga")
        ground = LawfulGround.MANIFESTLY_UNFOUNDED
        control.objection_queue.decline(filed.objection, ground=ground, explanation="It is advertising.", by="olga")
        who = Signatory(handle="ico", areas=frozenset({"UK"}))
        control.authority.raise_concern(who=who, case="ico-2026", reference="RFA-1", scope=scope)
        control.proposals.propose(shipped()["august-2024"], reason="It is time.", by="olga")
        until(lambda: any(each["type"] == "policy.proposed" for each in found.got))
    types = [each["type"] for each in found.got]
    assert [each for each in types if each.startswith("objection.")] == [
        "objection.received",
        "objection.taken",
        "objection.declined",
    ]
    assert {"statement.filed", "policy.proposed"} <= set(types)
    for each in found.got:
        if each["type"].startswith("objection."):
            assert each["data"] == {"position": each["data"]["position"], "objection": filed.objection}
    content = b"".join(content for _, content in found.seen)
    assert not any(word in content for word in (b"zoe", b"because of me", b"advertising", b"a note for the others"))


def test_nothing_is_sent_into_a_network_of_ones_own(tmp_path: Path) -> None:
    deployment = open_deployment(tmp_path / "home", embedded=True)
    with receiver() as found, in_thread(deployment):
        hooked(deployment, found.url)
        hooked(deployment, found.url.replace("127.0.0.1", "localhost"))
        deployment.control.statements.publish(shipped()["august-2024"], "p")
        with deployment.admission() as admission:
            until(lambda: all(each.error == "private address" for each in admission.web.endpoints()))
            assert [each.error for each in admission.web.endpoints()] == ["private address"] * 2
    deployment.close()
    assert not found.seen


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "0.0.0.0",
     "224.0.0.1", "fd00::1", "100.64.0.1", "fec0::1", "2002:7f00:1::", "192.0.0.8", "192.0.0.9", "192.88.99.1",
     "3fff::1", "2620:4f:8000::42", "192.175.48.6", "192.31.196.1", "192.52.193.1", "5f00::1", "64:ff9b::a01:203",
     "64:ff9b:1::1"],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert deliveries.is_private(address)


def test_public_addresses() -> None:
    assert not deliveries.is_private("93.184.216.34")
    assert not deliveries.is_private("2606:2800:220:1:248:1893:25c8:1946")
    assert not deliveries.is_private("64:ff9b::5db8:d822")
    assert not deliveries.is_private("192.0.1.1")


def test_administrators_manage_them(deployment: Deployment) -> None:
    with deployment.admission() as admission:
        admission.add("adam", roles=frozenset({Role.ADMINISTRATOR}), password="")
        headers = {
            "cookie": f"{COOKIE}={admission.admit('adam', subject='https://idp.example/#adam')}",
            "sec-fetch-site": "same-origin",
        }
    with in_thread(deployment) as ask, httpx2.Client(base_url=ask.url, headers=headers) as adam:
        made = adam.post("/v1/webhooks", json={"url": "https://example.org/hook", "kinds": ["order.issued"]}).json()
        assert made["secret"].startswith("whsec_")
        (shown,) = adam.get("/v1/webhooks").json()["webhooks"]
        assert "secret" not in shown
        asked = {"url": "https://example.org/other", "kinds": ["order.issued"]}
        key = {"idempotency-key": "w-1"}
        first, again = (adam.post("/v1/webhooks", json=asked, headers=key) for _ in range(2))
        assert again.status_code == 201
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json() == {**first.json(), "secret": None}
        assert len(adam.get("/v1/webhooks").json()["webhooks"]) == 2, "done once"
        exchanged = adam.post(f"/v1/webhooks/{made['webhook']}/secret").json()
        assert exchanged == {**made, "secret": exchanged["secret"]}
        assert exchanged["secret"] != made["secret"]
        assert adam.post("/v1/webhooks/none/secret").json()["code"] == "webhook-unknown"
        assert adam.post(f"/v1/webhooks/{made['webhook']}/replay", json={"position": 0}).json()["position"] == 0
        assert adam.delete(f"/v1/webhooks/{made['webhook']}").status_code == 204
        assert adam.delete(f"/v1/webhooks/{made['webhook']}").json()["code"] == "webhook-unknown"
        refused = {
            "https://u:p@example.org/": "webhook-url",
            "ftp://example.org/": "serve-malformed",
            f"https://example.org/{'x' * 2000}": "serve-malformed",
        }
        for url, code in refused.items():
            assert adam.post("/v1/webhooks", json={"url": url}).json()["code"] == code
        wrong = adam.post("/v1/webhooks", json={"url": "https://example.org/", "kinds": ["no.such"]})
        assert wrong.json()["code"] == "webhook-kind"
