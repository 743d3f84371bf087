"""No room left: a clear error, nothing half-done, and the next attempt succeeds once there is room.

The disk is a small tmpfs where this process may mount one (only root may). Everywhere else a limit on the size of files
stands for it: the system then refuses to write beyond it, as it does on a full disk.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import open_deployment
from consentry.corpus.registration import open_corpus
from consentry.errors import ConsentryError, UnavailableError
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Purpose
from end_to_end.network import Form, RawItem, RawPerson, copy_home, descriptor, write_items, write_people
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


def refused(code: str, what: Callable[[], object]) -> None:
    """Check what is said. The error is not kept: by it the room of files that are mapped would be taken for longer."""
    said = ("", "")
    try:
        what()
    except UnavailableError as error:  # `pytest.raises` would keep it
        said = (error.code, error.help)
    assert (said[0], said[1].startswith("free some space")) == (code, True)


def test_full_while_registering_and_while_sealing(small_disk: Path, content: Path) -> None:
    deployment = open_deployment(copy_home(small_disk / "home"))
    control = deployment.control
    try:
        for leave in (2 << 20, 6 << 20, 8 << 20):
            ballast = fill(small_disk, leave=leave)
            refused("corpus-disk-full", lambda: control.statements.register_corpus(content / "corpus.toml"))
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


def test_full_while_registering_again_leaves_what_was_registered_before(
    small_disk: Path, tmp_path: Path, content: Path
) -> None:
    shutil.copytree(content, tmp_path / "content")
    descriptor_file, home = tmp_path / "content" / "corpus.toml", small_disk / "home"
    with closing(open_deployment(copy_home(home))) as deployment:
        control = deployment.control
        before = control.statements.register_corpus(descriptor_file).corpus
        control.statements.load_people(content / "people" / "people.toml")
        control.statements.publish(shipped()[POLICY], POLICY)
        said = deployment.ledger.head()
        # New people as well: their numbers are written to the same disk, and no two may ever have one.
        written = [RawItem(id=ROWS + number, author=50 + number) for number in range(20_000)]
        write_items(
            tmp_path / "content" / "items" / "1.parquet",
            written,
            Form(ids="int64", created="none", rows_per_group=20_000),
        )
        for leave in (0, 4_096, 65_536, 300_000, 500_000):
            ballast = fill(small_disk, leave=leave)
            refused("corpus-disk-full", lambda: control.statements.register_corpus(descriptor_file))
            ballast.unlink()
            assert deployment.ledger.head() == said
            there = open_corpus(control.desk.corpora, "network")
            assert (there.snapshot, there.rows) == (before.snapshot, ROWS)
            assert not list(home.rglob("*.staged")), "nothing half-done is left"
        plan = control.releases.plan("network", Purpose.TRAIN_GENAI, policy=load(shipped()[POLICY], POLICY), at=NOW)
        assert plan.to_json()["counts"]["items"] == ROWS
    with closing(open_deployment(home)) as deployment:
        done = deployment.control.statements.register_corpus(descriptor_file)
        assert (done.built, done.kept, done.corpus.rows) == (1, 1, ROWS + 20_000)
        release = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)
        checked = deployment.control.releases.verify(release.manifest.release, decide=True)
        assert [each for each in checked if each.problem] == []


def test_full_while_people_are_loaded_leaves_the_table_of_before(small_disk: Path, content: Path) -> None:
    with closing(open_deployment(copy_home(small_disk / "home"))) as deployment:
        statements = deployment.control.statements
        first = statements.load_people(content / "people" / "people.toml")
        many = write_people(small_disk / "many", [RawPerson(id=number) for number in range(60_000)])
        for leave in (0, 8_192, 1_100_000):
            ballast = fill(small_disk, leave=leave)
            refused("people-disk-full", lambda: statements.load_people(many))
            ballast.unlink()
            loaded = deployment.control.desk.present().state.people
            assert loaded is not None
            assert loaded.snapshot == first.snapshot
        assert statements.load_people(many).rows == 60_000


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
        refused("corpus-disk-full", lambda: deployment.control.statements.register_corpus(content / "corpus.toml"))
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
