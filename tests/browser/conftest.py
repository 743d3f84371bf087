"""A real browser before the real service, with the data of the demo's story in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from consentry.accounts.access import Role
from consentry.accounts.admission import Admission
from consentry.accounts.member_link import LinkKeys, claims_for
from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.demo_pages import somebody_in
from consentry.cli.main import cli
from consentry.service.gate import COOKIE
from service.at_work import in_thread

PASSWORD = "correct horse battery staple"
STAFF = {
    "olga": Role.PRIVACY_OFFICER,
    "peter": Role.POLICY_APPROVER,
    "emma": Role.ML_ENGINEER,
    "sam": Role.SUPPORT,
    "ada": Role.AUDITOR,
    "ruth": Role.ADMINISTRATOR,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", help="A folder to put a picture of every page into.")


@dataclass
class World:
    """A deployment with a story, and who can sign in to it."""

    deployment: Deployment
    url: str
    folder: Path
    members: dict[str, str]
    admission: Admission
    sessions: dict[str, str] = field(default_factory=dict)

    def link(self, person: str, **facts: str) -> str:
        """Return the address by which the platform sends a member."""
        settings, now = self.deployment.settings, self.deployment.control.desk.parts.clock()
        claims = claims_for(person, audience=settings.audience, now=now, facts=facts)
        return f"{self.url}/me/enter?token={LinkKeys(settings.home / 'keys').signed(claims)}"

    def session(self, handle: str) -> str:
        """Return the cookie of an account that signed in."""
        if handle not in self.sessions:
            self.sessions[handle] = self.admission.sign_in(handle, PASSWORD)
        return self.sessions[handle]

    def filled(self, path: str) -> str:
        """Return the path of a page with the names of releases in it."""
        names = list(self.deployment.control.releases.sealed())
        return path.format(before=names[0], release=names[-1])


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    home = folder / "home"
    played = CliRunner().invoke(
        cli, ["--json", "--home", str(home), "demo", "--people", "2000", "--items", "20000"], catch_exceptions=False
    )
    assert played.exit_code == 0, played.output
    deployment = open_deployment(home, embedded=True)
    people = {"member": somebody_in(home / "content", "GB"), "minor": minor_in(home / "content", "GB")}
    try:
        with deployment.admission() as admission, in_thread(deployment) as ask:
            for handle, role in STAFF.items():
                admission.add(handle, roles=frozenset({role}), password=PASSWORD)
            admission.add("ico", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password=PASSWORD)
            yield World(deployment, ask.url, folder, {name: id_ for name, id_ in people.items() if id_}, admission)
    finally:
        deployment.close()


def minor_in(content: Path, country: str) -> str | None:
    """Return the id of a member under age whose account says that they live in a country."""
    table = pq.read_table(content / "people.parquet", columns=["id", "country", "birth_year"])
    fits = pc.and_(pc.equal(table["country"], country), pc.greater(table["birth_year"], 2009))
    found = table.filter(fits).column(0)
    return str(found[0].as_py()) if len(found) else None


def chromium_path() -> str | None:
    """Return the browser to drive: the one that is named, else the system's, else the library's own."""
    return os.environ.get("CONSENTRY_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def driver() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(driver: Playwright) -> Iterator[Browser]:
    path = chromium_path()
    if path is None and not Path(driver.chromium.executable_path).exists():
        if os.environ.get("CI"):
            pytest.fail("no Chromium: install one, or name it in CONSENTRY_TEST_CHROMIUM")
        pytest.skip("no Chromium: install one, or name it in CONSENTRY_TEST_CHROMIUM")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    opened = driver.chromium.launch(executable_path=path, args=sandbox)
    yield opened
    opened.close()


class Visits:
    """Opens windows, and closes them."""

    def __init__(self, browser: Browser, world: World) -> None:
        self._browser = browser
        self._world = world
        self._open: list[BrowserContext] = []

    def window(self, **how: Any) -> BrowserContext:
        """Open a window of its own: no cookie of another."""
        made = self._browser.new_context(base_url=self._world.url, **how)
        self._open.append(made)
        return made

    def of(self, who: str, **how: Any) -> BrowserContext:
        """Open a window of an account, of a member (`member`, `minor`), or of nobody (no name)."""
        if who and who not in self._world.members:
            # Set by hand, a browser takes no cookie with this prefix.
            return self.window(extra_http_headers={"cookie": f"{COOKIE}={self._world.session(who)}"}, **how)
        window = self.window(**how)
        if who:
            window.new_page().goto(self._world.link(self._world.members[who]))
        return window

    def staff(self, handle: str, **how: Any) -> BrowserContext:
        """Open a window and sign in through the form."""
        window = self.window(**how)
        page = window.new_page()
        page.goto("/sign-in")
        page.get_by_label("Name").fill(handle)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state()
        assert "sign-in" not in page.url, page.inner_text("main")
        page.close()
        return window

    def close(self) -> None:
        for each in self._open:
            each.close()


@pytest.fixture
def visits(browser: Browser, world: World) -> Iterator[Visits]:
    made = Visits(browser, world)
    yield made
    made.close()
