"""A whole home, or a ledger in PostgreSQL, that comes back from an older backup: noticed by a note elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentry import bootstrap
from consentry.bootstrap import migrate, open_deployment
from consentry.cli.main import cli
from consentry.doctor import deployment as doctor
from consentry.doctor.examination import examine
from consentry.doctor.finding import State
from consentry.errors import ConsentryError, IntegrityError
from consentry.settings import PREFIX, read_settings
from end_to_end.two_homes import URL, refuse
from ledger.conftest import _database, _within, postgres_url  # noqa: F401 - a fixture

FOLDER = PREFIX + "ACKNOWLEDGED_FOLDER"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside of the home that the settings name."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


def begin(home: Path) -> None:
    deployment = open_deployment(home)
    refuse(deployment, "p1")
    deployment.close()


def go_on(home: Path) -> int:
    """Say something more, and return the head."""
    deployment = open_deployment(home)
    refuse(deployment, "p2")
    deployment.close()
    return deployment_head(home)


def deployment_head(home: Path) -> int:
    deployment = open_deployment(home)
    head = deployment.ledger.head()
    deployment.close()
    return head


def restored(home: Path, backup: Path) -> None:
    shutil.rmtree(home)
    shutil.copytree(backup, home)


def older_home(tmp_path: Path) -> tuple[Path, int]:
    """Return a home that was restored as a whole, and the head of the ledger that was lost."""
    home = tmp_path / "home"
    begin(home)
    shutil.copytree(home, tmp_path / "backup")
    head = go_on(home)
    restored(home, tmp_path / "backup")
    return home, head


def code_of(home: Path) -> str:
    with pytest.raises(ConsentryError) as caught:
        open_deployment(home)
    return caught.value.code


def test_a_whole_home_that_is_older_is_refused(tmp_path: Path, elsewhere: Path) -> None:
    home, head = older_home(tmp_path)
    assert len(list(elsewhere.iterdir())) == 1
    assert code_of(home) == "ledger-older"
    listed = CliRunner().invoke(cli, ["--home", str(home), "order", "list"], standalone_mode=False)
    assert isinstance(listed.exception, IntegrityError), "orders are given without the rest of the home"
    assert listed.exception.code == "ledger-older"
    assert "ledger accept-older --by HANDLE --reference TEXT" in str(listed.exception.help), "all that it takes"
    assert bootstrap.accept_older(home, by="olga", reference="disk of 3 May").lost == range(head - 1, head)
    assert deployment_head(home) == head
    go_on(home)


def test_control_without_a_second_note_it_is_built_on(tmp_path: Path) -> None:
    home, head = older_home(tmp_path)
    assert deployment_head(home) == head - 1
    (told,) = [each for each in examine(home) if each.name == "second note"]
    assert told.state is State.MISSING
    assert "acknowledged_folder" in told.remedy


def test_a_folder_that_is_named_later_has_the_newest_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    begin(home)
    shutil.copytree(home, tmp_path / "backup")
    go_on(home)
    elsewhere.mkdir()
    monkeypatch.setenv(FOLDER, str(elsewhere))
    open_deployment(home).close()
    restored(home, tmp_path / "backup")
    assert code_of(home) == "ledger-older"


def test_without_its_folder_nothing_is_opened(tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    begin(home)
    elsewhere.rename(tmp_path / "not-mounted")
    assert code_of(home) == "ledger-note-folder"
    assert doctor.second_note(read_settings(home)).state is State.PROBLEM
    (home / "notes").mkdir()
    monkeypatch.setenv(FOLDER, str(home / "notes"))
    assert code_of(home) == "ledger-note-folder"
    monkeypatch.setenv(FOLDER, "notes")
    assert code_of(home) == "settings-bad-value"


def test_several_deployments_note_in_one_folder(tmp_path: Path, elsewhere: Path) -> None:
    for name, more in (("one", 3), ("two", 1)):
        begin(tmp_path / name)
        for _ in range(more):
            go_on(tmp_path / name)
    for name in ("one", "two"):
        open_deployment(tmp_path / name).close()
    assert len(list(elsewhere.iterdir())) == 2


@pytest.fixture
def server(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:  # noqa: F811 - the fixture
    """The name of an empty database, in which the ledger is."""
    monkeypatch.setenv("CONSENTRY_LEDGER_REPLICA_REQUIRED", "false")
    with _database(postgres_url, template="template0") as name:
        monkeypatch.setenv(URL, address(postgres_url, name))
        yield name


def address(url: str, name: str) -> str:
    return _within(url, name).replace("postgresql://", "postgresql+psycopg://")


def test_a_ledger_in_postgresql_that_is_older_than_its_home_is_refused(
    tmp_path: Path,
    server: str,
    postgres_url: str,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    migrate(home)
    begin(home)
    with _database(postgres_url, template=server) as backup:
        head = go_on(home)
        monkeypatch.setenv(URL, address(postgres_url, backup))
        assert code_of(home) == "ledger-older"
        assert bootstrap.accept_older(home, by="olga", reference="disk of 3 May").lost == range(head - 1, head)
        assert deployment_head(home) == head


def test_a_home_and_its_ledger_in_postgresql_that_are_both_older_are_refused(
    tmp_path: Path,
    server: str,
    postgres_url: str,  # noqa: F811 - the fixture
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    migrate(home)
    begin(home)
    shutil.copytree(home, tmp_path / "backup")
    with _database(postgres_url, template=server) as backup:
        go_on(home)
        restored(home, tmp_path / "backup")
        monkeypatch.setenv(URL, address(postgres_url, backup))
        assert code_of(home) == "ledger-older"
        # The control: the note elsewhere is what shows it.
        monkeypatch.delenv(FOLDER)
        open_deployment(home).close()
    assert elsewhere.is_dir()
