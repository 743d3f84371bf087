"""No seal, grant, renewal or amendment contradicts what stands before it, whatever is said at the same time.

The control is the same race without the head lock, and has to be caught.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.ledger.postgres import migrate_postgres
from end_to_end.network import copy_home, fresh
from end_to_end.race_of_orders import ALL_OF_IT, contradictions, prepare, run, unexpected, without_the_head_lock
from ledger.conftest import _database, _within, postgres_url  # noqa: F401 - a fixture

DEPLOYMENTS = 3


@contextmanager
def opened(folder: Path) -> Iterator[list[Deployment]]:
    """Yield deployments of one home, as several processes would have."""
    with ExitStack() as stack:
        found = [open_deployment(folder / "home") for _ in range(DEPLOYMENTS)]
        for each in found:
            stack.callback(each.close)
        prepare(folder, found[0])
        yield found


@pytest.fixture
def sqlite_folder() -> Iterator[Path]:
    with fresh() as (folder, deployment):
        deployment.close()
        yield folder


@pytest.fixture
def postgres_folder(
    tmp_path: Path,
    postgres_url: str,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    with _database(postgres_url, template="template0") as name:
        url = _within(postgres_url, name)
        migrate_postgres(url)
        shutil.rmtree(copy_home(tmp_path / "home"))  # it belongs to another ledger
        monkeypatch.setenv("CONSENTRY_LEDGER_URL", url.replace("postgresql://", "postgresql+psycopg://"))
        monkeypatch.setenv("CONSENTRY_LEDGER_REPLICA_REQUIRED", "false")
        yield tmp_path


@pytest.fixture(params=["sqlite", "postgres"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"{request.param}_folder")
    return found


def check(folder: Path, *, seals: int, seed: int = 1) -> None:
    with opened(folder) as found:
        race = run(found, seals=seals, seed=seed)
        assert unexpected(race) == {}
        assert race.seals >= seals
        assert min(race.done[each] for each in ALL_OF_IT) > 0, race.done
        assert contradictions(found[0], race) == []


def test_nothing_contradicts_what_stands_before_it(folder: Path) -> None:
    check(folder, seals=30)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_nothing_contradicts_what_stands_before_it_campaign(folder: Path, seed: int) -> None:
    check(folder, seals=250, seed=seed)


def test_the_harness_catches_a_ledger_without_the_head_lock(folder: Path) -> None:
    with opened(folder) as found, without_the_head_lock():
        race = run(found, seals=30, broken=True, limit=60)
        assert contradictions(found[0], race) != []
