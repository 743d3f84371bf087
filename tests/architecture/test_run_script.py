"""`./run`: what it refuses, and that it needs only a plain shell. That it sets up is tested by using it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "run", *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", ["run", "requirements/lock", ".ci/run", ".ci/newcomer", ".ci/trainer"])
def test_a_script_can_be_run_and_parsed(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    interpreter = path.read_text("utf-8").splitlines()[0].removeprefix("#!").split()
    assert interpreter in (["/bin/sh"], ["/usr/bin/env", "bash"])
    subprocess.run([*interpreter, "-n", path], check=True)


def test_help_names_every_command(tmp_path: Path) -> None:
    done = run("help", folder=tmp_path)
    assert done.returncode == 0
    commands = ("demo", "consentry", "test", "lint", "ready", "bench", "extras", "lock", "sbom")
    assert all(f"  {command}" in done.stdout for command in commands)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["test", "nolane"],
        ["test", "core"],
        ["test", "cities"],
        ["bench"],
        ["bench", "none"],
        ["extras", "nothing"],
        ["extras", "cities", "nothing"],
        ["sbom", "nothing"],
        ["ready", "nothing"],
    ],
)
def test_what_does_not_exist_is_refused_with_help(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "  help: " in done.stderr
    assert done.stdout == ""


@pytest.fixture
def ask_for_browser(tmp_path: Path) -> Callable[..., str]:
    """A checkout whose environment `browser` is made, on a machine that has only what `run` itself calls."""
    root, tools, home = (tmp_path / each for each in ("a checkout", "tools", "home"))
    for folder in (root / "tests" / "browser", root / "requirements", root / ".run" / "browser" / "bin", tools, home):
        folder.mkdir(parents=True)
    for tool in ("sh", "dirname", "basename", "cat", "tr", "cksum"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    shutil.copy(ROOT / "run", root)
    lock = root / "requirements" / "browser.txt"
    lock.write_text("playwright\n")
    python = root / ".run" / "browser" / "bin" / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -V ] && echo Python {platform.python_version()}\n')
    python.chmod(0o755)
    cksum = subprocess.run(["cksum"], input=lock.read_text(), capture_output=True, text=True, check=True).stdout.strip()
    stamp = f"{cksum} {root} Python {platform.python_version()}\n"
    (root / ".run" / "browser" / "stamp").write_text(stamp)

    def ask(**environment: str) -> str:
        done = subprocess.run(
            [root / "run", "test", "browser", "-q"],
            env={"PATH": str(tools), "HOME": str(home), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0, "it can never pass here: there is nothing to run tests with"
        return done.stderr

    return ask


def test_a_lane_fails_without_the_browser_it_needs_and_says_how_to_get_one(
    tmp_path: Path, ask_for_browser: Callable[..., str]
) -> None:
    said = ask_for_browser()
    assert "run: no Chromium, which the lane `browser` drives\n  help: install the package `chromium" in said
    assert "`chromium-headless-shell` or `chromium` (Debian)" in said
    assert "a checkout/.run/browser/bin/python -m playwright install chromium" in said
    assert said.count("Node.js") == 2, "what a part of the lane needs is only told: the rest runs"
    for tool in ("node", "npm"):
        (tmp_path / "tools" / tool).symlink_to(sys.executable)
    assert "Node.js" not in ask_for_browser()


@pytest.mark.parametrize(
    "there",
    [
        "tools/chromium-headless-shell",
        "tools/chromium",
        "tools/chromium-browser",
        "home/.cache/ms-playwright/chromium-1",
        "own/chromium-1",
    ],
)
def test_a_browser_is_found_where_the_tests_find_it(
    tmp_path: Path, ask_for_browser: Callable[..., str], there: str
) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text("#!/bin/sh\n")
    (tmp_path / there).chmod(0o755)
    own = {"PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "own")} if there.startswith("own") else {}
    assert "no Chromium" not in ask_for_browser(**own)
    (tmp_path / there).unlink()
    assert "no Chromium" in ask_for_browser(**own)
    assert "no Chromium" not in ask_for_browser(**own, CONSENTRY_TEST_CHROMIUM="/usr/bin/a-browser")


@pytest.mark.parametrize(
    ("user", "settings", "asks"),
    [("0", {"CI": "true"}, True), ("0", {}, False), ("1000", {"CI": "true"}, False)],
    ids=["root of a CI", "root at home", "no root"],
)
def test_the_packages_of_a_system_are_touched_on_a_machine_of_a_ci_alone(
    tmp_path: Path, ask_for_browser: Callable[..., str], user: str, settings: dict[str, str], asks: bool
) -> None:
    tools, calls = tmp_path / "tools", tmp_path / "calls"
    made = f'echo "#!/bin/sh" >"{tools}/chromium" && chmod +x "{tools}/chromium"'
    installs = f'echo "$@" >>"{calls}"; case "$*" in *shell) exit 100 ;; *chromium) {made} ;; esac'
    for name, body in (("id", f"echo {user}"), ("apt-get", installs)):
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    (tools / "chmod").symlink_to(shutil.which("chmod") or "")
    said = ask_for_browser(**settings)
    assert calls.exists() == asks
    assert ("no Chromium" in said) != asks
    if asks:
        assert calls.read_text().splitlines() == [
            "-qq update",
            "-qq install -y --no-install-recommends chromium-headless-shell",
            "-qq install -y --no-install-recommends chromium",
        ], "an older Debian has the first one not"
        calls.unlink()
        assert "getting Chromium" not in ask_for_browser(**settings), "it is there now"
        assert not calls.exists()


UV = """#!/bin/sh
echo "$1" >>"$CALLS"
[ "$1" = venv ] || exit 0
for made; do :; done # the last argument
sleep 1
mkdir -p "$made/bin"
printf '#!/bin/sh\\n[ "$1" != -V ] || echo Python 3\\n[ "$1" != -c ] || echo %s\\n' "$made" >"$made/bin/python"
chmod +x "$made/bin/python"
"""


def test_of_two_at_once_one_sets_up_and_the_other_waits(tmp_path: Path) -> None:
    root, tools, calls = (tmp_path / each for each in ("a checkout", "tools", "calls"))
    for folder in (root / "requirements", tools):
        folder.mkdir(parents=True)
    (root / "requirements" / "core.txt").touch()
    shutil.copy(ROOT / "run", root)
    for tool in ("sh", "dirname", "cat", "tr", "cksum", "mkdir", "rm", "sleep", "chmod"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    (tools / "python3").symlink_to(sys.executable)
    (tools / "uv").write_text(UV)
    (tools / "uv").chmod(0o755)
    started = [
        subprocess.Popen(
            [root / "run", "consentry"],
            env={"PATH": str(tools), "HOME": str(tmp_path), "CALLS": str(calls)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert calls.read_text().split() == ["venv", "pip"]
    assert sum("setting up" in each for each in said) == 1
    assert sum("waiting for another" in each for each in said) == 2


def test_make_knows_the_aliases_of_the_readme() -> None:
    assert "demo test lint:\n\t@./run $@" in (ROOT / "Makefile").read_text("utf-8")


@dataclass
class Pythons:
    """A machine with what `run` calls, and Pythons that answer, by the name of their folder, how they were compiled."""

    folder: Path
    path: str = ""

    def there_are(self, *names: str) -> None:
        verdicts = {"optimised": 0, "slower": 3, "bare": 4, "old": 1, "broken": 127}
        for name in names:
            (self.folder / name).mkdir()
            self.tool(f"{name}/python3", f'[ "$1" = -c ] && exit {verdicts[name]}\necho {name}')
        self.path = ":".join(str(self.folder / name) for name in ["needed", "not there", *names])

    def tool(self, name: str, body: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.folder / name).chmod(0o755)

    def run(self, *words: str, script: Path = ROOT / "run", **environment: str) -> subprocess.CompletedProcess[str]:
        found = {"PATH": self.path, **environment}
        return subprocess.run([str(script), *words], env=found, capture_output=True, text=True, check=False)


@pytest.fixture
def pythons(tmp_path: Path) -> Pythons:
    (tmp_path / "needed").mkdir()
    for tool in ("sh", "dirname", "cat", "tr", "cksum", "mkdir", "rm"):
        (tmp_path / "needed" / tool).symlink_to(shutil.which(tool) or "")
    return Pythons(tmp_path)


ON_THE_PATH = [
    ("optimised slower", "optimised"),
    ("slower bare optimised", "optimised"),
    ("old bare slower broken", "slower"),
    ("old bare broken", "bare"),
    ("old broken", ""),
    ("", ""),
]


@pytest.mark.parametrize(("there", "chosen"), ON_THE_PATH)
def test_a_python_that_was_compiled_with_optimisation_is_chosen_before_others(
    pythons: Pythons, there: str, chosen: str
) -> None:
    pythons.there_are(*there.split())
    found = pythons.run("sbom")
    assert found.stdout == (f"{chosen}\n" if chosen else "")
    assert ("no Python 3.11 or newer: none on PATH\n  help: " in found.stderr) == (not chosen)
    for name in {"slower", "bare"}.intersection(there.split()):
        assert pythons.run("sbom", PYTHON=str(pythons.folder / name / "python3")).stdout == f"{name}\n", "as it is told"
    if "old" in there:
        refused = pythons.run("sbom", PYTHON=str(pythons.folder / "old" / "python3"))
        assert (refused.stdout, "or newer: /" in refused.stderr) == ("", True), "nor is another one taken"


@pytest.mark.parametrize(("there", "chosen"), ON_THE_PATH)
def test_uv_is_told_of_one_with_optimisation_and_chooses_itself_where_there_is_none(
    pythons: Pythons, there: str, chosen: str
) -> None:
    pythons.there_are(*there.split())
    root = pythons.folder / "a checkout"
    (root / "requirements").mkdir(parents=True)
    (root / "requirements" / "core.txt").touch()
    shutil.copy(ROOT / "run", root)
    pythons.tool("needed/uv", 'printf "uv:%s\\n" "$@" >&2; exit 1')
    said = pythons.run("ready", "core", script=root / "run").stderr.splitlines()
    told = str(pythons.folder / chosen / "python3") if chosen == "optimised" else ">=3.11"
    assert f"uv:{told}" in said
    named = pythons.run("ready", "core", script=root / "run", PYTHON="3.12").stderr.splitlines()
    assert "uv:3.12" in named


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ("sysconfig.get_config_var = lambda _: \"'--enable-shared' '--enable-optimizations'\"", 0),
        ("sysconfig.get_config_var = lambda _: None", 3),
        ("sysconfig.get_config_var = lambda _: None; sysconfig.get_scheme_names = lambda: ('deb_system',)", 0),
        ("import sys; sys.modules['ensurepip'] = None", 4),
        ("import sys; sys.version_info = (3, 10, 13)", 1),
    ],
)
def test_how_a_python_was_compiled_is_read_off_what_it_says_of_itself(changed: str, verdict: int) -> None:
    question = (ROOT / "run").read_text("utf-8").partition("how_it_was_compiled='")[2].partition("'\n")[0]
    plain = "import sysconfig; sysconfig.get_scheme_names = lambda: ('posix_prefix',)"
    asked = subprocess.run([sys.executable, "-c", f"{plain}; {changed}\n{question}"], check=False)
    assert asked.returncode == verdict
