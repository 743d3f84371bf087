"""A training host with the packages that docs/training.md names and no others: a job there, its watchdog included.

CONSENTRY_TEST_TRAINER names the Python of an environment that has exactly those; `.ci/trainer` makes one. Without it
the Python of the tests takes its place, and what else is installed there is not found.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consentry.training.practice import STOPPED
from service.at_work import Caller, home, served, suspend_elsewhere
from training import jobs
from training.small_server import SmallPlane
from training.test_watchdog import SLACK_S, TTL_S, watchdog_of

HOST = Path(__file__).parent / "another_host"
GIVEN = os.environ.get("CONSENTRY_TEST_TRAINER")


def packages() -> str:
    """Return the packages that a training host is told to install beside Consentry."""
    document = (jobs.ROOT / "docs" / "training.md").read_text("utf-8")
    (found,) = re.findall(r"^pip install --no-deps consentry\npip install ([a-z ]+)$", document, re.MULTILINE)
    return str(found)


def environment(ask: Caller | None = None) -> dict[str, str]:
    """Return what a process on that host finds in its environment."""
    places = [] if GIVEN else [HOST, jobs.ROOT / "src"]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), "HOST_PACKAGES": packages()}
    return found if ask is None else {**found, "CONSENTRY_URL": ask.url, "CONSENTRY_TOKEN": ask.token}


@contextmanager
def training(ask: Caller, release: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Train on that host until somebody stops it."""
    line = [GIVEN or sys.executable, "-P", "-m", "consentry.training.practice", release, "--model", "drafts"]
    options = ["--column", "kind", "--passes", "1000000", "--ttl", "30", "--state", str(folder)]
    job = subprocess.Popen([*line, *options], env=environment(ask), stdout=subprocess.PIPE, text=True)
    try:
        yield job
    finally:
        job.kill()
        job.communicate()


def test_a_job_reads_a_release_of_a_real_server_and_stops_at_an_order(tmp_path: Path) -> None:
    with home() as (folder, release), served(folder) as server, training(server.ask, release, tmp_path) as job:
        assert job.stdout is not None
        said = [json.loads(job.stdout.readline())["said"] for _ in range(2)]
        assert said == ["began", "training"]
        assert watchdog_of(job)
        suspend_elsewhere(folder, "--area", "UK")
        out, _ = job.communicate(timeout=60)
        assert job.returncode == STOPPED, out
        last = json.loads(out.splitlines()[-1])
        assert (last["said"], last["code"]) == ("stopped", "lease-revoked")
        (lease,) = server.ask("GET", "/v1/leases").json["leases"]
    assert (lease["state"], lease["order"]) == ("stopped", "ico-2024.1")
    assert lease["items"] > 0, "what it trained on was said"


@pytest.mark.parametrize("program", [jobs.SWALLOWS, jobs.HANGS], ids=["swallows", "hangs"])
def test_a_watchdog_kills_where_nothing_is_installed(
    plane: SmallPlane, url: str, tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_PACKAGES", "")
    job = jobs.start(program, url=url, folder=tmp_path / "job", ttl_s=TTL_S, places=(HOST,))
    try:
        plane.revoke()
        assert job.wait(TTL_S + SLACK_S + 20) == -signal.SIGKILL
    finally:
        job.kill()
        job.communicate()


def test_control_nothing_else_is_there() -> None:
    """In the environment that is given nothing else is installed; in place of one nothing else is found."""
    listed = "import importlib.metadata as m; print(*sorted({d.name.lower() for d in m.distributions()}))"
    program = listed if GIVEN else "import numpy, pyarrow, pyroaring\nimport click"
    line = [GIVEN or sys.executable, "-P", "-c", program]
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False)
    if GIVEN:
        assert done.stdout.split() == sorted(packages().split())
    else:
        assert done.stderr.endswith("ImportError: click is not installed here\n")
