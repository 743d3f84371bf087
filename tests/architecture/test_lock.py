"""requirements/*.txt say what pyproject.toml says, exactly, with hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from consentry.doctor.installation import CORE_PACKAGES, EXTRAS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CORE: list[str] = PROJECT["project"]["dependencies"]
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]
OPTIONAL: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
WANTED = {"core": CORE, **{name: [*CORE, *GROUPS["test"], *own] for name, own in GROUPS.items()}, "uv": GROUPS["uv"]}
WANTED |= OPTIONAL


def entries(name: str) -> list[str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pins(name: str) -> list[Requirement]:
    return [Requirement(entry.split("--hash")[0].strip()) for entry in entries(name)]


def test_every_group_and_extra_has_a_lock_and_every_lock_one_of_them() -> None:
    assert {path.stem for path in (ROOT / "requirements").glob("*.txt")} == set(WANTED)


@pytest.mark.parametrize("name", WANTED)
def test_a_lock_fulfils_the_project_file(name: str) -> None:
    locked: dict[str, list[str]] = {}
    for pin in pins(name):
        locked.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    for text in WANTED[name]:
        wanted = Requirement(text)
        versions = locked.get(canonicalize_name(wanted.name), [])
        assert versions, f"{text} is not locked: ./run lock"
        assert all(wanted.specifier.contains(version, prereleases=True) for version in versions), f"{text}: ./run lock"


@pytest.mark.parametrize("name", WANTED)
def test_a_lock_is_exact_hashed_and_without_addresses(name: str) -> None:
    for entry in entries(name):
        assert re.match(r"[a-z0-9._-]+(\[[a-z,0-9-]+\])?==[^\s;]+", entry), entry
        assert "--hash=sha256:" in entry, entry
        assert "//" not in entry, entry
        assert " @ " not in entry, entry


def test_the_doctor_knows_the_core_packages() -> None:
    assert set(CORE_PACKAGES) == {canonicalize_name(Requirement(text).name) for text in CORE}


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_extra_changes_no_package_of_the_core(name: str) -> None:
    core = {(pin.name, str(pin.marker)): pin for pin in pins("core")}
    assert [str(pin) for pin in pins(name) if core.get((pin.name, str(pin.marker)), pin) != pin] == []


def test_extras_agree_with_each_other() -> None:
    found: dict[tuple[str, str], set[str]] = {}
    for pin in [pin for name in OPTIONAL for pin in pins(name)]:
        found.setdefault((pin.name, str(pin.marker)), set()).add(str(pin.specifier))
    assert [name for name, versions in found.items() if len(versions) > 1] == []


def test_the_doctor_and_run_know_the_extras() -> None:
    assert {name: [*extra.requirements] for name, extra in EXTRAS.items()} == OPTIONAL
    script = (ROOT / "run").read_text("utf-8")
    (known,) = re.findall(r"^extras='([a-z ]+)'", script, re.MULTILINE)
    assert set(known.split()) == set(OPTIONAL)
