"""What an order would hit is counted before it is given, and nothing is recorded by asking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight.order import Scope
from consentry.policy.jurisdictions import instant
from consentry.policy.vocabulary import Category, Purpose, Reach
from consentry.release.manifest import EXCLUSIONS
from end_to_end.network import Form, RawItem, write_corpus
from end_to_end.suspended_network import ITEMS, UK, build, grant, renew, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.terminal import Terminal, ready, terminal
from end_to_end.test_story import say

__all__ = ["ready", "terminal"]


def test_what_if_counts_and_records_nothing(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    release = build(deployment)
    lease, _ = grant(deployment, release)
    head = deployment.ledger.head()
    found = deployment.control.orders.what_if(UK)
    assert found["corpora"] == {"network": {"items": 2, "of": 5, "people": 1}}
    assert found["releases"] == {release: 2}
    assert (found["leases"], found["models"]) == ([lease.lease], ["drafts"])
    assert deployment.ledger.head() == head


def test_people_who_may_be_in_several_countries_stand_in_one_row_of_what_changes(terminal: Terminal) -> None:
    columns = 'person = "id"\ncountry = "in"\ntime_zone = "zone"\nage = "age"\n'
    (terminal.folder / "p.toml").write_text(f'[people]\nfiles = ["p.csv"]\n[columns]\n{columns}', "utf-8")
    rows = ("a,US,Asia/Kolkata,adult", "b,US,Asia/Tokyo,adult", "c,US,,adult")
    (terminal.folder / "p.csv").write_text("\n".join(("id,in,zone,age", *rows, "")), "utf-8")
    items = [RawItem(id=f"{author}{number}", author=author) for author in "abc" for number in range(3)]
    terminal.run("corpus", "register", write_corpus(terminal.folder, [items]))
    terminal.run("people", "load", terminal.folder / "p.toml")
    ask = ("what-if", "--policy", "august-2024", "--suspend", "US")
    places = terminal.run(*ask)["corpora"]["network"]["by_place"]
    assert len(places) > 1, "the control: several rows for programs"
    lines = terminal.run(*ask, as_json=False).splitlines()
    assert [line.split() for line in lines if "several" in line] == [
        ["several", "countries", f"{sum(by for name, by in places.items() if '|' in name):+,}"]
    ]


def test_what_if_counts_the_people_whose_content_is_hit_and_nobody_else(place: tuple[Path, Deployment]) -> None:
    _, deployment = place

    def asked(**scope: Any) -> tuple[int, int]:
        found = deployment.control.orders.what_if(Scope(**scope))["corpora"]["network"]
        return found["items"], found["people"]

    assert asked() == (5, 3)
    assert asked(categories=frozenset({Category.IMAGE})) == (0, 0)
    # Of one item nobody knows when it was created: it may be in any window.
    assert asked(created_from=instant("2050-01-01")) == (1, 1)
    # What somebody elsewhere wrote involves somebody there: one person is there.
    assert asked(areas=frozenset({"UK"}), created_before=instant("2050-01-01")) == (2, 1)
    window = {"created_from": instant("2024-05-07"), "created_before": instant("2024-08-02")}
    assert asked(areas=frozenset({"EU"}), categories=frozenset({Category.POST}), **window) == (0, 0)


def test_what_if_names_the_models_that_never_held_a_lease(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    release = build(deployment)
    control.models.register("offline", releases=[release])
    control.models.register("tuned", base="offline")
    control.models.register("apart")
    found = control.orders.what_if(UK)
    assert found["models"] == found["no_longer_served"] == ["offline", "tuned"]
    named = control.orders.what_if(Scope(models=frozenset({"apart"})))
    assert named["models"] == named["no_longer_served"] == ["apart"]
    control.orders.suspend(UK, case="uk", origin=Origin.OWN_DECISION, reference="a test")
    served = {each: control.models.may_serve(each)["may"] for each in ("offline", "tuned", "apart")}
    assert served == {"offline": False, "tuned": False, "apart": True}, "as it was foreseen"


def test_what_if_counts_what_each_release_holds(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    before = build(deployment)
    order = suspend(deployment)
    without = build(deployment)
    deployment.ledger.append(control.orders.ends([order.order], OrderEnd.WITHDRAWN))
    everywhere = Scope(purposes=frozenset({Purpose.TRAIN_GENAI}))
    assert control.orders.what_if(everywhere)["releases"] == {before: 5, without: 3}
    assert control.orders.what_if(UK)["releases"] == {before: 2}
    images = control.orders.what_if(Scope(categories=frozenset({Category.IMAGE})))
    assert (images["releases"], images["corpora"]["network"]["items"]) == ({}, 0)
    # What cannot be read may hold anything.
    (control.desk.releases / without / EXCLUSIONS).write_bytes(b"something else")
    assert control.orders.what_if(UK)["releases"] == {before: 2, without: 1}
    # Rows mean nothing in other bytes: one may be hit for each file that nobody has as it was.
    write_corpus(folder, [ITEMS[:2], ITEMS[3:]])
    control.statements.register_corpus(folder / "corpus.toml")
    assert control.orders.what_if(Scope(areas=frozenset({"CH"})))["releases"] == {before: 1, without: 1}


def test_what_if_leaves_out_what_amendments_took_out_and_names_the_release_all_the_same(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    control = deployment.control
    release = build(deployment)
    lease, secret = grant(deployment, release)
    assert control.orders.what_if(UK)["releases"] == {release: 2}
    say(deployment, "us", reach=Reach.EVERYTHING)
    control.amendments.amend()
    # Of the two items that involve somebody in the UK, one is by who refused.
    assert control.orders.what_if(UK)["releases"] == {release: 1}
    say(deployment, "gb", reach=Reach.EVERYTHING)
    control.amendments.amend()
    found = control.orders.what_if(UK)
    assert (found["releases"], found["leases"]) == ({release: 0}, [lease.lease])
    suspend(deployment)
    with pytest.raises(ConsentryError, match=r"lease-revoked"):
        renew(deployment, lease, secret)


@pytest.fixture
def kinds(ready: Terminal) -> Terminal:
    """Three posts and an article of one person, one of the posts of May."""
    march, may = 1_710_000_000, 1_715_000_000
    items = [
        RawItem(id="p1", author="ada", created=march),
        RawItem(id="p2", author="ada", created=may, visibility="members"),
        RawItem(id="p3", author="ada", created=march),
        RawItem(id="i1", author="ada", created=march, category="article"),
    ]
    ready.run("corpus", "register", write_corpus(ready.folder, [items], form=Form(created="seconds")))
    return ready


def test_the_command_takes_the_scope_of_a_suspension(kinds: Terminal) -> None:
    ask = ("what-if", "network", "--policy", "september-2024")

    def left(*words: str) -> int:
        (change,) = kinds.run(*ask, *words)["corpora"].values()
        assert change["eligible"]["before"] == 4
        return int(change["eligible"]["after"])

    assert left("--suspend", "US") == 0
    assert left("--suspend", "US", "--category", "article") == 3
    assert left("--suspend", "GB", "--category", "article") == 4
    assert left("--category", "article", "--category", "post") == 0
    assert left("--visibility", "members") == 3
    found = kinds.run(*ask, "--suspend", "US", "--category", "article")
    assert found["suspended"] == ["US"]
    assert (found["scope"]["areas"], found["scope"]["categories"]) == (["US"], ["article"])
    said = kinds.run(*ask, "--suspend", "US", "--category", "article", as_json=False)
    assert "network: without US; article, by september-2024" in said
    assert "eligible 4 -> 3 (-1)" in said


def test_the_command_says_of_a_window_of_creation_what_a_census_cannot(kinds: Terminal) -> None:
    ask = ("what-if", "network", "--policy", "september-2024", "--category", "post", "--created-from", "2024-05-01")
    (change,) = kinds.run(*ask)["corpora"].values()
    assert (change["eligible"], change["undecided"]) == ({"before": 4, "after": 1}, 3)
    said = kinds.run(*ask, as_json=False)
    assert "without post; created from 2024-05-01, by september-2024" in said
    assert "3 items depend on when they were created: a census cannot tell." in said
    assert "Item by item: consentry suspend --dry-run" in said
    dry = ("suspend", "--case", "x", "--reference", "y", "--category", "post", "--created-from", "2024-05-01")
    assert kinds.run(*dry, "--dry-run")["corpora"]["network"]["items"] == 1, "which looks at each item"


def test_the_command_has_to_be_told_what_would_be_suspended(kinds: Terminal) -> None:
    assert "what would be suspended?" in kinds.run("what-if", status=2, as_json=False)
    empty = ("--created-from", "2024-05-01", "--created-before", "2024-05-01")
    kinds.fails("order-window-empty", "what-if", "--policy", "september-2024", *empty)
    assert "ATLANTIS" in kinds.run("what-if", "--suspend", "ATLANTIS", status=2, as_json=False)
