"""Every benchmark runs, at a size at which its figures say nothing: what names something that has moved is found."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
ELSEWHERE = {"gpu_steps", "loader", "on_spark"}
"""They need packages of other lanes."""
SMALL: dict[str, tuple[str, ...]] = {
    "corpus": ("--scale", "0.002"),
    "hostile": ("--number", "200"),
    "lineage": ("--scale", "0.002", "--releases", "12"),
    "locations": (str(ROOT / "tests"),),
    "may": ("--scale", "0.002"),
    "objections": ("--number", "60", "--seconds", "2"),
    "page": ("--scale", "0.002", "--people-asked", "3"),
    "pseudonyms": ("--people", "5000", "--rows", "4096"),
    "races": ("--seals", "3", "--store", "sqlite"),
    "release": ("--scale", "0.002"),
    "suspension": (
        "--holders",
        "5",
        "--rounds",
        "1",
        "--points",
        *("may", "interface", "grant", "build"),  # a serving gate turns within a minute
        "--items",
        "2000",
        "--trials",
        "10",
        "--clients",
        "10",
        "--real",
        "13",
        "--people",
        "3000",
    ),
    "what_if": ("--scale", "0.002", "--releases", "6"),
    "web": ("--seconds", "0.3", "--people", "100"),
}


def test_every_benchmark_is_run() -> None:
    assert set(SMALL) == NAMES - ELSEWHERE


def test_a_benchmark_ends_with_an_error_if_what_came_out_is_wrong() -> None:
    program = (
        "from parts.measuring import Line, show\n"
        "show('slow', [Line('speed', '9 s', '', '< 1 s', False)])\n"
        "show('wrong', [Line('equal', 'no', '', 'yes', False, exact=True)])\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'benchmarks'}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr.strip()) == (1, "wrong: equal")
    assert "slow" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_it_runs(name: str, tmp_path: Path) -> None:
    run(name, *SMALL[name], *(("--data", str(tmp_path)) if "--scale" in SMALL[name] else ()), folder=tmp_path)


def test_bitmaps_are_those_of_sql(tmp_path: Path) -> None:
    assert "met" in run("release", "--equal", "--scale", "0.004", "--data", str(tmp_path), folder=tmp_path)


def run(name: str, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / f"{name}.py", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return done.stdout


def digests(folder: Path, *, seed: int) -> dict[str, str]:
    """Write the corpus of the benchmarks into a folder, and return the digest of each of its files."""
    run("corpus", "--scale", "0.0002", "--seed", str(seed), "--data", str(folder), folder=folder)
    (written,) = folder.iterdir()
    return {
        str(path.relative_to(written)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(written.rglob("*"))
        if path.is_file()
    }


def test_the_corpus_is_fixed_to_the_byte_by_its_seed(tmp_path: Path) -> None:
    """Figures that two people get are of the same rows."""
    first, again, other = (tmp_path / each for each in ("first", "again", "other"))
    for each in (first, again, other):
        each.mkdir()
    found = digests(first, seed=1)
    assert {"corpus.toml", "people.parquet", "choices.parquet", "items/part-00.parquet"} <= found.keys()
    assert digests(again, seed=1) == found
    differing = digests(other, seed=2)
    assert differing.keys() == found.keys()
    same = {name for name, digest in found.items() if differing[name] == digest}
    assert same == {"corpus.toml", "people.toml"}, "what the columns mean does not depend on the seed"
