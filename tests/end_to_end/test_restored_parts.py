"""Parts of a home that come back from an older copy, or are lost: noticed before anything is decided from them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentry import bootstrap
from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.main import cli
from consentry.doctor.examination import examine
from consentry.doctor.finding import State
from consentry.errors import IntegrityError, StateError
from consentry.ledger.acknowledged import Acknowledged
from consentry.ledger.events import ChoiceMade, EventLost, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from end_to_end.network import RawItem, RawPerson, fresh, write_corpus, write_people
from end_to_end.telling import told_then

NOW = 1_730_000_000
POLICY = "september-2024"
NAMES = [f"u{number}" for number in range(1, 9)]
PEOPLE = [RawPerson(id=name) for name in NAMES]


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE[:3]))
        shutil.copytree(folder / "home" / "people", folder / "older")
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        items = [RawItem(id=f"i-{name}", author=name, created=NOW - 9) for name in NAMES]
        deployment.control.statements.register_corpus(write_corpus(folder, [items]))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        refuse(deployment, "u5")
        yield folder, deployment


def refuse(deployment: Deployment, name: str, *, reach: Reach = Reach.UNTRAINED) -> None:
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=reach, at=NOW)
    deployment.control.statements.choose(
        [ChoiceMade(person=deployment.person(name), choice=choice, source=Source.FORM)]
    )


def eligible(deployment: Deployment) -> set[str]:
    built = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest
    (file,) = built.files
    release = deployment.control.releases.open(built.release)
    return {name for row, name in enumerate(NAMES) if not release.excludes(file, row)}


@pytest.mark.parametrize("lost", ["all", "index.json", "newer"])
def test_people_are_not_numbered_anew_beside_sidecars(place: tuple[Path, Deployment], lost: str) -> None:
    folder, deployment = place
    home = folder / "home"
    deployment.close()
    if lost == "index.json":
        (home / "people" / "index.json").unlink()
    else:
        shutil.rmtree(home / "people")
    if lost == "newer":
        shutil.copytree(folder / "older", home / "people")
    with pytest.raises(IntegrityError, match="people-index-behind"):
        open_deployment(home)
    # Without a backup everything that holds numbers is made anew; people in another order get other ones.
    shutil.rmtree(home / "corpora")
    again = open_deployment(home)
    again.control.statements.load_people(write_people(folder / "people", PEOPLE[::-1]))
    again.control.statements.register_corpus(folder / "corpus.toml")
    assert eligible(again) == {*NAMES} - {"u5"}
    again.close()


def test_control_without_the_comparison_refused_people_are_let_through(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    deployment.close()
    shutil.rmtree(folder / "home" / "people")
    monkeypatch.setattr(bootstrap, "seats_in_use", lambda _: 0)
    again = open_deployment(folder / "home")
    again.control.statements.load_people(write_people(folder / "people", PEOPLE[::-1]))
    assert "u5" in eligible(again)
    again.close()


def copied(folder: Path) -> None:
    """Make a backup of the ledger while it is in use."""
    ledger = folder / "home" / "ledger.db"
    with closing(sqlite3.connect(ledger)) as live, closing(sqlite3.connect(folder / "older.db")) as copy:
        live.backup(copy)


def restored(folder: Path, backup: str = "older.db") -> None:
    """Put a backup of the ledger, which nobody has open, in its place."""
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (folder / "home" / name).unlink(missing_ok=True)
    shutil.copy(folder / backup, folder / "home" / "ledger.db")


NOTES = ("acknowledged", "overseen.json")


def without(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "home" / name).unlink(missing_ok=True)


def test_an_older_ledger_is_not_built_on(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    copied(folder)
    assert eligible(deployment) == {*NAMES} - {"u5"}
    deployment.close()
    shutil.copy(folder / "home" / "ledger.db", folder / "newest.db")
    kept = {name: (folder / "home" / name).read_bytes() for name in NOTES if (folder / "home" / name).exists()}
    restored(folder)
    with pytest.raises(IntegrityError, match="ledger-older"):
        open_deployment(folder / "home")
    # The control: what was noted is what shows it.
    without(folder, *NOTES)
    open_deployment(folder / "home").close()
    for name, content in kept.items():
        (folder / "home" / name).write_bytes(content)
    restored(folder, "newest.db")
    open_deployment(folder / "home").close()


def say(folder: Path, deployment: Deployment, what: str) -> None:
    control = deployment.control
    match what:
        case "refusal":
            refuse(deployment, "u6")
        case "policy":
            control.statements.publish(shipped()["opt-in-only"], "opt-in-only")
        case "link":
            control.statements.link(deployment.person("u6"), deployment.person("u5"))
        case "erasure":
            control.statements.erase([deployment.person("u5")])
        case "people":
            control.statements.load_people(write_people(folder / "people", PEOPLE))
        case "notice":
            told_then(deployment, "n-1", [deployment.person("u6")], at=NOW)
        case _:
            control.objections.file("a link", answer_to="an address")


SAID = ("refusal", "policy", "link", "erasure", "people", "notice", "objection")


@pytest.mark.parametrize("what", SAID)
def test_a_ledger_that_forgot_one_thing_somebody_said_is_not_opened(place: tuple[Path, Deployment], what: str) -> None:
    folder, deployment = place
    copied(folder)
    say(folder, deployment, what)
    deployment.close()
    restored(folder)
    with pytest.raises(IntegrityError, match="ledger-older"):
        open_deployment(folder / "home")


def test_control_without_the_note_a_forgotten_refusal_is_built_on(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    copied(folder)
    refuse(deployment, "u6")
    deployment.close()
    restored(folder)
    without(folder, "acknowledged")
    again = open_deployment(folder / "home")
    assert "u6" in eligible(again)
    again.close()


def assert_told_of_receipts(folder: Path) -> None:
    home, key = str(folder / "home"), str(folder / "home" / "keys" / "signing.pub.pem")
    for name, words, status in (("u5", "has what it is of", 0), ("u6", "LOST what it is of", 3)):
        file = str(folder / f"{name}.json")
        for told in (["--home", home], ["--home", str(folder / "none")]):
            offline = told[1] != home
            words_of = [*told, "receipt", "verify", file, "--key", key]
            found = CliRunner().invoke(cli, words_of, catch_exceptions=False, standalone_mode=False)
            assert "The receipt is signed and unaltered." in found.output
            assert ("Whether it still stands is told by the ledger" in found.output) == offline
            assert (words in found.output) != offline
            assert found.return_value == (0 if offline else status)
    assert not (folder / "none").exists()


def test_going_on_with_an_older_copy_takes_every_lost_position(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    copied(folder)
    head = deployment.ledger.head()
    refuse(deployment, "u6")
    for name in ("u5", "u6"):
        (folder / f"{name}.json").write_bytes(deployment.control.receipts.for_choice(deployment.person(name)))
    assert eligible(deployment) == {*NAMES} - {"u5", "u6"}
    (lost_release,) = deployment.control.desk.present().state.releases
    deployment.close()
    restored(folder)
    gone_on = bootstrap.accept_older(folder / "home", by="olga", reference="disk of 3 May")
    assert gone_on.lost == range(head, head + 2)
    assert gone_on.aside == (lost_release,)
    assert (folder / "home" / "lost-releases" / lost_release).is_dir()
    again = open_deployment(folder / "home")
    assert [event.body for event in again.ledger.read(head)] == [EventLost(reference="disk of 3 May", by="olga")] * 2
    assert not again.control.desk.present().state.releases
    (lost,) = again.control.desk.present().overseen.lost
    assert (lost.first, lost.last, lost.events, lost.reference) == (head, head + 1, 2, "disk of 3 May")
    (told,) = [each for each in examine(folder / "home", at=NOW) if each.name == "lost events"]
    assert (told.state, told.found) == (
        State.MISSING,
        f"positions {head} to {head + 1}: lost with the newest ledger (disk of 3 May)",
    )
    refuse(again, "u6")
    assert eligible(again) == {*NAMES} - {"u5", "u6"}
    again.close()
    assert_told_of_receipts(folder)
    with pytest.raises(StateError, match="ledger-not-older"):
        bootstrap.accept_older(folder / "home", by="olga", reference="again")
    open_deployment(folder / "home").close()


@pytest.mark.parametrize("kept", [NOTES, NOTES[:1], NOTES[1:]])
def test_going_on_where_the_last_word_was_an_order(place: tuple[Path, Deployment], kept: tuple[str, ...]) -> None:
    folder, deployment = place
    copied(folder)
    head = deployment.ledger.head()
    refuse(deployment, "u6")
    deployment.control.cases.open("ico", title="a concern", reference="letter", by="olga")
    deployment.control.cases.begin_review("ico", by="olga")
    deployment.close()
    restored(folder)
    without(folder, *({*NOTES} - {*kept}))
    assert bootstrap.accept_older(folder / "home", by="olga", reference="x").lost == range(head, head + 3)
    again = open_deployment(folder / "home")
    assert again.control.cases.every() == []
    again.close()


@pytest.mark.parametrize(
    ("damaged", "content", "code"),
    [
        (NOTES[:1], b"x" * 128, "ledger-newest-damaged"),
        (NOTES[1:], b"x" * 128, "order-newest-damaged"),
        (NOTES[1:], b'{"position": 3}', "order-newest-damaged"),
        (NOTES[1:], b"", "order-newest-damaged"),
        (NOTES, b"x" * 128, "ledger-newest-damaged"),
    ],
)
def test_a_note_that_cannot_be_read_is_gone_on_from_on_record(
    place: tuple[Path, Deployment], damaged: tuple[str, ...], content: bytes, code: str
) -> None:
    folder, deployment = place
    deployment.control.cases.open("ico", title="a concern", reference="letter", by="olga")
    head = deployment.ledger.head()
    deployment.close()
    for name in damaged:
        assert (folder / "home" / name).exists()
        (folder / "home" / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=code) as caught:
        open_deployment(folder / "home")
    assert "consentry ledger accept-older" in str(caught.value.help)
    assert bootstrap.accept_older(folder / "home", by="olga", reference="x").lost == range(head, head + 1)
    again = open_deployment(folder / "home")
    assert [type(event.body) for event in again.ledger.read(head, head + 1)] == [EventLost]
    again.control.cases.begin_review("ico", by="olga")
    again.close()
    open_deployment(folder / "home").close()
    with pytest.raises(StateError, match="ledger-not-older"):
        bootstrap.accept_older(folder / "home", by="olga", reference="again")


@pytest.mark.parametrize("kept", NOTES)
def test_an_older_copy_is_gone_on_with_by_the_note_that_can_be_read(place: tuple[Path, Deployment], kept: str) -> None:
    folder, deployment = place
    copied(folder)
    head = deployment.ledger.head()
    refuse(deployment, "u6")
    deployment.control.cases.open("ico", title="a concern", reference="letter", by="olga")
    deployment.close()
    restored(folder)
    (damaged,) = {*NOTES} - {kept}
    (folder / "home" / damaged).write_bytes(b"x" * 128)
    assert bootstrap.accept_older(folder / "home", by="olga", reference="x").lost == range(head, head + 2)
    open_deployment(folder / "home").close()


def test_a_home_of_before_there_were_notes_has_one_once_it_was_opened(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    copied(folder)
    refuse(deployment, "u6")
    deployment.close()
    without(folder, *NOTES)
    open_deployment(folder / "home").close()
    restored(folder)
    with pytest.raises(IntegrityError, match="ledger-older"):
        open_deployment(folder / "home")


def test_killed_before_the_notes_are_changed_no_lost_release_is_taken_for_a_leftover(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, deployment = place
    copied(folder)
    eligible(deployment)
    (release,) = deployment.control.desk.present().state.releases
    deployment.close()
    restored(folder)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as at:
        at.setattr(Acknowledged, "take_for_newest", killed)
        with pytest.raises(KeyboardInterrupt):
            bootstrap.accept_older(folder / "home", by="olga", reference="x")
    assert (folder / "home" / "lost-releases" / release).is_dir()
    with pytest.raises(IntegrityError, match="ledger-older"):
        open_deployment(folder / "home")
    bootstrap.accept_older(folder / "home", by="olga", reference="x")
    open_deployment(folder / "home").close()
    assert (folder / "home" / "lost-releases" / release).is_dir()


def test_a_copy_that_went_another_way_is_noticed_and_can_be_gone_on_with(place: tuple[Path, Deployment]) -> None:
    """Somebody removed the note, wrote on, and put it back: the ledger is longer, and another one."""
    folder, deployment = place
    copied(folder)
    refuse(deployment, "u6")
    deployment.close()
    note = (folder / "home" / "acknowledged").read_bytes()
    restored(folder)
    without(folder, "acknowledged")
    other = open_deployment(folder / "home")
    for name in ("u1", "u2", "u3"):
        refuse(other, name)
    head = other.ledger.head()
    other.close()
    (folder / "home" / "acknowledged").write_bytes(note)
    with pytest.raises(IntegrityError, match="ledger-older"):
        open_deployment(folder / "home")
    assert bootstrap.accept_older(folder / "home", by="olga", reference="x").lost == range(head, head + 1)
    open_deployment(folder / "home").close()


@pytest.mark.parametrize("forgotten", ["seal", "release withdrawn", "model withdrawn", "model registered", "amendment"])
@pytest.mark.parametrize("note", ["acknowledged", "overseen.json"])
def test_a_ledger_that_forgot_what_was_sealed_or_withdrawn_is_not_opened(
    place: tuple[Path, Deployment], forgotten: str, note: str
) -> None:
    """Either note shows it: one is flushed, the other is of everything."""
    folder, deployment = place
    control = deployment.control
    release = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
    control.models.register("m", releases=[release])
    copied(folder)
    match forgotten:
        case "seal":
            control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)
        case "release withdrawn":
            control.releases.withdraw(release, "case 7", by="olga")
        case "model withdrawn":
            control.models.withdraw("m", "case 7", by="ml")
        case "model registered":
            control.models.register("tuned", base="m")
        case _:
            refuse(deployment, "u6", reach=Reach.EVERYTHING)
    deployment.close()
    restored(folder)
    without(folder, *({*NOTES} - {note}))
    with pytest.raises(IntegrityError, match="ledger-older"):
        open_deployment(folder / "home")


@pytest.mark.parametrize("by", ["ledger", "table"])
def test_who_is_linked_to_somebody_erased_is_left_out(place: tuple[Path, Deployment], by: str) -> None:
    """What the erased account refused nobody knows any more."""
    folder, deployment = place
    assert "u4" in eligible(deployment)
    deployment.control.statements.erase([deployment.person("u5")])
    assert "u4" in eligible(deployment)
    if by == "ledger":
        deployment.control.statements.link(deployment.person("u4"), deployment.person("u5"))
    else:
        linked = [RawPerson(id=each.id, same_as="u5" if each.id == "u4" else None) for each in PEOPLE]
        deployment.control.statements.load_people(write_people(folder / "people", linked))
    assert eligible(deployment) == {*NAMES} - {"u4", "u5"}
