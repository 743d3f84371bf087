"""Signing in through a provider that other people wrote (oidc-provider, certified), in a real browser."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from consentry.accounts.access import Role
from consentry.bootstrap import open_deployment
from consentry.durable import only_one
from service.at_work import in_thread

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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a server that lets a provider of its own sign people in."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.fail("no Node.js with npm, for which the provider is written: install the packages `nodejs` and `npm`")
    install(npm)
    port, provider_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [node, "server.mjs", str(provider_port), f"{url}/sign-in/organisation/back"],
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
            }.items():
                patch.setenv(f"CONSENTRY_{name}", value)
            deployment = open_deployment(tmp_path_factory.mktemp("provider") / "home", embedded=True)
        with deployment.admission() as admission:
            admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password="")
        with in_thread(deployment, port=port):
            yield url
        deployment.close()
    finally:
        process.kill()
        process.communicate()


def sign_in(browser: Browser, site: str, name: str) -> str:
    """Go the whole way and return what the page says in the end."""
    window = browser.new_context()
    page = window.new_page()
    page.goto(f"{site}/sign-in?next=/")
    page.get_by_role("link", name="Sign in with your organisation").click()
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill("whatever")
    page.locator("[type=submit]").click()
    page.locator("[type=submit]").click()
    page.wait_for_url(f"{site}/**")
    text: str = page.inner_text("body")
    window.close()
    return text


def test_whoever_has_an_account_is_let_in(browser: Browser, site: str) -> None:
    assert "olga" in sign_in(browser, site, "olga")


def test_whoever_has_none_is_told_so(browser: Browser, site: str) -> None:
    text = sign_in(browser, site, "mallory")
    assert "have no account here" in text
    assert "Sign out" not in text
