"""The file that lists platforms, and the process that serves them by it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consentry.bootstrap import open_deployment
from consentry.errors import ConsentryError, InputError
from consentry.service.platforms import MOST, Platform, asked_host, read_platforms
from consentry.settings import require_shared_environment
from service.at_work import command, said, until


def file(folder: Path, text: str) -> Path:
    path = folder / "platforms.toml"
    path.write_text(text)
    return path


# As a process


def test_as_a_process_with_a_job_list_and_an_end(tmp_path: Path) -> None:
    for name in ("one", "two"):
        open_deployment(tmp_path / name, embedded=True).close()
    names = ("one", "two", "three")  # the third holds no deployment
    path = file(tmp_path, "".join(f'[{name}]\nhost = "{name}.example"\nhome = "{name}"\n' for name in names))
    process = command_of(path)
    try:
        until(lambda: all((tmp_path / name / "serve.json").exists() for name in ("one", "two")), 30)
        told = json.loads((tmp_path / "two" / "serve.json").read_bytes())
        assert told["host"] == "two.example"
        until(lambda: httpx2.get(f"{told['url']}/readyz").json() == {"status": "partly-ready"}, 30)
        assert json.loads(said(tmp_path / "two", "--json", "jobs")) == {"live": True, "leases": [], "orders": []}
    finally:
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert "three: platform `three` is not served" in errors
    assert "not served: platform-no-home" in out
    assert "one.example" in out
    assert "two.example" in out
    assert not list(tmp_path.glob("*/serve.json"))


def command_of(path: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    line = [sys.executable, "-m", "consentry", "serve", "--port", "0", "--platforms", str(path)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_one_home_and_several_are_not_asked_for_together(tmp_path: Path) -> None:
    process = command(tmp_path / "home", "serve", "--platforms", "x.toml")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--platforms" in errors
    assert not (tmp_path / "home").exists()


# The file


def test_the_file_lists_platforms(tmp_path: Path) -> None:
    path = file(tmp_path, '[acme]\nhost = "consent.acme.example"\nhome = "acme"\n[b-2]\nhost = "b"\nhome = "/srv/b"\n')
    one, two = read_platforms(path)
    assert (one.name, one.host, one.home) == ("acme", "consent.acme.example", tmp_path / "acme")
    assert two.home == Path("/srv/b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a = 1",
        "[a]",
        '[a]\nhost = "a"',
        '[a]\nhost = "a"\nhome = "a"\nport = 1',
        '[a]\nhost = 1\nhome = "a"',
        '[a]\nhost = ["a"]\nhome = "a"',
        '[a]\nhost = "A.example"\nhome = "a"',
        '[a]\nhost = "https://a.example"\nhome = "a"',
        '[a]\nhost = "a.example:80"\nhome = "a"',
        '[a]\nhost = "*.example"\nhome = "a"',
        '[a]\nhost = ""\nhome = "a"',
        '[a]\nhost = "a"\nhome = " "',
        '[a]\nhost = "a"\nhome = "x\\u0000"',
        '[A]\nhost = "a"\nhome = "a"',
        '["../a"]\nhost = "a"\nhome = "a"',
        '[a]\nhost = "a"\nhome = "a"\n[b]\nhost = "a"\nhome = "b"',
        '[a]\nhost = "a"\nhome = "a"\n[b]\nhost = "b"\nhome = "./x/../a"',
        "\n".join(f'[a{n}]\nhost = "a{n}"\nhome = "a{n}"' for n in range(MOST + 1)),
    ],
)
def test_a_file_that_cannot_be_meant(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_platforms(file(tmp_path, text))
    assert caught.value.code == "platforms-wrong"


def test_two_names_of_one_folder_are_one_home(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match="same home"):
        read_platforms(file(tmp_path, '[a]\nhost = "a"\nhome = "a"\n[b]\nhost = "b"\nhome = "b"'))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none", "platforms-unreadable"), (tmp_path, "platforms-unreadable")):
        with pytest.raises(InputError) as caught:
            read_platforms(path)
        assert caught.value.code == code
    for content in (b"[a", b"\xff\xfe", b"a = " + b"[" * 5000):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_platforms(tmp_path / "x")
        assert caught.value.code == "platforms-syntax"


def read_or_refused(path: Path) -> list[Platform] | InputError:
    try:
        return read_platforms(path)
    except InputError as error:
        return error


LINES = ("[a]", "[b]", 'host = "a"', 'host = "b"', 'home = "a"', 'home = "b"', "port = 1", "", "host")


@given(st.text(max_size=200) | st.lists(st.sampled_from(LINES), max_size=8).map("\n".join))
@example("\n".join(LINES[each] for each in (0, 2, 4, 1, 3, 5)))
def test_no_text_makes_it_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = read_or_refused(path)
    if isinstance(found, InputError):
        assert found.code in {"platforms-syntax", "platforms-wrong"}
        assert (found.where or "").startswith(str(path))
        return
    assert len({each.name for each in found}) == len({each.host for each in found}) == len(found) > 0
    assert all(asked_host([each.host.encode()]) == each.host for each in found), "whoever asks for it reaches it"
    assert all(each.home.is_absolute() for each in found)


def test_settings_of_one_platform_do_not_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    require_shared_environment()
    monkeypatch.setenv("CONSENTRY_THREADS", "2")
    require_shared_environment()
    for name in ("LEDGER_URL", "SITE_URL", "OIDC_CLIENT_SECRET", "CONTROLLER_NAME"):
        with monkeypatch.context() as patch:
            patch.setenv(f"CONSENTRY_{name}", "x")
            with pytest.raises(ConsentryError) as caught:
                require_shared_environment()
        assert caught.value.code == "platforms-environment"
