"""The first start binds a home to its ledger and its keys, also if it is killed or there are several at a time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consentry.bootstrap import open_deployment
from consentry.doctor.finding import State
from consentry.identity import IDENTITY_FILE
from end_to_end.crash_server import Driver, driver
from end_to_end.network import quick_folder
from end_to_end.two_homes import finding, identity

__all__ = ["driver"]


@pytest.fixture
def quick() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        yield Path(name)


def test_an_interrupted_first_start_is_finished_by_the_next(quick: Path, driver: Driver) -> None:
    home = quick / "home"
    _, steps = driver.carry_out("start", home, quick)
    assert steps > 20
    without = 0
    for kill_at in range(1, steps + 1):
        shutil.rmtree(home)
        driver.carry_out("start", home, quick, kill_at=kill_at)
        without += not (home / IDENTITY_FILE).exists()
        deployment = open_deployment(home)
        found = identity(home)
        assert deployment.ledger.identity() == (found.ledger, found.pseudonym_key)
        assert found.signing_key == deployment.control.desk.parts.signer.key_id
        deployment.close()
        open_deployment(home).close()
        assert identity(home) == found
        assert not list(home.rglob("*.staged"))
    assert 10 < without < steps
    assert finding(home)[0] is State.OK


def test_first_starts_at_one_time_agree(tmp_path: Path) -> None:
    def start(_: int) -> tuple[str, str]:
        deployment = open_deployment(tmp_path / "home")
        try:
            return deployment.person("ada"), deployment.control.desk.parts.signer.key_id
        finally:
            deployment.close()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(start, range(6)))) == 1
    assert finding(tmp_path / "home")[0] is State.OK
