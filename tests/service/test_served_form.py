"""The form for objections, asked for of a running server, also by that server itself."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.clock import now
from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.oversight_events import Origin
from consentry.oversight.condition_check import Answer, System, run
from consentry.oversight.objection_form import FORM, Form
from consentry.oversight.order import Scope
from consentry.served_form import TIMEOUT_S, served_form
from consentry.service.gate import COOKIE
from consentry.service.server import serving
from end_to_end.network import fresh
from service import tenants

CASE = "ico-2024"
FEWEST_THREADS = 40
"""On which the framework calls what is no coroutine, if nobody says otherwise."""
PAGE = '<form method="post" action="/object">{}</form>'
STEP = '<fieldset><input name="{}" required></fieldset>'


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    with fresh() as (_, deployment):
        yield deployment


def home(deployment: Deployment) -> Path:
    return deployment.settings.home


def answer(form: Form | None) -> Answer:
    return run("objection-steps", ("2",), system=System(policy=None, areas=frozenset(), at=0, form=form))


def tell(folder: Path, url: str) -> Path:
    (folder / "serve.json").write_text(json.dumps({"url": url, "view": "x"}))
    return folder


def test_what_is_served_is_the_form(deployment: Deployment) -> None:
    assert served_form(home(deployment)) is None
    with serving(deployment):
        form = served_form(home(deployment))
    assert served_form(home(deployment)) is None
    assert form is not None
    assert (len(form.steps), form.required, form.login) == (len(FORM.steps), FORM.required, FORM.login)
    assert answer(form) == answer(FORM)


def test_it_is_answered_while_somebody_holds_the_head_and_the_lock(deployment: Deployment) -> None:
    with serving(deployment):
        served_form(home(deployment))
        begun = time.monotonic()
        with deployment.control.desk.at_head():
            assert served_form(home(deployment)) is not None
        assert time.monotonic() - begun < TIMEOUT_S


def a_case_with_a_check(deployment: Deployment) -> list[str]:
    """Open a case that waits for simpler objections; return the sessions of two who may lift it."""
    control = deployment.control
    control.orders.suspend(Scope(), case=CASE, origin=Origin.OWN_DECISION, reference="x")
    control.cases.begin_review(CASE, by="olga")
    control.cases.require_notice(CASE, "n-1", days=0, by="olga")
    control.conditions.add(
        ConditionAdded(
            case=CASE,
            condition="steps",
            title="simpler objection",
            owner="olga",
            due=4_000_000_000,
            check="objection-steps",
            policy=None,
            parameters=("2",),
            by="olga",
        )
    )
    with deployment.admission() as admission:
        for each in ("olga", "otto"):
            admission.add(each, roles=frozenset({Role.PRIVACY_OFFICER}), password="")
        return [admission.admit(each, subject=f"https://idp.example/#{each}") for each in ("olga", "otto")]


def test_a_server_asks_itself_and_its_case_is_approved_and_lifted(deployment: Deployment) -> None:
    control, cookies = deployment.control, a_case_with_a_check(deployment)
    with serving(deployment) as (url, _), many_look_at_it(url, cookies[0]) as seen:
        for number, cookie in enumerate(cookies):
            sent = post(url, cookie, "approvals", {}, key=f"a-{number}")
            assert sent.status_code == 201, sent.text
        control.notices.serve("n-1", [deployment.person("somebody")], at=now())
        sent = post(url, cookies[0], "lifting", {"reference": "letter"}, key="l-1")
        assert sent.status_code == 201, sent.text
        assert sent.json()["standing"] == "lifted"
    assert seen
    assert set(seen) == {"the form for objections takes 1 step, 2 required fields, no login"}


def post(url: str, cookie: str, step: str, body: dict[str, str], *, key: str) -> httpx2.Response:
    headers = {"cookie": f"{COOKIE}={cookie}", "sec-fetch-site": "same-origin", "idempotency-key": key}
    return httpx2.post(f"{url}/v1/cases/{CASE}/{step}", json=body, headers=headers, timeout=60)


@contextmanager
def many_look_at_it(url: str, cookie: str) -> Iterator[list[str]]:
    """Have eight people look at the case all the time; what the check found goes into the list."""
    seen: list[str] = []
    done = threading.Event()

    def look() -> None:
        with httpx2.Client(base_url=url, headers={"cookie": f"{COOKIE}={cookie}"}, timeout=60) as client:
            while not done.is_set():
                seen.extend(each["found"] for each in client.get(f"/v1/cases/{CASE}").json()["conditions"])

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_it_is_answered_while_every_thread_of_the_server_waits_for_it(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentry.service.app.THREADS", 1)  # as few as there can be: those of the framework
    asking, waited = threading.Barrier(FEWEST_THREADS), []

    def slow() -> Form | None:
        asking.wait(30)
        form = served_form(home(deployment))
        waited.append(form)
        return form

    deployment.control.desk.parts = replace(deployment.control.desk.parts, objection_form=slow)
    cookie = a_case_with_a_check(deployment)[0]
    headers = {"cookie": f"{COOKIE}={cookie}"}
    with serving(deployment) as (url, _), ThreadPoolExecutor(FEWEST_THREADS) as threads:
        asked = partial(httpx2.get, f"{url}/console/cases/{CASE}", headers=headers, timeout=60)
        found = list(threads.map(lambda _: asked(), range(FEWEST_THREADS)))
    assert {each.status_code for each in found} == {200}
    assert len(waited) == FEWEST_THREADS
    assert all(waited)


def test_each_platform_is_asked_by_its_host(tmp_path: Path) -> None:
    with tenants.served(tmp_path, "one", "two") as served:
        for each in served.homes.values():
            assert answer(served_form(home(each))).met
        told = json.loads((tmp_path / "one" / "serve.json").read_bytes())
        assert told["host"] == tenants.host("one")
        del told["host"]
        (tmp_path / "elsewhere").mkdir()
        assert served_form(tell(tmp_path / "elsewhere", told["url"])) is None, "a control: the host is what finds it"


@contextmanager
def a_page(status: int, text: str) -> Iterator[str]:
    """Serve one page that is another than ours; yield where."""

    class Shows(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert "cookie" not in self.headers
            assert "authorization" not in self.headers
            self.send_response(status)
            self.send_header("location", "/sign-in")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Shows) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "text", "found"),
    [
        (200, PAGE.format(STEP * 1), "the form for objections takes 1 step, 1 required field, no login"),
        (
            200,
            PAGE.format("".join(STEP.format(each) for each in "abc")),
            "the form for objections takes 3 steps, 3 required fields, no login",
        ),
        (303, "", "the form for objections is behind a login"),
        (401, PAGE.format(STEP), "the form for objections is behind a login"),
        (403, "", "the form for objections is behind a login"),
        (404, PAGE.format(STEP), "no form for objections is served: start the server"),
        (503, "", "no form for objections is served: start the server"),
        (200, "<p>soon", "no form for objections is served: start the server"),
    ],
)
def test_another_form_is_counted_as_it_is(tmp_path: Path, status: int, text: str, found: str) -> None:
    with a_page(status, text) as url:
        seen = answer(served_form(tell(tmp_path, url)))
    assert seen.found == found
    assert seen.met is ("1 step" in found)


@pytest.mark.parametrize(
    "told", ["", "[]", "{}", '{"url": "https://example.org"}', '{"url": "nonsense"}', '{"url": 7}']
)
def test_an_address_that_is_none_serves_none(tmp_path: Path, told: str) -> None:
    (tmp_path / "serve.json").write_text(told)
    assert served_form(tmp_path) is None


def test_whoever_takes_long_serves_none(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tell(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        assert served_form(tmp_path, timeout_s=0.2) is None
        assert time.monotonic() - begun < TIMEOUT_S
