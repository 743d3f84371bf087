"""What an authority is shown of releases and models: all that is by or about people there, whoever moves away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pyroaring import BitMap64

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.sidecar import Sidecar
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.statement_events import Says
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.release.in_scope import ScopeTables, rows_in_scope
from end_to_end.model_steps import train
from end_to_end.network import RawItem, RawPerson, populated, write_people
from end_to_end.test_orders_of_dates import load, suspend
from end_to_end.test_story import BEFORE, ITEMS, NOW, PEOPLE, POLICY, build, eligible, say
from service.authorities import ANPD, CNIL

BRAZIL = ANPD.areas
ABOUT_BO = (
    RawItem(id="a1", author="ada", created=BEFORE, involves=("bo",)),
    RawItem(id="a2", author="ada", created=BEFORE),
)
Place = tuple[Path, Deployment]


@pytest.fixture
def about() -> Iterator[Place]:
    """An item of somebody in the US about somebody in Brazil, and one about nobody."""
    with populated([ABOUT_BO], PEOPLE, POLICY) as place:
        yield place


@pytest.fixture
def own() -> Iterator[Place]:
    """An item of somebody in Brazil, among others."""
    with populated([ITEMS[:4], ITEMS[4:]], PEOPLE, POLICY) as place:
        yield place


def models(deployment: Deployment, areas: frozenset[str] = BRAZIL) -> dict[str, tuple[int | None, int | None]]:
    found = deployment.control.authority_view.models(areas)["models"]
    return {each["model"]: (each["in_releases"], each["items"]) for each in found}


def releases(deployment: Deployment, areas: frozenset[str] = BRAZIL) -> dict[str, int | None]:
    return {each["release"]: each["items"] for each in deployment.control.authority_view.releases(areas)["releases"]}


def test_people_who_are_only_involved_are_seen(about: Place) -> None:
    control, release = about[1].control, build(about[1])
    train(about[1], release, "drafts", [[0, 0, 2]])
    suspend(about[1], Scope(areas=BRAZIL))
    assert control.orders.barring(release) is not None
    assert releases(about[1]) == {release: 1}
    assert models(about[1]) == {"drafts": (1, 1)}
    assert control.authority_view.start(BRAZIL)["trained_on"] == {
        "releases": 1, "items_in_newest": {"network": 1}, "models": 1
    }  # fmt: skip
    scope = Scope(areas=BRAZIL, models=frozenset({"drafts"}))
    drafted = control.authority.draft(Says.SUSPEND, who=ANPD.signatory, case="anpd-1", reference="x", scope=scope)
    assert drafted.scope == scope
    assert (releases(about[1], CNIL.areas), models(about[1], CNIL.areas)) == ({}, {})
    assert not control.authority_view.model_names(CNIL.areas)


def leave(place: Place) -> None:
    load(place, "US")


def come_and_go(place: Place) -> None:
    load(place, "BR")
    load(place, "US", [*PEOPLE, RawPerson(id="new")])


def be_erased(place: Place) -> None:
    place[1].control.statements.erase([place[1].person("bo")])


@pytest.mark.parametrize("then", [leave, come_and_go, be_erased])
def test_what_was_counted_stays_when_people_are_loaded_anew_or_erased(
    own: Place, then: Callable[[Place], None]
) -> None:
    if then is come_and_go:
        leave(own)
    release = build(own[1])
    train(own[1], release, "drafts", [[0, 0, 4]])
    then(own)
    assert releases(own[1]) == {release: 1}
    assert models(own[1]) == {"drafts": (1, 1)}
    own[1].close()
    restarted = open_deployment(own[0] / "home")
    assert (releases(restarted), models(restarted)) == ({release: 1}, {"drafts": (1, 1)})
    restarted.close()


def test_what_left_a_release_is_counted_apart(own: Place) -> None:
    """It was sealed with it, and holds it no more: neither for jobs that begin, nor as the newest."""
    deployment, control = own[1], own[1].control
    release = build(deployment)
    first = control.authority_view.releases(BRAZIL)["releases"]
    assert [(each["items"], each["left"]) for each in first] == [(1, 0)]
    no = Choice(purpose=Purpose.TRAIN_AI, state=ChoiceState.REFUSED, reach=Reach.EVERYTHING, at=NOW)
    control.statements.choose([ChoiceMade(person=deployment.person("bo"), choice=no, source=Source.IMPORT)])
    control.releases.data_files(release)
    (found,) = control.authority_view.releases(BRAZIL)["releases"]
    assert (found["items"], found["left"], found["amendments"]) == (1, 1, 1)
    assert control.authority_view.start(BRAZIL)["trained_on"]["items_in_newest"] == {"network": 0}


def test_of_an_amendment_that_cannot_be_read_nobody_knows_how_much_left(own: Place) -> None:
    release = build(own[1])
    say(own[1], "bo", reach=Reach.EVERYTHING, at=NOW)
    (amendment,) = own[1].control.desk.present().amendments.of(release)
    own[1].close()
    (path,) = (own[0] / "home" / "objects").rglob(f"*{amendment.document[-40:]}")
    path.rename(path.with_name("away"))
    view = open_deployment(own[0] / "home")
    (found,) = view.control.authority_view.releases(BRAZIL)["releases"]
    assert (found["items"], found["left"]) == (1, None)
    assert view.control.authority_view.start(BRAZIL)["trained_on"]["items_in_newest"] == {"network": None}
    path.with_name("away").rename(path)
    (found,) = view.control.authority_view.releases(BRAZIL)["releases"]
    assert found["left"] == 1
    view.close()


def test_who_withdraws_while_an_authority_looks_has_no_file_looked_through_again(
    own: Place, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, view = own[1], own[1].control.authority_view
    monkeypatch.setattr("consentry.control_plane.rows_there._KEPT_ROWS", 0)
    names = [build(deployment) for _ in range(2)]
    for model, name in zip(("old", "new"), names, strict=True):
        train(deployment, name, model, None)
    find, others, looks = view._content.find, iter(["bo", "ada"]), list[int]()

    def found(*asked: Any) -> Any:
        before = find(*asked)
        looks.append(len(looked))
        for who in islice(others, 1):
            say(deployment, who, reach=Reach.EVERYTHING, at=NOW)
        return before

    monkeypatch.setattr(view._content, "find", found)
    said = {each["release"]: (each["left"], each["amendments"]) for each in view.releases(BRAZIL)["releases"]}
    assert said == dict.fromkeys(names, (1, 2))
    assert 0 < looks[0] == looks[1] == looks[2]


def test_what_left_is_remembered_however_many_items_there_are(
    own: Place, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, control = own[1], own[1].control
    monkeypatch.setattr("consentry.control_plane.rows_there._KEPT_ROWS", 0)
    for _ in range(2):
        build(deployment)

    def left() -> list[int]:
        return [each["left"] for each in control.authority_view.releases(BRAZIL)["releases"]]

    assert left() == [0, 0]
    for who in ("bo", "ada"):
        say(deployment, who, reach=Reach.EVERYTHING, at=NOW)
        assert left() == [1, 1]
        assert looked
        looked.clear()
        assert left() == [1, 1]
        assert not looked


@pytest.mark.parametrize("late", [False, True], ids=["linked before the seal", "linked after it"])
def test_where_a_linked_account_lived_counts_after_an_erasure(*, late: bool) -> None:
    alone = [replace(each, involves=()) for each in ITEMS]
    with populated([alone], [*PEOPLE, RawPerson(id="bo-too", country="CA")], POLICY) as place:
        control, canada = place[1].control, frozenset({"CA"})
        said = [place[1].person("bo"), place[1].person("bo-too")]
        if not late:
            control.statements.link(*said)
        release = build(place[1])
        train(place[1], release, "drafts", [[0, 0, len(alone)]])
        if late:
            assert releases(place[1], canada) == {}
            control.statements.link(*said)
        assert (releases(place[1], canada), models(place[1], canada)) == ({release: 2}, {"drafts": (2, 2)})
        control.statements.erase(said[1:])
        assert (releases(place[1], canada), models(place[1], canada)) == ({release: 2}, {"drafts": (2, 2)})


def test_what_a_model_read_is_a_part_of_what_its_releases_hold(about: Place) -> None:
    """An item that two releases hold is one, as it is of those that were read."""
    first = build(about[1])
    train(about[1], first, "drafts", [[0, 0, 1]])
    train(about[1], build(about[1]), "drafts", [[0, 0, 2]])
    assert models(about[1]) == {"drafts": (1, 1)}
    load(about, "BR", [replace(each, country="BR") if each.id == "ada" else each for each in PEOPLE])
    assert models(about[1]) == {"drafts": (2, 2)}


def test_it_is_what_looking_at_each_item_finds(own: Place) -> None:
    tables: list[list[RawPerson]] = [list(PEOPLE)]
    sealed: dict[str, tuple[int, set[str]]] = {}

    def seal() -> None:
        name = build(own[1])
        sealed[name] = len(tables) - 1, eligible(own[1], name)

    seal()
    for countries in ({"bo": "US", "ada": "CA"}, {"gb": "MX"}, {"ada": "BR"}):
        tables.append([replace(each, country=countries.get(str(each.id), each.country)) for each in tables[-1]])
        own[1].control.statements.load_people(write_people(own[0] / "people", tables[-1]))
        seal()
    for place in ("BR", "US", "CA", "MX", "FR"):
        expected = {
            name: len({each for each in items if _there(each, place, tables[table:])})
            for name, (table, items) in sealed.items()
        }
        assert releases(own[1], frozenset({place})) == {name: count for name, count in expected.items() if count}


def _there(item: str, place: str, tables: Sequence[Sequence[RawPerson]]) -> bool:
    found = next(each for each in ITEMS if each.id == item)
    involved = {found.author, *(found.involves or ())}
    return any({_owner(each) for each in table if each.country == place} & {*map(_named, involved)} for table in tables)


def _owner(person: RawPerson) -> Any:
    return person.same_as or person.id


def _named(person: Any) -> Any:
    return next((_owner(each) for each in PEOPLE if each.id == person), person)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were looked through."""
    found = list[str]()

    def noted(sidecar: Sidecar, look: ScopeTables) -> BitMap64:
        found.append(sidecar.pin.path)
        return rows_in_scope(sidecar, look)

    monkeypatch.setattr("consentry.control_plane.rows_there.rows_in_scope", noted)
    return found


def test_files_are_looked_through_once_for_all_releases_of_them(about: Place, looked: list[str]) -> None:
    names = [build(about[1]) for _ in range(3)]
    assert releases(about[1]) == dict.fromkeys(names, 1)
    models(about[1])
    assert len(looked) == 1
    assert releases(about[1], CNIL.areas) == {}
    assert len(looked) == 1, "nobody there is known, so there is nothing to look for"


def test_what_the_counts_of_a_release_exclude_is_not_looked_for(looked: list[str]) -> None:
    """They do where items involve nobody but their owners, and nothing was said of these since."""
    alone = [replace(each, involves=()) for each in ITEMS]
    with populated([alone], PEOPLE, POLICY) as place:
        release, uk = build(place[1]), frozenset({"UK"})
        assert releases(place[1], uk) == {release: 0}, "that of somebody there was left out"
        assert not looked
        load(place, "GB")
        assert releases(place[1], uk) == {release: 2}
        assert looked


def test_only_so_much_is_remembered_of_all_authorities(own: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for longest ago goes, also of where nothing was found; asked for again it is found again."""
    names, areas = [build(own[1]) for _ in range(2)], [BRAZIL, CNIL.areas, frozenset({"US"})]
    content = own[1].control.authority_view._content
    counted, found = list[str](), list[str]()

    def noting(noted: list[str], looks: Callable[..., Any]) -> Callable[..., Any]:
        def look(name: str, *more: Any) -> Any:
            noted.append(name)
            return looks(name, *more)

        return look

    monkeypatch.setattr(content.archive, "open", noting(counted, content.archive.open))
    monkeypatch.setattr(content.rows, "_rows", noting(found, content.rows._rows))
    said = [releases(own[1], each) for each in areas]
    counted.clear()
    found.clear()
    assert [releases(own[1], each) for each in areas] == said
    assert (counted, found) == ([], []), "there is room for all"
    for module, kept in (("rows_there", "KEPT_COUNTS"), ("content_there", "KEPT_COUNTS"), ("rows_there", "_KEPT_ROWS")):
        monkeypatch.setattr(f"consentry.control_plane.{module}.{kept}", 0, raising=False)
    build(own[1])
    releases(own[1], areas[1])
    counted.clear()
    found.clear()
    assert {name: releases(own[1], areas[0])[name] for name in names} == said[0]
    assert {*names} <= {*counted} & {*found}


def test_what_cannot_be_read_for_a_moment_is_not_known_for_that_moment(about: Place) -> None:
    release = build(about[1])
    train(about[1], release, "drafts", [[0, 0, 2]])
    corpora = about[0] / "home" / "corpora"
    corpora.rename(corpora.with_name("away"))
    assert models(about[1]) == {"drafts": (None, None)}
    corpora.with_name("away").rename(corpora)
    assert models(about[1]) == {"drafts": (1, 1)}
