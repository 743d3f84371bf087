"""What people read in a terminal: tables that are aligned and fit, and words for what is no word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from consentry.cli.main import cli
from consentry.cli.output import Output
from consentry.policy.library import shipped

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "network"
WIDTH = 100


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    run(folder, "import", "tabular", EXAMPLE / "corpus.toml", folder / "content", "--people", EXAMPLE / "people.toml")
    run(folder / "home", "people", "load", folder / "content" / "people.toml")
    run(folder / "home", "corpus", "register", folder / "content" / "corpus.toml")
    return folder / "home"


def run(home: Path, *words: object) -> str:
    done = CliRunner().invoke(cli, ["--home", str(home), *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def columns(text: str, heading: str) -> list[list[str]]:
    """Return the rows of a table by its first heading, without it, split at two spaces or more."""
    lines = text.splitlines()
    (start,) = [index for index, line in enumerate(lines) if line.startswith(heading)]
    rows = []
    for line in lines[start + 1 :]:
        if not line:
            break
        rows.append([each for each in line.split("  ") if each.strip()])
    return [[each.strip() for each in row] for row in rows]


def test_the_list_of_policy_sets_says_which_are_in_force_and_since_when(tmp_path: Path) -> None:
    home, changed = tmp_path / "home", tmp_path / "changed.toml"
    run(home, "policy", "publish", "august-2024")
    run(home, "policy", "publish", "opt-in-only")
    changed.write_text(shipped()["opt-in-only"].replace('version = "', 'version = "next-', 1), "utf-8")
    run(home, "policy", "publish", changed)
    run(home, "policy", "withdraw", "august-2024")
    found: list[dict[str, Any]] = json.loads(run(home, "--json", "policy", "list"))["published"]
    assert [(each["name"], each["state"]) for each in found] == [
        ("august-2024", "withdrawn"),
        ("opt-in-only", "replaced"),
        ("opt-in-only", "in force"),
    ]
    assert [each["position"] for each in found] == [0, 1, 2]
    withdrawn, replaced, now = found
    assert withdrawn["until"] >= withdrawn["since"] > 0
    assert (replaced["replaced_by"], withdrawn["replaced_by"], now["replaced_by"]) == (now["version"], None, None)
    assert now["until"] is None
    shown = columns(run(home, "policy", "list"), "policy set")
    assert [row[2] for row in shown] == ["withdrawn", f"replaced by {now['version']}", "in force"]
    assert [each["decides"] for each in found] == [[], [], ["train-ai"]]
    assert [row[3] for row in shown][-1] == "train-ai"
    assert [len(row) for row in shown] == [6, 6, 7]


def test_no_line_ends_in_blanks_and_shares_stand_in_line(home: Path) -> None:
    text = run(home, "release", "plan", "network", "--policy", "september-2024")
    assert all(line == line.rstrip() for line in text.splitlines())
    shares = [line for line in text.splitlines() if line.endswith(" %")]
    assert len(shares) > 5
    by_place = [line for line in shares if line.startswith(("US", "IN", "no owner named"))]
    assert len({len(line) for line in by_place}) == 1, "right-aligned"


def test_what_is_no_country_is_said_in_words(home: Path) -> None:
    text = run(home, "release", "plan", "network", "--policy", "september-2024")
    for words in ("several countries", "no country established", "no owner named"):
        assert words in text
    assert "no country established" in run(home, "people", "show")
    counts = json.loads(run(home, "--json", "release", "plan", "network", "--policy", "september-2024"))["counts"]
    assert {"several", "unresolved", "nobody"} <= set(counts["by_place"]), "programs get what is stored"


@pytest.mark.parametrize(
    "words",
    [
        ("release", "plan", "network", "--policy", "september-2024"),
        ("people", "show"),
        ("doctor",),
        ("corpus", "show", "network"),
        ("what-if", "network", "--suspend", "UK", "--policy", "august-2024"),
        ("suspend", "--case", "uk", "--area", "UK", "--reference", "a letter", "--dry-run"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_tables_fit_a_terminal(home: Path, words: tuple[str, ...]) -> None:
    shown = run(home, *words).replace(str(home), "home").partition("How to get")[0]
    assert [line for line in shown.splitlines() if len(line) > WIDTH] == []


def test_a_comparison_of_policy_sets_names_each_language_by_itself(home: Path) -> None:
    lines = run(home, "policy", "diff", "august-2024", "september-2024").splitlines()
    assert not [line for line in lines if "_in:" in line]
    assert "rule `europe`: why (de), before: Die Verwendung wird in der EU" in "\n".join(lines)
    assert "rule `europe`: inside: CH, EEA, EU -> CH, EEA, EU, UK" in lines
    assert max(map(len, lines)) < 260


def test_the_doctor_says_what_each_missing_part_is_needed_for(home: Path) -> None:
    missing = [each for each in json.loads(run(home, "--json", "doctor"))["findings"] if each["remedy"]]
    assert missing, "the deployment has a policy without an assessment, or a reader is not installed"
    text = run(home, "doctor")
    for each in missing:
        assert f"  {each['name']}: {each['remedy']}\n    needed for: {each['purpose']}\n" in text


def test_a_column_of_shares_or_changes_is_one_of_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(console=Console(width=WIDTH))
    out.table(["of", "share", "change", "day"], [["a", "4.5 %", "+1,200", "2024-09-10"], ["b", "-", "-3", "-"]])
    assert capsys.readouterr().out.splitlines() == [
        "of  share  change  day",
        "a   4.5 %  +1,200  2024-09-10",
        "b       -      -3  -",
    ]
