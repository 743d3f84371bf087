"""A real browser before the real service, with the data of the demo's story in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.main import cli
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


@dataclass
class World:
    """A deployment with a story, and who can sign in to it."""

    deployment: Deployment
    url: str
    folder: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    home = folder / "home"
    played = CliRunner().invoke(
        cli, ["--json", "--home", str(home), "demo", "--people", "2000", "--items", "20000"], catch_exceptions=False
    )
    assert played.exit_code == 0, played.output
    deployment = open_deployment(home, embedded=True)
    with deployment.admission() as admission:
        for handle, role in STAFF.items():
            admission.add(handle, roles=frozenset({role}), password=PASSWORD)
        admission.add("ico", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password=PASSWORD)
    try:
        with in_thread(deployment) as ask:
            yield World(deployment, ask.url, folder)
    finally:
        deployment.close()


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
