"""Fixtures of more than one module."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.network import quick_folder
from end_to_end.two_homes import Two, make


@pytest.fixture(scope="module")
def made_two() -> Iterator[Two]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        yield Two(
            make(Path(name) / "own", who_refuses="p2"),
            make(Path(name) / "other", who_refuses="p3"),
        )


@pytest.fixture
def two(made_two: Two) -> Iterator[Two]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        found = Two(Path(name) / "own", Path(name) / "other")
        shutil.copytree(made_two.own, found.own)
        shutil.copytree(made_two.other, found.other)
        yield found
