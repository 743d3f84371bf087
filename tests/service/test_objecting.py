"""Objecting by the pages: the form anybody fills in, and the private page it leads to."""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from consentry.bootstrap import published_key
from consentry.control_plane.objections import objection_of
from consentry.ledger.objection_events import LawfulGround
from consentry.oversight.objection import ObjectionState
from consentry.oversight.objection_form import FORM
from consentry.service.site import environment
from consentry.transparency.receipt import check_receipt
from end_to_end.network import fresh
from service.at_work import Process, home, in_thread
from service.objectors import GOOD, There, in_console, secret_of
from service.visitor import Visitor, words


class Fields(HTMLParser):
    """What a form asks for: (step, name, required, several lines)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.steps = 0
        self.forms = 0
        self.found: list[tuple[int, str, bool, bool]] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and (given.get("action") or "").startswith("/object"):
            self._inside, self.forms = True, self.forms + 1
        if not self._inside:
            return
        if tag == "fieldset":
            self.steps += 1
        if tag in {"input", "textarea", "select"}:
            self.found.append((self.steps, given.get("name") or "", "required" in given, tag == "textarea"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def test_the_form_is_the_one_that_a_case_counts(there: There) -> None:
    answer = there.visitor().get("/object")
    shown = Fields(answer.text)
    assert shown.forms == 1
    assert shown.steps == len(FORM.steps) <= 2
    assert shown.found == [
        (number, field.name, field.required, field.lines)
        for number, step in enumerate(FORM.steps, 1)
        for field in step.fields
    ]
    text = words(answer)
    assert all(field.asks in text for field in FORM.fields)
    assert all(step.title in text for step in FORM.steps)
    assert not FORM.login


@pytest.mark.parametrize("language", ["en", "ar", "cy"])
def test_the_form_works_in_every_language_without_cookies_and_scripts(there: There, language: str) -> None:
    visitor = there.visitor()
    page = visitor.get(f"/object?lang={language}").text
    visitor.cookies.clear()
    assert "<script" not in page
    action = re.findall(r'action="(/object[^"]*)"', page)[0]
    answer = visitor.post(action, GOOD)
    visitor.cookies.clear()
    assert f'<html lang="{language}"' in visitor.follow(answer).text


def test_who_objects_is_told_that_it_came_and_gets_an_address_and_a_receipt(there: There) -> None:
    visitor = there.visitor()
    answer = visitor.post("/object", {**GOOD, "reason": "it shows my daughter"})
    address = answer.headers["location"]
    assert address.endswith("?new=1")
    shown = visitor.get(address)
    text = words(shown)
    assert "We have received your objection" in text
    assert "You get an answer by" in text
    path = urlsplit(address).path
    assert f"{there.url}{path}</textarea>" in shown.text
    assert all(each in text for each in (*GOOD.values(), "it shows my daughter"))
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in shown.headers["x-robots-tag"]
    assert "We have received" not in words(visitor.get(path)), "said once"
    receipt = visitor.get(f"{path}/receipt")
    assert "attachment" in receipt.headers["content-disposition"]
    key = published_key(there.deployment.settings.home)
    assert key is not None
    said = check_receipt(receipt.content, public_key=key)
    assert said.about["objection"] == objection_of(secret_of(path))
    assert secret_of(path) not in receipt.text


def test_the_receipt_of_an_objection_is_a_text_in_the_language_that_was_asked_for(there: There) -> None:
    visitor = there.visitor()
    path = urlsplit(visitor.post("/object", GOOD).headers["location"]).path
    german = visitor.get(f"{path}?lang=de").text
    links = re.findall(r'href="([^"]+form=text[^"]*)"', german)
    assert [unescape(each) for each in links] == [f"{path}/receipt?form=text&lang=de"]
    answer = there.visitor().get(unescape(links[0]))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"].endswith('-receipt.txt"')
    assert "noindex" in answer.headers["x-robots-tag"]
    assert "Was Sie gesagt haben: Sie haben widersprochen" in answer.text
    assert "Antwort spätestens am: " in answer.text
    assert objection_of(secret_of(path)) in answer.text
    assert secret_of(path) not in answer.text
    assert "What you said: You objected" in there.visitor().get(f"{path}/receipt?form=text").text
    assert there.visitor().get("/object/follow/nobody-has-this/receipt?form=text").status_code == 404


def test_an_objection_is_taken_while_nobody_can_sign_in_elsewhere() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        address = closing.getsockname()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    dead = f"http://127.0.0.1:{address[1]}"
    settings = {"oidc_issuer": dead, "member_issuer": dead, "site_url": "https://consentry.example"}
    with fresh() as (_, opened):
        deployment = replace(opened, settings=opened.settings.model_copy(update=settings))
        with in_thread(deployment) as ask:
            visitor = Visitor(ask.url)
            for path in ("/me/sign-in", "/sign-in/organisation"):
                assert visitor.get(path).status_code == 503
            assert visitor.get("/object").status_code == 200
            followed = visitor.follow(visitor.post("/object", GOOD))
            assert "We have received your objection" in words(followed)
            assert deployment.control.objection_queue.list().total == 1


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"find": ""}, "find"),
        ({"find": " \r\n\t "}, "find"),
        ({"answer_to": ""}, "answer_to"),
        ({"find": "x" * 4001}, "find"),
        ({"answer_to": "y" * 501}, "answer_to"),
        ({"reason": "z" * 10_001}, "reason"),
    ],
)
def test_what_cannot_be_taken_comes_back_with_all_that_was_typed(
    there: There, said: dict[str, str], field: str
) -> None:
    before = there.total()
    sent = {**GOOD, "reason": "kept, too", **said}
    answer = there.visitor().post("/object", sent)
    assert answer.status_code == 422
    assert "<title>Error: " in answer.text
    assert re.findall(r'<li><a href="#(\w+)">', answer.text) == [field]
    assert re.findall(r'id="(\w+)"[^>]*aria-invalid', answer.text) == [field]
    assert all(value.strip() in answer.text for value in sent.values())
    assert there.total() == before


def test_lines_are_counted_as_they_are_read(there: There) -> None:
    lines = "\n".join("x" * 9 for _ in range(400))
    assert len(lines) <= 4000 < len(lines.replace("\n", "\r\n"))
    path = there.file(find=lines.replace("\n", "\r\n"))
    assert lines in there.visitor().get(path).text


def test_nothing_that_is_sent_twice_or_by_anybody_is_refused_or_lost(there: There) -> None:
    before = there.total()
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(there.file(find="the same, twice"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for headers in (
        {"sec-fetch-site": "cross-site", "origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"authorization": "Bearer nobody-knows-this"},
        {"cookie": "__Host-consentry=expired"},
    ):
        sent = there.visitor().post("/object", GOOD, **headers)
        assert sent.status_code == 303
        found.append(urlsplit(sent.headers["location"]).path)
    assert len(set(found)) == 12
    assert there.total() == before + 12
    assert all(there.visitor().get(path).status_code == 200 for path in found)


def test_a_member_who_is_signed_in_is_offered_the_settings_and_nothing_of_theirs_is_filled_in(there: There) -> None:
    visitor = there.visitor()
    with there.deployment.admission() as admission:
        secret = admission.admit_member(there.deployment.person("us"), {"name": "Una Shaw"})
    visitor.cookies["__Host-consentry"] = secret
    shown = visitor.get("/object").text
    form = shown[shown.index('action="/object') :]
    assert 'href="/me"' in shown
    assert "Una Shaw" in shown
    assert "Una Shaw" not in form
    assert 'value=""' in form
    assert there.file(visitor)
    assert "Open your settings" not in there.visitor().get("/object").text


@pytest.mark.parametrize("wrong", ["x", "0" * 64, "..%2f..%2fconsole", "%00", "<script>", "a" * 3000])
def test_a_link_that_nobody_has_leads_to_a_page_that_says_nothing(there: There, wrong: str) -> None:
    there.file()
    visitor, address = there.visitor(), f"/object/follow/{wrong}"
    answers = [
        visitor.get(address),
        visitor.get(f"{address}/receipt"),
        visitor.post(address, {"message": "hello"}),
        visitor.post(f"{address}/withdraw"),
    ]
    for answer in answers:
        assert answer.status_code == 404
        assert "Nothing is at this address" in words(answer)
        assert GOOD["find"] not in answer.text
        assert "<script>" not in answer.text


def test_the_id_that_staff_see_is_no_link(there: There) -> None:
    path = there.file()
    assert there.visitor().get(f"/object/follow/{objection_of(secret_of(path))}").status_code == 404
    shown = there.staff().get(in_console(path)).text
    assert secret_of(path) not in shown


def test_each_sees_their_own_and_neither_staff_nor_others(there: There) -> None:
    first, second = there.file(find="the picture at the lake"), there.file(find="the picture at the lake")
    staff, at = there.staff(), in_console(first)
    for verb, form in (
        ("take", {}),
        ("note", {"note": "looks like the summer album"}),
        ("ask", {"question": "Which of the two?"}),
        ("extend", {"months": "1", "why": "There are many."}),
        ("match-items", {"corpus": "network", "items": "x1\r\n", "items_reply": "It is left out."}),
    ):
        assert staff.post(f"{at}/{verb}", form).status_code == 303, verb
    mine, other = there.visitor().get(first), there.visitor().get(second)
    assert all(each in words(mine) for each in ("Which of the two?", "There are many.", "It is left out.", "Followed"))
    for hidden in ("olga", "summer album", objection_of(secret_of(second)), "x1", "network</code>", "alike"):
        assert hidden not in mine.text
    assert "Which of the two?" not in other.text
    assert "Received" in words(other)


def test_the_objector_answers_and_takes_it_back(there: There) -> None:
    visitor, path = there.visitor(), there.file()
    staff = there.staff()
    staff.post(f"{in_console(path)}/ask", {"question": "Which one?"})
    assert "Waiting for you" in words(visitor.get(path))
    assert visitor.post(path, {"message": " "}).status_code == 422
    long = visitor.post(path, {"message": "w" * 10_001})
    assert long.status_code == 422
    assert "w" * 10_001 in long.text
    assert "The second" in words(visitor.follow(visitor.post(path, {"message": "The second <b>one</b>"})))
    assert "Being looked at" in words(visitor.get(path))
    assert "<b>" not in visitor.get(path).text
    assert visitor.post(f"{path}/withdraw").status_code == 303
    assert visitor.post(f"{path}/withdraw").status_code == 303, "a second click does no harm"
    text = words(visitor.get(path))
    assert "Withdrawn" in text
    assert "Add something" not in text
    late = visitor.post(path, {"message": "kept though it cannot be added"})
    assert late.status_code == 422
    assert "kept though it cannot be added" in late.text
    assert "You can send a new objection" in words(late)


def test_an_answer_that_is_late_is_said_to_be(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    path, desk = there.file(), there.deployment.control.desk
    assert "late" not in words(there.visitor().get(path))
    late = desk.parts.clock() + 40 * 86_400
    staff = there.staff()
    with monkeypatch.context() as patch:
        patch.setattr(desk, "parts", replace(desk.parts, clock=lambda: late))
        assert "Our answer is late" in words(there.visitor().get(path))
        assert "overdue" in staff.get("/console/objections?overdue=1&state=waiting").text
    assert "Nothing fits" in words(staff.get("/console/objections?overdue=1"))


def test_every_word_of_the_domain_has_one_on_the_pages() -> None:
    templates = environment("en")
    said = templates.get_template("objection/words.html").make_module()
    among = templates.get_template("console/objection_words.html").make_module()
    for name in ObjectionState:
        assert str(said.state(name)).strip()  # type: ignore[attr-defined]  # a macro
        assert str(said.state_means(name)).strip()  # type: ignore[attr-defined]
        assert str(among.state(name)).strip()  # type: ignore[attr-defined]
    for ground in LawfulGround:
        assert str(said.ground(ground)).strip()  # type: ignore[attr-defined]
    for what in ("received", "heard", "asked", "extended", "matched", "not-found", "declined", "withdrawn"):
        assert str(said.happened(what)).strip()  # type: ignore[attr-defined]
        assert str(among.happened(what)).strip()  # type: ignore[attr-defined]


def test_no_log_names_a_link() -> None:
    with home() as (folder, _):
        (folder / "consentry.toml").write_text('log_format = "json"\nlog_level = "debug"\n')
        server = Process(folder)
        visitor = Visitor(server.ask.url)
        path = urlsplit(visitor.post("/object", GOOD).headers["location"]).path
        for answer in (visitor.get(path), visitor.post(path, {"message": "hello"}), visitor.get(path[:-1])):
            assert answer.status_code in {200, 303, 404}
        _, out, errors = server.stop()
    assert "/object/follow/{link}" in errors, "it was logged, by the form of the address"
    for text in (secret_of(path)[:20], "hello", *GOOD.values()):
        assert text not in out + errors


def test_what_the_private_page_shows_is_there_for_programs(there: There) -> None:
    visitor = there.visitor()
    address = there.file(visitor)
    visitor.post(address, {"message": "It is the second picture."})
    there.staff().post(f"{in_console(address)}/take")
    page = visitor.get(address)
    link = re.search(r'<link rel="alternate" type="application/json" href="([^"]+)">', page.text)
    assert link is not None
    answer = visitor.get(address + link[1])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["x-robots-tag"] == page.headers["x-robots-tag"] == "noindex, nofollow"
    assert answer.headers["cache-control"] == "no-store"
    assert visitor.get(address, accept="application/json").content == answer.content
    found = answer.json()
    assert (found["objection"], found["state"]) == (objection_of(secret_of(address)), "looked-at")
    assert (found["purpose"], found["overdue"], found["erased"], found["in_part"]) == ("train-ai", False, False, False)
    assert [each["what"] for each in found["course"]] == ["received", "heard"], "what staff do stays with them"
    assert [each["words"] for each in found["course"]] == [GOOD, {"text": "It is the second picture."}]
    assert found["due"] > found["received"] == found["course"][0]["at"]
    assert secret_of(address) not in answer.text
    assert "olga" not in answer.text
    unknown = visitor.get(f"{address[:-1]}{'1' if address[-1] == '0' else '0'}", accept="application/json")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "objection-link-unknown")
