"""The home that a demo leaves: not played over while it is served, and opened with a way in for everybody."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx2
import pytest
from click.testing import CliRunner

from consentry.accounts.access import Role
from consentry.bootstrap import open_deployment
from consentry.cli import demo
from consentry.cli.called import CALLED_VARIABLE
from consentry.cli.demo_pages import AUTHORITY, OFFICER, _accounts
from consentry.cli.main import cli
from consentry.errors import StateError
from consentry.service.homes import LOCK_FILE, alone


def test_a_home_that_is_served_is_not_played_over(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert demo.SERVE_LOCK == LOCK_FILE
    demo._fresh_home(home)
    (home / "ledger.db").touch()
    with alone(home), pytest.raises(StateError, match=r"is served right now.*demo-home-in-use"):
        demo._fresh_home(home)
    assert (home / "ledger.db").exists()
    demo._fresh_home(home)
    assert not (home / "ledger.db").exists()


def test_it_ends_with_four_places_to_look_at_and_a_way_to_another_link(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    open_deployment(home, embedded=True).close()
    code = (
        "import sys, pathlib; from consentry.cli.demo_pages import show_pages; from consentry.cli.output import Output;"
        "show_pages(pathlib.Path(sys.argv[1]), Output(), person=sys.argv[2])"
    )
    asked = [sys.executable, "-c", code, str(home), "-member 1"]
    environment = {**os.environ, CALLED_VARIABLE: "./run"}
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True, env=environment) as served:
        try:
            said = list(_until(served.stdout, "Stop with"))
            addresses = [each.split("?")[0] for each in said if each.startswith("http")]
            base = addresses[1].removesuffix("/console")
            assert addresses == [f"{base}{path}" for path in ("/me/enter", "/console", "/authority", "/transparency")]
            (command,) = [each for each in said if each.startswith("./run consentry ")]
            made = CliRunner().invoke(cli, shlex.split(command)[2:], catch_exceptions=False)
            for link in (next(each for each in said if "/me/enter" in each), made.stdout.strip()):
                answer = httpx2.get(link)
                assert (answer.status_code, answer.headers.get("location")) == (303, "/me"), answer.text
        finally:
            served.terminate()


def _until(stream: IO[str] | None, last: str) -> Iterator[str]:
    """Yield what is said, line by line, up to one that begins in a certain way."""
    assert stream is not None
    for line in stream:
        yield line.strip()
        if line.startswith(last):
            return


def test_the_authority_that_looked_in_the_story_keeps_its_account(tmp_path: Path) -> None:
    deployment = open_deployment(tmp_path / "home", embedded=True)
    with deployment.admission() as admission:
        admission.add(
            AUTHORITY, roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password="several words of a story"
        )
    password = _accounts(deployment)
    with deployment.admission() as admission:
        assert {each.handle for each in admission.all()} == {AUTHORITY, OFFICER}
        for handle in (AUTHORITY, OFFICER):
            assert admission.by_session(admission.sign_in(handle, password)).handle == handle
    deployment.close()
