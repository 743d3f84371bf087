"""Settings that the libraries take from the environment when they are imported; and what is trained on is said.

    ./run test train --real-posts

refuses to run without a Stack Exchange dump. Without that option a synthetic network takes its place, and the last
lines of the run say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # a Trainer would spread each batch over all GPUs


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-posts", action="store_true", help="train on a Stack Exchange dump, or not at all")


def pytest_configure(config: pytest.Config) -> None:
    from real_dump import VARIABLE, dump

    if config.getoption("real_posts") and dump() is None:
        raise pytest.UsageError(f"--real-posts: no Stack Exchange dump is at hand; {VARIABLE} names its folder")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from train.released import trained_on

    terminalreporter.write_line(f"trained on {trained_on()}")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A deployment with a release to train on (`Released`)."""
    from train.released import make

    return make(tmp_path_factory.mktemp("released"))


@pytest.fixture
def real(released: Any, tmp_path: Path) -> Iterator[Any]:
    """A real server of it (`Served`)."""
    from train.released import served

    with served(released, tmp_path) as server:
        yield server
