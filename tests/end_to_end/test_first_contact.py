"""What somebody tries first at a command line: its version, its help, completion; and that nothing is sent anywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from consentry import __version__
from consentry.cli.main import main

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "network"


def ran(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "consentry", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_says_its_version(tmp_path: Path) -> None:
    assert ran("--version", folder=tmp_path).stdout == f"consentry, version {__version__}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("--version", "--json"), ("--json", "--version")])
def test_it_says_its_version_to_programs(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([*words])
    assert (left.value.code, json.loads(capsys.readouterr().out)) == (0, {"version": __version__})


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_leads_on(tmp_path: Path, word: str) -> None:
    shown = ran(word, folder=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Start with `consentry demo`" in shown.stdout
    assert "Usage: consentry release build" in ran("release", "build", word, folder=tmp_path).stdout
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_is_none_names_the_one_that_was_meant(tmp_path: Path) -> None:
    wrong = ran("relase", folder=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "release" in wrong.stderr


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("rel", {"release"}),
        ("release bui", {"build"}),
        ("completion ", {"bash", "fish", "zsh"}),
        ("account add --ro", {"--role"}),
        ("account add --role priv", {"privacy-officer"}),
    ],
)
def test_a_shell_is_told_what_may_come(tmp_path: Path, typed: str, expected: set[str]) -> None:
    words = f"consentry {typed}"
    told = ran(
        folder=tmp_path,
        _CONSENTRY_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )
    assert {line.partition(",")[2] for line in told.stdout.splitlines()} == expected
    assert list(tmp_path.iterdir()) == [], "nothing is opened or made"


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_the_script_for_a_shell(tmp_path: Path, shell: str) -> None:
    shown = ran("completion", shell, folder=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"_CONSENTRY_COMPLETE={shell}_complete" in shown.stdout
    assert json.loads(ran("--json", "completion", shell, folder=tmp_path).stdout)["script"] in shown.stdout
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=shown.stdout, text=True, check=True)


def test_bash_completes(tmp_path: Path) -> None:
    program = tmp_path / "consentry"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m consentry "$@"\n')
    program.chmod(0o755)
    typed = "COMP_WORDS=(consentry rel); COMP_CWORD=1; _consentry_completion consentry rel; echo ${COMPREPLY[@]}"
    done = subprocess.run(
        ["bash", "-c", f'eval "$(consentry completion bash)"; complete -p consentry; {typed}'],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0].startswith("complete -o nosort -F _consentry_completion")
    assert done.stdout.splitlines()[1] == "release"


def test_whoever_opens_the_server_to_others_is_told_that_nothing_is_encrypted(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", "consentry", "--home", "home", "serve", "--host", "0.0.0.0", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        assert "can be reached from other machines, and nothing is encrypted" in server.stderr.readline()
    finally:
        server.terminate()
        server.communicate(timeout=60)


WATCHED = """
import importlib, pkgutil, sys
asked = []
sys.addaudithook(lambda name, given: asked.append((name, repr(given)[:200])) if name in WATCH else None)
import consentry
for module in pkgutil.walk_packages(consentry.__path__, "consentry."):
    if not module.name.endswith((".torch", ".transformers", ".__main__")) and ".migrations" not in module.name:
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as missing:
            assert missing.name in {"fsspec", "torch", "transformers"}, missing
from consentry.cli.main import main
for line in COMMANDS:
    try:
        main(line.split())
    except SystemExit as end:
        assert end.code in {0, None}, (line, end.code)
if PLANTED:
    import socket
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=0.1)
    except OSError:
        pass
print("ASKED", asked)
"""
COMMANDS = (
    "--version",
    "policy list",
    f"import tabular {EXAMPLE}/corpus.toml content --people {EXAMPLE}/people.toml",
    "people load content/people.toml",
    "corpus register content/corpus.toml",
    "policy publish september-2024",
    "release build network --policy september-2024",
    "release list",
    "doctor",
    "account add olga --role privacy-officer",
)


@pytest.mark.parametrize("planted", [False, True], ids=["as it is", "control: a planted connection is noticed"])
def test_nothing_is_sent_anywhere(tmp_path: Path, planted: bool) -> None:
    watch = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")
    head = f"WATCH, COMMANDS, PLANTED = {watch!r}, {COMMANDS if not planted else ()!r}, {planted}\n"
    done = subprocess.run(
        [sys.executable, "-P", "-c", head + WATCHED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "CONSENTRY_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    asked = done.stdout.rpartition("ASKED ")[2].strip()
    assert ("socket.connect" in asked) if planted else asked == "[]"


WATCHES = """
import json, os, sys
log = os.open(os.environ["ASKED_OF_THE_NETWORK"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def look(name, given):
    if name.startswith(("socket.connect", "socket.send")):
        given = given[1:]
    elif name not in ("socket.getaddrinfo", "socket.gethostbyname"):
        return
    address = given[0] if isinstance(given[0], tuple) else given
    os.write(log, (json.dumps([os.getpid(), name, str(address[0])]) + chr(10)).encode())
sys.addaudithook(look)
"""
HERE = {"127.0.0.1", "::1", "localhost"}
ELSEWHERE = "203.0.113.1"
"""An address that nobody has: it is for documents."""
PLANTED = f"""
import socket, subprocess, sys
ask = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('{ELSEWHERE}', 9))"
socket.getaddrinfo("localhost", 9)
subprocess.run([sys.executable, "-c", ask], check=True)
"""


@pytest.mark.parametrize("planted", [False, True], ids=["as it is", "control: a child that asks elsewhere is noticed"])
def test_the_demo_asks_nobody_but_itself(tmp_path: Path, planted: bool) -> None:
    """Neither the demo nor its training jobs, which are processes of their own: each Python that starts is watched."""
    (tmp_path / "sitecustomize.py").write_text(WATCHES)
    log = tmp_path / "asked"
    demo = ["-P", "-m", "consentry", "--home", "home", "demo", "--people", "60", "--items", "600", "--no-serve"]
    with subprocess.Popen(
        [sys.executable, *(["-c", PLANTED] if planted else demo)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'src'}",
            "ASKED_OF_THE_NETWORK": str(log),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        complaints = process.communicate()[1]
    assert process.returncode == 0, complaints[-2000:]
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    assert len({pid for pid, _, _ in asked}) > 1, "also what its children ask is seen"
    assert {where for _, _, where in asked} - HERE == ({ELSEWHERE} if planted else set())
