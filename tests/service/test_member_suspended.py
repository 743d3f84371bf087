"""What a member sees of a suspension: of a whole use until it ends, and of one kind of content."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

from babel.dates import format_date

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Category, Purpose, Reach
from end_to_end.case_steps import narrow
from service.members import Come, no, yes
from service.visitor import Visitor, words

place = member.place
UK = frozenset({"UK"})
ASKED = "A data protection authority has asked the platform to stop this use."


def suspend(deployment: Deployment, scope: Scope, *, case: str = "ico-2024") -> None:
    deployment.control.orders.suspend(scope, case=case, origin=Origin.AUTHORITY_REQUEST, reference="inner words")


def give_back(deployment: Deployment, *, case: str = "ico-2024") -> int:
    """End the orders of a case, at least a second after all that came before, and return when that was."""
    time.sleep(1.1)
    for by in ("anna", "ben"):
        deployment.control.cases.withdraw(case, by=by, reference="they gave it up")
    return max(each.ended.at for each in deployment.control.desk.newest.overseen.orders.of(case) if each.ended)


def use_of(visitor: Visitor) -> dict[str, Any]:
    (use,) = visitor.get("/me?format=json").json()["uses"]
    return dict(use)


def test_a_use_is_on_since_it_was_given_back(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor, elsewhere = come("gb"), come("us")
    before = use_of(visitor)["since"]
    suspend(deployment, Scope(areas=UK))
    assert 'name="answer"' not in visitor.get("/me").text
    assert use_of(visitor)["since"] is None
    ended = give_back(deployment)
    page = visitor.get("/me")
    assert 'name="answer"' in page.text
    assert "On Your content may be used" in words(page)
    assert ASKED not in words(page)
    assert before < use_of(visitor)["since"] == ended
    assert use_of(elsewhere)["since"] == before, "where nothing was suspended nothing changed"


def test_a_yes_from_before_a_suspension_does_not_hide_it(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("gb")
    no(visitor)
    yes(visitor)
    said = use_of(visitor)["since"]
    suspend(deployment, Scope(areas=UK))
    ended = give_back(deployment)
    assert said < use_of(visitor)["since"] == ended
    time.sleep(1.1)
    no(visitor)
    assert use_of(visitor)["since"] > ended, "a no is of the day it was said"


def test_what_stopped_no_whole_use_does_not_begin_it_anew(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("gb")
    before = use_of(visitor)["since"]
    suspend(deployment, Scope(areas=UK, categories=frozenset({Category.COMMENT})))
    suspend(deployment, Scope(purposes=frozenset({Purpose.EVALUATE})), case="another-use")
    suspend(deployment, Scope(models=frozenset({"drafts"})), case="one-model")
    give_back(deployment)
    give_back(deployment, case="another-use")
    give_back(deployment, case="one-model")
    assert use_of(visitor)["since"] == before


def test_of_several_suspensions_the_last_one_gives_it_back(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("gb")
    for case in ("first", "second"):
        suspend(deployment, Scope(areas=UK), case=case)
    give_back(deployment, case="second")
    assert use_of(visitor)["situation"] == "stopped"
    ended = give_back(deployment, case="first")
    assert use_of(visitor)["since"] == ended


def test_what_is_narrowed_to_a_kind_is_given_back_but_for_that_kind(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("gb")
    suspend(deployment, Scope(areas=UK))
    time.sleep(1.1)
    smaller = Scope(areas=UK, categories=frozenset({Category.COMMENT}))
    assert narrow(deployment, smaller, told=["gb"], case="ico-2024", by=("anna", "ben")).done
    first, second = deployment.control.desk.newest.overseen.orders.of("ico-2024")
    assert first.ended is not None
    assert use_of(visitor)["since"] == first.ended.at == second.at


def decided(visitor: Visitor) -> str:
    """Return what a page says who decided."""
    return words(visitor.get("/me")).partition("Who decided this")[2].partition("Who is responsible")[0].strip()


def test_who_suspended_it_decided_it(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    rule = "It is the rule, not a choice of yours."
    suspend(deployment, Scope(areas=UK))
    assert decided(come("gb")) == ASKED
    assert decided(come("kid")) == rule
    visitor = come("us")
    no(visitor)
    suspend(deployment, Scope(), case="everybody")
    assert decided(come("de")) == f"{ASKED} {rule}"
    assert decided(come("gb")) == ASKED, "said once, of however many orders"
    assert decided(visitor).startswith(f"{ASKED} You said no on ")


def test_whoever_has_nothing_to_choose_is_not_sent_from_the_form_back_to_the_settings(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, come, _ = place
    suspend(deployment, Scope(areas=UK))
    assert "Open your settings" in words(come("us").get("/object"))
    for person in ("gb", "kid"):
        visitor = come(person)
        link = re.search(r'<a href="(/object[^"]*)">You can also object for the future', visitor.get("/me").text)
        assert link is not None
        form = visitor.get(link[1])
        assert "Open your settings" not in words(form)
        action = re.search(r'<form method="post" action="(/object[^"]*)"', visitor.get(f"{link[1]}&lang=fr").text)
        assert action is not None
        again = visitor.post(action[1].replace("&amp;", "&"), {})
        assert (again.status_code, 'lang="fr"' in again.text) == (422, True)
        assert 'href="/me"' not in again.text.partition("<h1>")[2].partition("<form")[0]


def row_of(visitor: Visitor, kind: str) -> str:
    """Return the row of a kind on the page, without tags."""
    rows = visitor.get("/me").text.split("<tr>")
    (row,) = [each for each in rows if each.startswith(f'<th scope="row">{kind}</th>')]
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


def test_of_a_kind_that_is_suspended_it_says_who_since_when_and_where(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("gb")
    assert "–" in row_of(visitor, "Comments")
    suspend(deployment, Scope(areas=UK, categories=frozenset({Category.POST, Category.COMMENT})))
    (order,) = deployment.control.desk.newest.overseen.orders
    day = format_date(datetime.fromtimestamp(order.at, UTC), "long", locale="en_GB")
    told = f"{ASKED} Since {day}. Where it holds: United Kingdom ."
    posts, comments = row_of(visitor, "Posts"), row_of(visitor, "Comments")
    assert f"1: {told}" in posts
    assert told in comments, "they have none of these, and read why none will be used"
    assert "–" not in comments
    assert "0:" not in comments
    assert told in words(visitor.get("/me/items"))
    assert told in words(visitor.get("/me/uses"))
    for path in ("/me", "/me/items", "/me/uses"):
        assert "The use is suspended" not in words(visitor.get(path))
        assert "inner words" not in visitor.get(path).text, "what staff wrote is theirs"
    kinds = {each["category"]: each["against"] for each in use_of(visitor)["kinds"]}
    assert kinds["comment"] == [{"why": ASKED, "since": order.at, "areas": ["UK"]}]
    assert not kinds["article"]
    assert "–" in row_of(come("us"), "Articles")


def test_items_of_others_that_a_no_takes_away_are_told_apart(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor, author = come("us2"), come("us")
    use = use_of(visitor)
    assert (use["items"], use["leaving"]) == (1, {"own": 1, "others": 1})
    text = words(visitor.get("/me"))
    assert text.count("2 items leave 1 collection that was already made for training. "
                      "That counts 1 item by somebody else in which you appear.") >= 2  # fmt: skip
    assert "That counts 1 item by somebody else" in words(visitor.get("/me/check?purpose=train-genai"))
    assert use_of(author)["leaving"]["others"] == 0
    assert "by somebody else" not in words(author.get("/me"))
    no(visitor, reach=Reach.EVERYTHING)
    assert use_of(visitor)["leaving"] == {"own": 0, "others": 0}


def test_a_collection_that_a_suspension_bars_is_not_said_to_be_in_use(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")

    def row() -> str:
        return words(visitor.get("/me/uses")).partition("Collections made for training")[2].partition("Models")[0]

    def exported() -> bool:
        (found,) = visitor.get("/me/uses?format=json").json()["releases"]
        return bool(found["barred"])

    assert "In use" in row()
    assert not exported()
    suspend(deployment, Scope(areas=UK))
    assert "Suspended" in row()
    assert "In use" not in row()
    assert exported()
    smaller = Scope(areas=UK, categories=frozenset({Category.COMMENT}))
    assert narrow(deployment, smaller, told=["gb"], case="ico-2024", by=("anna", "ben")).done
    assert "Not used any more" in row(), "it was sealed before, on other terms"
    assert exported()
