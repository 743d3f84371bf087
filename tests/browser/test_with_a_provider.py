"""Signing in through a provider that other people wrote (oidc-provider, certified), in a real browser."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment, open_deployment
from consentry.durable import only_one
from consentry.ledger.events import ChoiceMade
from service.at_work import in_thread, prepare

HERE = Path(__file__).parent / "provider"
INSTALLED = Path(__file__).parents[2] / ".run" / "provider"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def install(npm: str) -> None:
    """Install the provider, once: what another process of the tests runs from is not taken away under it."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    wanted = b"".join(file.read_bytes() for file in sorted(HERE.iterdir()))
    stamp = INSTALLED / "installed"
    with only_one(INSTALLED / "lock"):
        if stamp.exists() and stamp.read_bytes() == wanted:
            return
        for file in HERE.iterdir():
            shutil.copy(file, INSTALLED)
        subprocess.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=INSTALLED, check=True)
        stamp.write_bytes(wanted)


@dataclass(frozen=True, slots=True)
class Served:
    """A deployment, and the address of its server."""

    deployment: Deployment
    url: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield a server that lets a provider of its own sign in staff and members, each as a client of its own."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.fail("no Node.js with npm, for which the provider is written: install the packages `nodejs` and `npm`")
    install(npm)
    port, provider_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [node, "server.mjs", str(provider_port), f"{url}/sign-in/organisation/back", f"{url}/me/sign-in/back"],
        cwd=INSTALLED,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        issuer = next((line.strip() for line in process.stdout if line.startswith("http")), "")
        assert issuer, "the provider did not start"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {
                "SITE_URL": url,
                "OIDC_ISSUER": issuer,
                "OIDC_CLIENT_ID": "consentry",
                "OIDC_CLIENT_SECRET": "a secret of the tests",
                "MEMBER_ISSUER": issuer,
                "MEMBER_CLIENT_ID": "consentry-members",
            }.items():
                patch.setenv(f"CONSENTRY_{name}", value)
            deployment = open_deployment(tmp_path_factory.mktemp("provider") / "home", embedded=True)
        with deployment.admission() as admission:
            admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password="")
        prepare(tmp_path_factory.mktemp("corpus"), deployment)
        with in_thread(deployment, port=port):
            yield Served(deployment, url)
        deployment.close()
    finally:
        process.kill()
        process.communicate()


def at_the_provider(page: Page, served: Served, name: str) -> None:
    """Sign in on the pages of the provider, agree, and come back."""
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill("whatever")
    page.locator("[type=submit]").click()
    page.locator("[type=submit]").click()
    page.wait_for_url(f"{served.url}/**")


def sign_in(browser: Browser, served: Served, name: str) -> str:
    """Go the whole way and return what the page says in the end."""
    window = browser.new_context()
    page = window.new_page()
    page.goto(f"{served.url}/sign-in?next=/")
    page.get_by_role("link", name="Sign in with your organisation").click()
    at_the_provider(page, served, name)
    text: str = page.inner_text("body")
    window.close()
    return text


def test_whoever_has_an_account_is_let_in(browser: Browser, served: Served) -> None:
    assert "olga" in sign_in(browser, served, "olga")


def test_whoever_has_none_is_told_so(browser: Browser, served: Served) -> None:
    text = sign_in(browser, served, "mallory")
    assert "have no account here" in text
    assert "Sign out" not in text


def test_a_member_comes_from_the_platform_is_known_by_a_pseudonym_and_says_no(browser: Browser, served: Served) -> None:
    window = browser.new_context(locale="en")
    page = window.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served.url}/me/sign-in")
    at_the_provider(page, served, "us")
    assert page.url == f"{served.url}/me"
    assert "Hello us" in page.inner_text("body"), "greeted by the name that the platform gives"
    page.locator("input[name=answer][value=no]").first.check()
    page.locator(".use button").first.click()
    page.wait_for_url("**/me?saved=*")
    window.close()
    (authorization,) = (parse_qs(urlsplit(each).query) for each in asked if "code_challenge=" in each)
    assert authorization["code_challenge_method"] == ["S256"]
    assert authorization["client_id"] == ["consentry-members"]
    deployment = served.deployment
    (choice,) = (each.body for each in deployment.ledger.read() if isinstance(each.body, ChoiceMade))
    assert (choice.person, str(choice.choice.state)) == (deployment.person("us"), "refused")
