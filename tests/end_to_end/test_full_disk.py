"""No room left: a clear error, nothing half-done, and the next attempt succeeds once there is room.

The disk is a small tmpfs where this process may mount one (only root may). Everywhere else a limit on the size of files
stands for it: the system then refuses to write beyond it, as it does on a full disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import open_deployment
from consentry.errors import ConsentryError
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose
from end_to_end.network import Form, RawPerson, copy_home, descriptor, write_people
from skips import NEEDS_ROOT

POLICY = "september-2024"
NOW = 1_730_000_000
ROWS = 400_000


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus whose bitmaps and sidecars are larger than everything else that is written."""
    folder = tmp_path_factory.mktemp("content")
    people = np.random.default_rng(1).integers(0, 50, ROWS)
    table = pa.table(
        {
            "id": np.arange(ROWS),
            "author_id": people,
            "kind": pa.array(["post"] * ROWS),
            "seen_by": pa.array(["public"] * ROWS),
            "rights": pa.array([None] * ROWS, pa.string()),
            "words": pa.array([""] * ROWS),
        }
    )
    (folder / "items").mkdir()
    pq.write_table(table, folder / "items" / "0.parquet")
    (folder / "corpus.toml").write_text(descriptor(Form(created="none", involves="none")))
    everybody = [RawPerson(id=number, country=("US", "GB")[number % 2]) for number in range(50)]
    write_people(folder / "people", everybody)
    return folder


_TAKE_ROOM = os.posix_fallocate


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 24 MB."""
    with tempfile.TemporaryDirectory() as name:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", name], check=False).returncode:
            pytest.skip(NEEDS_ROOT)
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)  # maps of its files may still be open


def fill(disk: Path, *, leave: int) -> Path:
    """Fill a disk up to `leave` bytes."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    with ballast.open("wb") as stream:
        _TAKE_ROOM(stream.fileno(), 0, max(1, free.f_bavail * free.f_frsize - leave))
    return ballast


def test_full_while_registering_and_while_sealing(small_disk: Path, content: Path) -> None:
    deployment = open_deployment(copy_home(small_disk / "home"))
    control = deployment.control
    try:
        for leave in (2 << 20, 6 << 20, 8 << 20):
            ballast = fill(small_disk, leave=leave)
            with pytest.raises(OSError, match="No space"):
                control.statements.register_corpus(content / "corpus.toml")
            assert not list((small_disk / "home" / "corpora").rglob("*.npy"))
            ballast.unlink()
        control.statements.register_corpus(content / "corpus.toml")
        control.statements.load_people(content / "people" / "people.toml")
        control.statements.publish(shipped()[POLICY], POLICY)
        first = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
        before = deployment.ledger.head()
        for leave in (0, 4_096, 20_480, 40_960):
            ballast = fill(small_disk, leave=leave)
            with pytest.raises(ConsentryError) as caught:
                control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)
            assert caught.value.code in ("release-disk-full", "ledger-unavailable", "ledger-outcome-unknown")
            ballast.unlink()
            assert deployment.ledger.head() == before
            assert [each.name for each in control.desk.releases.iterdir()] == [first]
        second = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
        for name in (first, second):
            assert [each for each in control.releases.verify(name, decide=True) if each.problem] == []
    finally:
        deployment.close()


def test_a_ledger_that_cannot_be_opened_says_that_the_disk_may_be_full(small_disk: Path) -> None:
    open_deployment(copy_home(small_disk / "home")).close()
    ballast = fill(small_disk, leave=0)
    with pytest.raises(ConsentryError) as caught:
        open_deployment(small_disk / "home")
    assert caught.value.code == "ledger-unavailable"
    assert "The disk may be full" in str(caught.value.help)
    ballast.unlink()
    open_deployment(small_disk / "home").close()


def test_full_while_registering_where_the_system_takes_no_room_ahead(
    small_disk: Path, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS. Without room a mapped page would kill the process; here it is an error."""
    monkeypatch.delattr(os, "posix_fallocate")
    deployment = open_deployment(copy_home(small_disk / "home"))
    try:
        ballast = fill(small_disk, leave=2 << 20)
        with pytest.raises(OSError, match="No space"):
            deployment.control.statements.register_corpus(content / "corpus.toml")
        ballast.unlink()
        done = deployment.control.statements.register_corpus(content / "corpus.toml")
        assert (done.built, done.kept) == (len(done.corpus.sidecars), 0)
    finally:
        deployment.close()


def test_a_limit_on_the_size_of_files(tmp_path: Path, content: Path) -> None:
    home = copy_home(tmp_path / "home")
    deployment = open_deployment(home)
    deployment.control.statements.register_corpus(content / "corpus.toml")
    deployment.control.statements.load_people(content / "people" / "people.toml")
    deployment.control.statements.publish(shipped()[POLICY], POLICY)
    sizes = [path.stat().st_size for path in home.glob("ledger.db*")]
    deployment.close()
    limit = 40_000
    program = (
        "import resource, signal, sys\n"
        "from consentry.cli.main import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "main(sys.argv[1:])\n"
    )
    assert max(sizes) > 0
    command = ["--home", str(home), "release", "build", "network", "--policy", POLICY]
    refused = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "help:" in refused.stderr
    again = open_deployment(home)
    try:
        assert again.control.releases.sealed() == {}
        name = again.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
        assert [each.name for each in again.control.desk.releases.iterdir()] == [name]
        assert [each for each in again.control.releases.verify(name, decide=True) if each.problem] == []
    finally:
        again.close()
