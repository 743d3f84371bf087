"""How much may be sent: a scan of many pages by who works on cases, a mebibyte by anybody else. Browsers get pages."""

from __future__ import annotations

import socket

import httpx2
import pytest

from consentry.digests import digest
from consentry.ledger.case_events import ConditionMet
from consentry.service import bodies
from consentry.service.gate import COOKIE
from service.clients import as_
from service.staff import Office
from service.visitor import words

MEBIBYTE = 1 << 20
MEET = "/console/cases/ico/conditions/clear/meet"
SCAN = b"%PDF-1.7 \xff" + bytes(5 * MEBIBYTE)


@pytest.fixture(autouse=True)
def condition(own: Office) -> None:
    olga = own.visitor("olga")
    for path, form in (
        ("/console/open-case", {"case": "ico", "title": "a concern", "reference": "letter"}),
        (
            "/console/cases/ico/conditions",
            {"condition": "clear", "condition_title": "a notice", "owner": "olga", "due": "2066-06-30"},
        ),
    ):
        assert olga.post(path, form).status_code == 303


def test_a_scan_of_many_pages_is_evidence(own: Office) -> None:
    assert own.visitor("olga").send(MEET, {"file": SCAN}).status_code == 303
    (met,) = own.events(ConditionMet)
    assert isinstance(met, ConditionMet)
    assert met.evidence == digest(SCAN)
    assert own.deployment.control.desk.parts.objects.get(met.evidence) == SCAN
    with as_(own, "olga") as (olga,):
        assert not olga.reopen_condition("ico", "clear", reason="another one")["conditions"][0]["met"]
        olga.meet_condition("ico", "clear", document=SCAN)
    assert len(own.events(ConditionMet)) == 2


@pytest.mark.parametrize("handle", ["", "mel", "ico"])
def test_nobody_else_sends_that_much(own: Office, handle: str) -> None:
    answer = own.visitor(handle).send(MEET, {"file": SCAN})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert own.events(ConditionMet) == []


def test_who_may_sends_it_nowhere_else(own: Office) -> None:
    answer = own.visitor("olga").send("/console/cases/ico/conditions", {"file": SCAN})
    assert answer.status_code == 413


def test_even_a_document_has_an_end(own: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGEST_DOCUMENT", 3 * MEBIBYTE)
    answer = own.visitor("olga").send(MEET, {"file": SCAN})
    assert answer.status_code == 413
    assert "Nothing was saved: go back, and send less or a smaller file." in words(answer)
    assert "more than 3,145,728 bytes" in words(answer), "who is at work reads how many"
    program = httpx2.post(
        f"{own.visitor('').url}{MEET}", content=bytes(2 * MEBIBYTE), headers={"content-type": "text/plain"}
    )
    assert program.json()["code"] == "serve-body-too-large", "a program has no use for a page"


def test_a_document_has_time_to_arrive(own: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = own.visitor("olga")
    monkeypatch.setattr(bodies, "PATIENCE_DOCUMENT_S", 0.3)
    host, port = visitor.url.removeprefix("http://").split(":")
    head = (
        f"POST {MEET} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {COOKIE}={visitor.cookies[COOKIE]}\r\n"
        "Sec-Fetch-Site: same-origin\r\nAccept: text/html\r\nAccept-Language: de\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {4 * MEBIBYTE}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=20) as sent:
        sent.sendall(head.encode() + bytes(2 * MEBIBYTE))
        answer = b""
        while part := sent.recv(1 << 16):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408")
    assert "nicht rechtzeitig angekommen" in answer.decode()


def test_what_nobody_foresaw_is_a_page_to_a_browser(own: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("somebody@example.org")

    visitor = own.visitor("olga")
    visitor.language = "fr"
    monkeypatch.setattr(own.deployment.control.cases, "every", fail)
    answer = visitor.get("/console/cases")
    assert answer.status_code == 500
    assert "C’est une erreur de notre part, pas de la vôtre." in words(answer)
    assert "somebody" not in answer.text
    monkeypatch.setattr("consentry.service.problems.page", fail)
    again = visitor.get("/console/cases")
    assert (again.status_code, again.json()["code"]) == (500, "internal-error"), "and if the page fails too, something"
