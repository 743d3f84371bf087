"""A real browser before the real service, with the data of the demo's story in it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, BrowserContext, Playwright, Response, sync_playwright
from playwright.sync_api import Page as Window

from browser.accessible import AXE
from browser.furnished import fill, furnish, members_of
from browser.places import Page
from consentry.accounts.access import Role
from consentry.accounts.admission import Admission
from consentry.accounts.member_link import LinkKeys, claims_for
from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.main import cli
from consentry.service.gate import COOKIE
from service.at_work import in_thread

WORKER = "PYTEST_XDIST_WORKER"
"""Is set where several processes test together: each has a folder of its own in one that is theirs."""
FEW_PROCESSES = ("--renderer-process-limit=1", "--disable-gpu", "--in-process-gpu")
"""One process for all pages, and none that draws: the lane takes a tenth less time."""
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
    names: dict[str, str] = field(default_factory=dict)
    """What stands in addresses for what is only known once the world is made."""
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
        """Return the path of a page with the names of this world in it."""
        return path.format(**self.names)


@contextmanager
def _opened(folder: Path) -> Iterator[World]:
    """Serve the deployment in a folder, with staff of every role."""
    deployment = open_deployment(folder / "home", embedded=True)
    try:
        with deployment.admission() as admission, in_thread(deployment) as ask:
            for handle, role in STAFF.items():
                admission.add(handle, roles=frozenset({role}), password=PASSWORD)
            admission.add("ico", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password=PASSWORD)
            yield World(deployment, ask.url, folder, {"member": "member"}, admission)
    finally:
        deployment.close()


def _played(shared: Path) -> Path:
    """Return the folder of the demo's story: one process plays it, the others wait, and all take copies."""
    with (shared / "story.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        made, done = shared / "story", shared / "story.done"
        if not done.exists():
            how = ["--json", "--home", str(made / "home"), "demo", "--people", "2000", "--items", "20000"]
            played = CliRunner().invoke(cli, how, catch_exceptions=False)
            assert played.exit_code == 0, played.output
            done.touch()
    return made


@contextmanager
def _story(folder: Path) -> Iterator[World]:
    home = folder / "home"
    shutil.copytree(_played(folder.parent if WORKER not in os.environ else folder.parents[1]) / "home", home)
    with _opened(folder) as world:
        world.members = members_of(home / "content")
        world.names = furnish(world.deployment, home / "content", world.members)
        releases = list(world.deployment.control.releases.sealed())
        world.names |= {"before": releases[0], "release": releases[-1]}
        yield world


@contextmanager
def _full(folder: Path) -> Iterator[World]:
    with _opened(folder) as world:
        fill(world.deployment)
        yield world


# What is suspended in the story is suspended for every page looked at afterwards: those parts have worlds of their own.
_WORLDS = {"story": _story, "suspended": _story, "seconds": _story, "bare": _opened, "full": _full}
Worlds = Callable[[str], World]


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Worlds by their names (`furnished.py`), each made when it is first asked for."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(_WORLDS[name](tmp_path_factory.mktemp(name))))


@pytest.fixture(scope="session")
def world(worlds: Worlds) -> World:
    return worlds("story")


def chromium_path() -> str | None:
    """Return the browser to drive: the one that is named, else the system's, else the library's own.

    Without what is around its pages, if it is there so: it shows the same in less time.
    """
    known = map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))
    return os.environ.get("CONSENTRY_TEST_CHROMIUM") or next((path for path in known if path), None)


@pytest.fixture(scope="session")
def driver() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(driver: Playwright) -> Iterator[Browser]:
    path = chromium_path()
    if path is None and not Path(driver.chromium.executable_path).exists():
        how = f"install one ({sys.executable} -m playwright install chromium), or name it in CONSENTRY_TEST_CHROMIUM"
        pytest.fail(f"no Chromium: {how}")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    opened = driver.chromium.launch(executable_path=path, args=[*sandbox, *FEW_PROCESSES])
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


class Seen(NamedTuple):
    """A page that somebody looks at, and the answer of the server that it was made from."""

    page: Window
    answer: Response


Look = Callable[..., Seen]


def _shown(answer: Response) -> bool:
    """Say whether an answer is a page, and does not lead to one."""
    return answer.request.is_navigation_request() and not 300 <= answer.status < 400


@contextmanager
def looking(browser: Browser, worlds: Worlds) -> Iterator[Look]:
    """Let somebody go to places, each in a window of its own that is open while the block lasts."""
    with ExitStack() as stack:

        def go(place: Page, **how: Any) -> Seen:
            world = worlds(place.world)
            visits = Visits(browser, world)
            stack.callback(visits.close)
            window = visits.of(place.who, **how)
            window.add_init_script(AXE)
            page = window.new_page()
            answers: list[Response] = []
            page.on("response", lambda each: answers.append(each) if _shown(each) else None)
            page.goto(world.filled(place.path))
            for name, words in place.write:
                page.locator(f"main [name={name}]").fill(world.filled(words))
            for button in place.press:
                page.locator(button).first.click()
            page.wait_for_load_state()
            return Seen(page, answers[-1])

        yield go


@pytest.fixture
def look(browser: Browser, worlds: Worlds) -> Iterator[Look]:
    """Go to a place as whoever looks at it: `look(place, locale="ar")`."""
    with looking(browser, worlds) as go:
        yield go
