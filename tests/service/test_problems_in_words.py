"""What goes wrong for members and objectors is said in their language: every address of theirs is asked wrongly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import service.members as member
from consentry.accounts.access import Action, Role
from consentry.bootstrap import Deployment
from consentry.service.app import ROUTERS
from consentry.service.gate import actions_of, addresses
from consentry.service.languages import LANGUAGES, translations
from consentry.service.pages.member_unsaved import MARK, mark_of
from consentry.service.problem_words import PROBLEMS
from service.members import Come
from service.visitor import PASSWORD, Visitor, words

place = member.place
PAGES = Path(member.__file__).parents[2] / "src" / "consentry" / "service" / "pages"
THEIRS = {Action.ANYONE, Action.HOLDER, Action.OWN_READ, Action.OWN_CHOOSE}
ADDRESSES = [
    (method, re.sub(r"\{\w+\}", "x1", route.path))
    for route in addresses(ROUTERS)
    if actions_of(route) <= THEIRS and not route.path.startswith(("/v1/", "/access/", "/console", "/sign-in"))
    for method in sorted(route.methods or ())
]
NONSENSE = "?purpose=x&page=x&position=x&saved=x&number=x&format=nonsense-nonsense"


LARGE = {"x": "x" * (1 << 20)}
ANOTHER_SITE = {"sec-fetch-site": "cross-site", "origin": "https://example.org"}


def wrongly_asked(visitor: Visitor, mark: str) -> Iterator[tuple[str, str]]:
    """Yield every page of an error that somebody can reach here, with the address. A browser gets nothing else."""
    for method, path in ADDRESSES:
        if path == "/sign-out":
            continue
        form = {"purpose": "x", "answer": "x", MARK: mark}
        answers = [visitor.post(path, form), visitor.post(path, {"purpose": "x"})]
        answers += [visitor.post(path, LARGE), visitor.post(path, form, **ANOTHER_SITE)]
        if not path.endswith("/events"):  # goes on for ever, whatever is asked
            answers.append(visitor.get(path + NONSENSE))
        for answer in answers:
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "text/html; charset=utf-8", (method, path, answer.text)
            if answer.status_code >= 400 and "<main" in answer.text and "<code>" in answer.text:
                yield f"{method} {path}", answer.text


def code_of(page: str) -> str:
    return str(re.findall(r"<code>([a-z-]+)</code>", page)[-1])


def test_every_address_of_members_says_what_went_wrong_in_their_language(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    visitors = [come("us"), Visitor(url)]
    mark, met = mark_of(deployment, "1" * 32), set()
    for visitor in visitors:
        visitor.language = "de"
        for address, page in wrongly_asked(visitor, mark):
            main = page[page.index("<main") : page.index("</main>")]
            assert 'lang="en"' not in main, (address, code_of(page))
            met.add(code_of(page))
    assert {"serve-body-too-large", "access-other-site"} <= met
    assert {"serve-malformed", "serve-method", "choice-somebody-else", "choice-no-such-use"} <= met
    # Of what is not there the heading says all, and of links that do not work their own page (`member/away.html`).
    elsewhere = {"serve-no-such-address", "choice-no-receipt", "sign-in-link-damaged"}
    assert met - set(PROBLEMS) <= elsewhere


def test_who_is_at_work_sees_what_exactly_was_wrong_as_well(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    with deployment.admission() as admission:
        admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password=PASSWORD)
    officer = Visitor(url)
    assert officer.post("/sign-in", {"handle": "olga", "password": PASSWORD}).status_code == 303
    for visitor, path, exactly in ((come("us"), "/console/cases", False), (officer, "/me/history", True)):
        visitor.language = "cy"
        answer = visitor.get(path)
        assert answer.status_code == 403
        assert translations("cy").gettext(PROBLEMS["access-denied"].message)[1:] in words(answer)
        assert ("is not for" in words(answer)) is exactly


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_each_is_said_in_each_language(code: str, problem: str) -> None:
    said = [translations(code).gettext(each) for each in PROBLEMS[problem]]
    assert all(said)
    assert (said == list(PROBLEMS[problem])) is (code == "en")
    assert f"`{problem}`" in (PAGES.parents[3] / "docs" / "errors.md").read_text("utf-8")


def raised_in(path: Path) -> Iterator[str]:
    """Yield the codes of errors that a page raises without a message that is marked for translation."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and len(node.exc.args) > 1:
            kind, (code, message, *_) = node.exc.func, node.exc.args
            marked = isinstance(message, ast.Call) and isinstance(message.func, ast.Name) and message.func.id == "N_"
            if (
                isinstance(kind, ast.Name)
                and kind.id != "NotFoundError"
                and isinstance(code, ast.Constant)
                and not marked
            ):
                yield str(code.value)


def test_what_pages_of_members_raise_is_in_their_words() -> None:
    paths = [*PAGES.glob("member*.py"), PAGES / "objection.py", PAGES / "public.py"]
    found = {code for path in paths for code in raised_in(path)}
    assert "choice-somebody-else" in found
    # Of links that do not work the page says it itself (`member/away.html`).
    assert {each for each in found if not each.startswith("sign-in-link-")} <= set(PROBLEMS)
