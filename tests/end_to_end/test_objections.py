"""Objections, from the form to a release that the item has left, and to their erasure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from click.testing import CliRunner

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.main import cli
from consentry.control_plane.objections import Filed, objection_of
from consentry.errors import ConsentryError, NotFoundError
from consentry.ledger.envelope import log_entry
from consentry.ledger.events import ChoiceMade
from consentry.ledger.objection_events import ItemsExcluded, LawfulGround, ObjectionErased
from consentry.ledger.state import EMPTY, fold, unexplained
from consentry.oversight.objection import ObjectionState
from consentry.policy.vocabulary import Purpose, Reach
from end_to_end.network import RawItem, RawPerson, populated, write_people
from end_to_end.test_story import BEFORE, GENAI, NOW, POLICY, build, eligible

ITEMS = (
    RawItem(id="a1", author="ada", created=BEFORE),
    RawItem(id="b1", author="bo", created=BEFORE),
    RawItem(id="b2", author="bo", created=BEFORE, involves=("ada",)),
    RawItem(id="b3", author="bo", created=BEFORE),
)
PEOPLE = (RawPerson(id="ada"), RawPerson(id="bo", country="BR"))
WORDS = ("https://network.example/p/b3", "zoe@example.org", "it shows my daughter")


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS[:2], ITEMS[2:]], PEOPLE, POLICY) as started:
        yield started


def file(deployment: Deployment, find: str = WORDS[0]) -> Filed:
    return deployment.control.objections.file(find, answer_to=WORDS[1], reason=WORDS[2])


def code(act: Callable[[], object]) -> str:
    with pytest.raises(ConsentryError) as caught:
        act()
    return caught.value.code


def bytes_of(deployment: Deployment) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(deployment.settings.home.rglob("*")) if path.is_file())


def test_an_item_of_somebody_else_is_excluded_with_a_reason_of_its_own(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    queue = deployment.control.objection_queue
    first = build(deployment)
    assert eligible(deployment, first) == {"a1", "b1", "b2", "b3"}
    filed = file(deployment)
    found = queue.match_items(filed.objection, ["b3"], corpus="network", by="sam", reply="It is out.")
    assert (found.state, found.items) == (ObjectionState.MATCHED, 1)
    second = build(deployment)
    assert eligible(deployment, second) == {"a1", "b1", "b2"}
    said = deployment.control.releases.explain(second, "b3")
    assert not said.allowed
    assert said.body["agrees_with_bitmap"]
    assert said.body["reasons"][0]["reason"] == "objected"
    assert "objected" in said.body["reasons"][0]["why"]
    # The sealed one: the item left it at once.
    assert deployment.control.amendments.newest(first) == 1
    before = deployment.control.releases.explain(first, "b3")
    assert not before.allowed
    assert before.body["amendment"]["number"] == 1
    assert deployment.control.releases.explain(first, "b1").allowed
    assert not any(each.problem for each in deployment.control.releases.verify(second, decide=True))
    assert not any(each.problem for each in deployment.control.releases.verify(first, decide=True))


def test_what_a_kernel_decided_is_brought_up_to_date_when_an_item_is_excluded(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    filed = file(deployment)
    ledger, waiting = deployment.ledger, [True]
    sealing = ledger.sealing

    def match_first() -> object:
        if waiting:
            waiting.clear()
            deployment.control.objection_queue.match_items(filed.objection, ["b3"], corpus="network", by="sam")
        return sealing()

    # Between deciding and sealing: the draft does not know of it yet.
    ledger.sealing = match_first  # type: ignore[method-assign, assignment]
    assert eligible(deployment, build(deployment)) == {"a1", "b1", "b2"}
    assert not waiting


def test_a_person_is_refused_everywhere_and_everything_that_can_be_undone(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    first = build(deployment)
    filed = file(deployment, "Ada L.")
    deployment.control.objection_queue.match_person(filed.objection, "ada", by="sam")
    assert eligible(deployment, build(deployment)) == {"b1", "b3"}
    assert deployment.control.amendments.newest(first) == 1
    (choice,) = [each.body for each in deployment.history("ada") if isinstance(each.body, ChoiceMade)]
    assert (choice.choice.reach, choice.choice.purpose) == (Reach.EVERYTHING, Purpose.TRAIN_AI)
    assert (
        code(lambda: deployment.control.objection_queue.match_person(filed.objection, "nobody", by="sam"))
        == "objection-person-unknown"
    )


def test_a_match_that_goes_less_far_ends_no_wider_no_and_says_so(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    queue = deployment.control.objection_queue
    names = [file(deployment, f"Ada {each}").objection for each in range(2)]
    queue.match_person(names[0], "ada", by="sam")
    queue.match_person(names[1], "ada", by="sam", reach=Reach.FUTURE, as_asked=True)
    assert eligible(deployment, build(deployment)) == {"b1", "b3"}
    matched = [queue.show(each).course[-1].words for each in names]
    assert [each.get("stays") for each in matched] == [None, "everything"]
    assert matched[1]["reach"] == "future", "it is told what was matched"


def test_an_objection_is_followed_by_its_link_alone(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, queue = deployment.control.objections, deployment.control.objection_queue
    filed = file(deployment)
    assert objection_of(filed.link) == filed.objection
    queue.take(filed.objection, by="sam")
    queue.note(filed.objection, text="asked the picture team", by="sam")
    queue.ask(filed.objection[:8], text="Which picture?", by="sam")
    seen = control.add(filed.link, "The second one.")
    assert seen.objection.state is ObjectionState.LOOKED_AT
    assert [each.what for each in seen.course] == ["received", "asked", "heard"]
    assert seen.course[0].words == {"find": WORDS[0], "answer_to": WORDS[1], "reason": WORDS[2]}
    assert "by" not in seen.course[1].words, "staff are no business of the objector's"
    queue.match_items(filed.objection, ["b3"], corpus="network", by="sam", reply="Out.")
    answered = control.follow(filed.link)
    assert answered.course[-1].words == {"text": "Out.", "single_items": 1}
    assert control.withdraw(filed.link).objection.state is ObjectionState.WITHDRAWN
    assert eligible(deployment, build(deployment)) == {"a1", "b1", "b2"}, "withdrawing gives nothing back"
    for wrong in ("", "x", filed.objection, filed.link[:-1], filed.link + "A", "\udc80"):
        assert code(lambda wrong=wrong: control.follow(wrong)) == "objection-link-unknown"  # type: ignore[misc]
    assert filed.link.encode() not in bytes_of(deployment)
    assert filed.link not in repr(filed)


def test_duplicates_are_linked_for_staff_and_never_lost(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    queue = deployment.control.objection_queue
    same = [file(deployment).objection for _ in range(5)]
    other = file(deployment, "something else").objection
    page = queue.list()
    assert page.total == 6
    assert [row.alike for row in page.rows] == [4, 4, 4, 4, 4, 0]
    assert queue.show(same[2]).alike == (same[0], same[1], same[3], same[4])
    assert queue.show(other).alike == ()
    assert [row.objection.objection for row in queue.list(text="SOMETHING").rows] == [other]
    assert [row.objection.objection for row in queue.list(start=4, limit=1).rows] == [same[4]]
    queue.not_found(other, tried="the link and the name", by="sam")
    assert queue.list().total == 5
    assert queue.list([ObjectionState.NOT_FOUND], by="sam").total == 1
    assert queue.list([ObjectionState.NOT_FOUND], by="kim").total == 0
    assert queue.list(overdue=True).total == 0


def test_no_word_of_an_objector_stands_anywhere_in_plain(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    filed = file(deployment)
    deployment.control.objection_queue.decline(
        filed.objection, ground=LawfulGround.LEGAL_CLAIMS, explanation="a court asked", by="sam"
    )
    raw = bytes_of(deployment)
    for word in (*WORDS, "a court asked"):
        assert word.encode() not in raw
    entries = b"".join(log_entry(each) for each in deployment.ledger.read())
    assert b"sealed" not in entries


def test_erasing_an_objection_leaves_its_course_and_its_refusal(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    queue, ledger = deployment.control.objection_queue, deployment.ledger
    filed, other = file(deployment), file(deployment)
    assert code(lambda: queue.erase([filed.objection], by="sam")) == "objection-not-erasable"
    queue.match_items(filed.objection, ["b3"], corpus="network", by="sam")
    before = list(ledger.read())
    assert queue.erase([filed.objection], by="sam") == 1
    after = list(ledger.read())
    assert [log_entry(each) for each in after[: len(before)]] == [log_entry(each) for each in before]
    assert isinstance(after[-1].body, ObjectionErased)
    assert after[-1].body.texts == 2
    assert unexplained(after) == 0
    assert fold(EMPTY, after).excluded
    detail = queue.show(filed.objection)
    assert (detail.course, detail.alike, detail.objection.erased) == ((), (), True)
    assert queue.show(other.objection).alike == ()
    assert deployment.control.objections.follow(filed.link).course == ()
    assert code(lambda: deployment.control.objections.add(filed.link, "x")) == "objection-erased"
    assert queue.list([ObjectionState.MATCHED]).rows[0].filed is None
    assert eligible(deployment, build(deployment)) == {"a1", "b1", "b2"}
    queue.not_found(other.objection, tried="x", by="sam")
    assert queue.expire(before=deployment.control.desk.parts.clock() - 9, by="sam") == 0
    assert queue.expire(before=deployment.control.desk.parts.clock() + 1, by="sam") == 1


def test_erasing_a_person_takes_what_an_objection_says_of_them(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    filed = file(deployment)
    deployment.control.objection_queue.match_person(filed.objection, "ada", by="sam")
    deployment.control.statements.erase([deployment.person("ada")])
    assert [each.what for each in deployment.control.objection_queue.show(filed.objection).course] == ["received"]
    assert unexplained(deployment.ledger.read()) == 0
    assert eligible(deployment, build(deployment)) == {"b1", "b3"}
    deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
    match = deployment.control.objection_queue.match_person
    assert code(lambda: match(filed.objection, "ada", by="sam")) == "objection-person-unknown", "nothing is kept"


def test_all_of_it_is_known_again_after_a_restart(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    filed = file(deployment)
    deployment.control.objection_queue.match_items(filed.objection, ["b3"], corpus="network", by="sam")
    deployment.control.desk.kept.every = 0
    deployment.control.desk.present()
    deployment.control.desk.settle()
    assert list((folder / "home" / "cache").glob("state-*.image")), "it is known from a state that was kept"
    again = open_deployment(folder / "home")
    try:
        assert again.control.objections.follow(filed.link).objection.items == 1
        assert eligible(
            again, again.control.releases.build("network", GENAI, policy=POLICY, at=NOW).manifest.release
        ) == {
            "a1",
            "b1",
            "b2",
        }
    finally:
        again.close()


def test_what_is_no_objection_or_no_match_is_refused(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, queue = deployment.control.objections, deployment.control.objection_queue
    filed = file(deployment)
    head = deployment.ledger.head()
    assert code(lambda: control.file("  ", answer_to="x")) == "objection-text"
    assert code(lambda: control.file("x", answer_to="")) == "objection-text"
    assert code(lambda: control.file("x" * 4001, answer_to="x")) == "objection-text"
    assert code(lambda: control.file("\ud800", answer_to="x")) == "objection-text"
    assert code(lambda: control.add(filed.link, " ")) == "objection-text"
    assert code(lambda: queue.not_found(filed.objection, tried="", by="sam")) == "objection-text"
    assert code(lambda: queue.take(filed.objection, by="Sam Smith")) == "case-handle"
    assert code(lambda: queue.take("f" * 32, by="sam")) == "objection-unknown"
    assert code(lambda: queue.match_items(filed.objection, [], corpus="network", by="sam")) == "objection-no-items"
    assert code(lambda: queue.match_items(filed.objection, ["zz"], corpus="network", by="sam")) == "item-unknown"
    assert code(lambda: queue.match_items(filed.objection, ["b3"], corpus="none", by="sam")) == "corpus-unknown"
    assert deployment.ledger.head() == head


def test_without_its_key_nothing_is_read_and_no_other_key_is_made(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    filed = file(deployment)
    (folder / "home" / "keys" / "objections.key").rename(folder / "kept.key")
    again = open_deployment(folder / "home")
    try:
        assert code(lambda: again.control.objections.follow(filed.link)) == "key-missing"
        (folder / "home" / "keys" / "objections.key").write_bytes(b"x" * 32)
        assert code(lambda: again.control.objections.follow(filed.link)) == "objection-text-unreadable"
    finally:
        again.close()


def test_excluded_items_are_named_by_pseudonym_in_a_personal_event(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    filed = file(deployment)
    deployment.control.objection_queue.match_items(filed.objection, ["b3"], corpus="network", by="sam")
    (event,) = [each for each in deployment.ledger.read() if isinstance(each.body, ItemsExcluded)]
    assert deployment.item("network", "b3").encode() not in log_entry(event)


def test_who_asks_for_another_purpose_is_not_concerned(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    filed = deployment.control.objections.file("b3", answer_to="x", purpose=Purpose.SERVE)
    deployment.control.objection_queue.match_items(filed.objection, ["b3"], corpus="network", by="sam")
    assert eligible(deployment, build(deployment)) == {"a1", "b1", "b2", "b3"}
    image = deployment.control.objections.file("b3", answer_to="x", purpose=Purpose.TRAIN_GENAI_IMAGE)
    deployment.control.objection_queue.match_items(image.objection, ["b3"], corpus="network", by="sam")
    assert eligible(deployment, build(deployment)) == {"a1", "b1", "b2"}, "who refused a part refused the whole"


def test_nobody_is_found_by_the_beginning_of_two_ids(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    filed = file(deployment)
    with pytest.raises(NotFoundError):
        deployment.control.objection_queue.show(filed.objection[:7])
    assert deployment.control.objection_queue.show(filed.objection[:8]).objection.objection == filed.objection


def test_a_surge_with_spam_and_duplicates_loses_nothing_and_refuses_nobody(place: tuple[Path, Deployment]) -> None:
    require_a_surge_loses_nothing(place[1], objections=600)


@pytest.mark.slow
def test_ten_thousand_objections_in_ten_minutes(place: tuple[Path, Deployment]) -> None:
    require_a_surge_loses_nothing(place[1], objections=10_000)


def require_a_surge_loses_nothing(deployment: Deployment, *, objections: int, people: int = 8) -> None:
    """Let several people file at a time, half of it the same, and hold what was acknowledged against the queue."""
    control = deployment.control

    def one(number: int) -> str:
        find = "buy cheap watches" if number % 2 else f"https://network.example/p/{number}"
        return control.objections.file(find, answer_to=f"{number % 2 * 7}@example.org", reason="x" * 500).objection

    with ThreadPoolExecutor(people) as pool:
        acknowledged = [*pool.map(one, range(objections // 10))]
        before = memory_used()
        began = monotonic()
        acknowledged += pool.map(one, range(objections // 10, objections))
    assert monotonic() - began < 600
    assert memory_used() - before < 40 * 1024 * 1024
    assert len({*acknowledged}) == objections
    page = control.objection_queue.list()
    assert page.total == objections
    assert max(row.alike for row in page.rows) == objections // 2 - 1
    every = {
        row.objection.objection
        for start in range(0, objections, 1_000)
        for row in control.objection_queue.list(start=start, limit=1_000).rows
    }
    assert every == {*acknowledged}


def memory_used() -> int:
    """Return how many bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_the_queue_says_what_is_overdue(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    filed = file(deployment)
    deployment.close()
    later = open_deployment(folder / "home", ahead=lambda: 40 * 86_400)
    try:
        queue = later.control.objection_queue
        assert [row.objection.objection for row in queue.list(overdue=True).rows] == [filed.objection]
        assert queue.show(filed.objection).overdue
        assert code(lambda: queue.extend(filed.objection, months=1, reason="busy", by="sam")) == (
            "objection-not-extendable"
        )
        queue.not_found(filed.objection, tried="x", by="sam")
        assert queue.list(overdue=True).total == 0
    finally:
        later.close()


def test_the_days_can_be_made_more_and_the_objector_sees_why(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    filed = file(deployment)
    found = deployment.control.objection_queue.extend(filed.objection, months=2, reason="many came", by="sam")
    assert found.due > filed.due + 50 * 86_400
    assert deployment.control.objections.follow(filed.link).course[-1].words == {"text": "many came"}


def test_from_the_command_line(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    deployment.close()

    def run(*arguments: str) -> dict[str, Any]:
        done = CliRunner().invoke(cli, ["--home", str(folder / "home"), "--json", "objection", *arguments])
        assert done.exit_code == 0, done.output
        return dict(json.loads(done.output))

    filed = run("file", WORDS[0], "--answer-to", WORDS[1])
    name = filed["objection"][:8]
    assert run("take", name, "--by", "sam")["state"] == "looked-at"
    assert run("ask", name, "--text", "which?", "--by", "sam")["state"] == "asked"
    assert run("add", filed["link"], "--text", "b3")["messages"] == 1
    run("note", name, "--text", "aha", "--by", "sam")
    assert run("extend", name, "--months", "1", "--text", "busy", "--by", "sam")["due"] > filed["due"]
    assert run("match", name, "--item", "b3", "--corpus", "network", "--by", "sam")["items"] == 1
    assert run("list")["total"] == 0
    assert run("list", "--all")["objections"][0]["filed"]["find"] == WORDS[0]
    shown = run("show", name)["course"]
    assert [each["what"] for each in shown] == ["received", "taken", "asked", "heard", "noted", "extended", "matched"]
    assert run("withdraw", filed["link"])["state"] == "withdrawn"
    assert run("erase", name, "--by", "sam", "--yes") == {"erased": 1}
    other = run("file", "x", "--answer-to", "y", "--by", "sam")["objection"]
    assert run("decline", other, "--ground", "excessive", "--text", "again", "--by", "sam")["state"] == "declined"
    third = run("file", "Ada", "--answer-to", "y")["objection"]
    assert run("match", third, "--person", "ada", "--category", "post", "--as-asked", "--by", "sam")["people"] == 1
