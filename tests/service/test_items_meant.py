"""Before items are excluded for good: their ids come from the links, and staff see what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest

from consentry.control_plane.objection_texts import Told
from consentry.errors import NotFoundError
from consentry.ledger.objection_events import ItemsExcluded
from consentry.policy.vocabulary import Category, Purpose
from consentry.service.pages.console_meant import ids_in
from service.objectors import There, in_console
from service.staff import Office
from service.visitor import words

ADDRESS = "https://network.example/posts/{item}"


def written(text: str, *, what: str = "received") -> list[Told]:
    return [Told(position=1, at=1, what=what, words={"find": text})]


@pytest.mark.parametrize(
    ("template", "text", "ids"),
    [
        (ADDRESS, "https://network.example/posts/g1", ["g1"]),
        (ADDRESS, "see http://network.example/posts/g1?from=x, and NETWORK.EXAMPLE/posts/a%20b.", ["g1", "a b"]),
        (ADDRESS, "(network.example/posts/v1.2) network.example/posts/g1/photos", ["v1.2", "g1"]),
        (ADDRESS, "https://other.example/posts/g1 and network.example/people/g1 and network.example/posts/", []),
        ("https://n.example/{item}.html", "n.example/g.1.html n.example/g2.htm n.example/g3.html#top", ["g.1", "g3"]),
        ("https://n.example/i?id={item}", "https://n.example/i?id=7&x=1", ["7"]),
        ("", "https://network.example/posts/g1", []),
        (ADDRESS, "network.example/posts/" * 400, ["network.example"]),
    ],
)  # fmt: skip
def test_ids_are_proposed_from_links(template: str, text: str, ids: list[str]) -> None:
    assert ids_in(written(text), template) == ids


def test_what_staff_wrote_proposes_nothing() -> None:
    assert ids_in(written("network.example/posts/g1", what="noted"), ADDRESS) == []
    assert len(ids_in(written(" ".join(f"network.example/posts/{n}" for n in range(500))), ADDRESS)) == 50


@pytest.fixture
def linked(there: There) -> Iterator[There]:
    before = there.deployment.settings
    object.__setattr__(there.deployment, "settings", before.model_copy(update={"item_url": ADDRESS}))
    yield there
    object.__setattr__(there.deployment, "settings", before)


def seen_in(answer: httpx2.Response) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', answer.text)
    assert found is not None, words(answer)
    return found[1]


def test_items_are_seen_before_they_are_excluded(linked: There) -> None:
    path = linked.file(find="please remove https://network.example/posts/g1 and network.example/posts/u1")
    staff, form = linked.staff(), {"corpus": "network", "items": "g1\nu1", "items_reply": "done"}
    page = staff.get(in_console(path))
    assert re.search(r'<textarea id="items"[^>]*>g1\nu1</textarea>', page.text)
    assert "See what they are" in words(page)
    assert "Exclude these items" not in words(page)
    head = linked.deployment.ledger.head()
    shown = staff.post(f"{in_console(path)}/match-items", {**form, "step": "look"})
    assert shown.status_code == 200
    said = words(shown)
    for word in ("These items would be excluded", "g1", "u1", "posts", linked.deployment.person("us"), linked.release):
        assert word in said
    assert "<details open><summary>It is about single items" in shown.text
    assert "done</textarea>" in shown.text, "what was typed is kept"
    other = staff.post(f"{in_console(path)}/match-items", {**form, "items": "u1", "seen": seen_in(shown)})
    assert other.status_code == 200
    assert "g1" not in words(other).partition("These items would be excluded")[2].partition("Exclude these")[0]
    assert linked.deployment.ledger.head() == head, "nothing was done yet"
    done = staff.post(f"{in_console(path)}/match-items", {**form, "items": "u1", "seen": seen_in(other)})
    assert done.status_code == 303
    (excluded,) = [each.body for each in linked.deployment.ledger.read(head) if isinstance(each.body, ItemsExcluded)]
    assert excluded.items == (linked.deployment.pseudonyms.item("network", "u1"),)


@pytest.mark.parametrize("items", ["", "nothing-like-it"])
def test_what_is_no_item_is_told_when_it_is_looked_for(there: There, items: str) -> None:
    path = there.file(find="another thing")
    form = {"corpus": "network", "items": items, "step": "look"}
    answer = there.staff().post(f"{in_console(path)}/match-items", form)
    assert answer.status_code == 422
    assert "Exclude these items" not in words(answer)


def test_what_left_a_release_is_said_to_be_in_none(own: Office) -> None:
    control = own.deployment.control
    (before,) = control.meant_items.look("network", ["u1"], purpose=Purpose.TRAIN_AI)
    assert (before.category, before.owner) == (Category.POST, own.deployment.person("us"))
    assert before.releases == (own.release,)
    (other,) = control.meant_items.look("network", ["u1"], purpose=Purpose.SERVE)
    assert other.releases == (), "an objection to another use takes it out of none"
    filed = control.objections.file("u1", answer_to="a")
    control.objection_queue.match_items(filed.objection, ["u1"], corpus="network", by="olga")
    (after,) = control.meant_items.look("network", ["u1"], purpose=Purpose.TRAIN_AI)
    assert after.releases == ()
    with pytest.raises(NotFoundError, match="corpus-unknown"):
        control.meant_items.look("none", ["u1"], purpose=Purpose.TRAIN_AI)
