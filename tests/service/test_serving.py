"""The server as a process: killed and started again, two of them, stopped, and orders that come from elsewhere."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from consentry.bootstrap import open_deployment
from consentry.cli.main import cli
from consentry.errors import ConsentryError
from consentry.training.client import hold
from service.at_work import Process, home, said, served, suspend_elsewhere

JUMPING = Path(__file__).parents[2] / "benchmarks" / "parts" / "jumping_clock.py"
LOUD = "FOR EVALUATION ONLY"


@pytest.fixture
def place() -> Iterator[tuple[Path, str]]:
    with home() as found:
        yield found


def suspend(folder: Path) -> None:
    said(folder, "suspend", "--case", "ico-2024", "--reference", "letter", "--area", "UK")


def refused(folder: Path, *words: str) -> str:
    with pytest.raises(ConsentryError) as caught:
        said(folder, *words)
    return caught.value.code


def test_an_order_of_another_process_reaches_a_watcher_within_a_second(place: tuple[Path, str]) -> None:
    folder, release = place
    with served(folder) as server:
        held = server.ask.lease(release)
        told: list[float] = []

        def watch() -> None:
            assert held.watch(30).json["state"] == "revoked"
            told.append(time.monotonic())

        thread = threading.Thread(target=watch)
        thread.start()
        suspend_elsewhere(folder, "--area", "UK")
        acknowledged = time.monotonic()
        thread.join()
        assert told[0] - acknowledged < 1
        shown = json.loads(said(folder, "--json", "order", "show", "ico-2024.1"))
        assert (shown["drained"], [job["state"] for job in shown["jobs"]]) == (None, ["not yet"])
        held.end("stopped", 12)
        shown = json.loads(said(folder, "--json", "order", "show", "ico-2024.1"))
        assert shown["drained"]["stopped"] == 1
        assert [(job["state"], job["step"]) for job in shown["jobs"]] == [("stopped", 12)]
        assert "stopped" in said(folder, "order", "show", "ico-2024.1")


def test_killed_and_started_again_leases_hold_and_orders_too(place: tuple[Path, str]) -> None:
    folder, release = place
    server = Process(folder)
    hit, renewed, silent = (server.ask.lease(release, job=name, ttl_s=5) for name in ("one", "two", "three"))
    assert renewed.renew(1).status == 200
    server.kill()
    assert (folder / "serve.json").exists()
    with served(folder) as again:
        for held in (hit, renewed, silent):
            held.caller = again.ask
        # What was renewed is not known any more: each lease is taken to have been renewed at the start.
        assert renewed.renew(2).status == 200
        assert silent.watch(0).json["state"] == "granted"
        begun = time.monotonic()
        assert silent.watch(10).json["state"] in ("expired", "ended")
        assert time.monotonic() - begun < 7
        suspend(folder)
        assert renewed.renew(3).code in ("lease-revoked", "lease-ended")
    with served(folder) as third:
        asked = {"release": release, "job": "four", "model": "drafts", "nonce": "n"}
        assert third.ask("POST", "/v1/leases", asked).code == "lease-suspended"
        renewed.caller = third.ask
        assert renewed.renew(4).code in ("lease-revoked", "lease-ended")


def test_an_order_while_no_server_runs_holds_from_its_start(place: tuple[Path, str]) -> None:
    folder, release = place
    server = Process(folder)
    held = server.ask.lease(release)
    server.kill()
    suspend(folder)
    with served(folder) as again:
        held.caller = again.ask
        assert held.renew(1).code == "lease-revoked"


def test_a_wall_clock_that_is_set_neither_ends_a_lease_nor_makes_it_longer(
    place: tuple[Path, str], tmp_path: Path
) -> None:
    folder, release = place
    with served(folder, program=("-P", str(JUMPING))) as server:
        asked: dict[str, Any] = {"url": server.ask.url, "credential": server.ask.token, "state_folder": tmp_path}
        with hold(release, job="job-2", model="drafts", ttl_s=2, watchdog=False, **asked) as renewed:
            held = server.ask.lease(release, ttl_s=2)
            before = granted_at(server)
            for sequence, number in enumerate((signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR2, signal.SIGUSR1), 1):
                server.process.send_signal(number)
                time.sleep(0.7)
                assert held.renew(sequence).status == 200
                renewed.check(sequence)
            server.process.send_signal(signal.SIGUSR2)
            begun = time.monotonic()
            assert server.ask.lease(release).watch(0.1).json["state"] == "granted"
            assert granted_at(server) < before - 80_000, "its clock was set"
            assert held.watch(5).json["state"] in ("expired", "ended")
            assert 1 < time.monotonic() - begun < 4
            assert held.renew(5).code in ("lease-expired", "lease-ended")
            renewed.check(5)


def granted_at(server: Process) -> int:
    """Return when the newest lease was granted, by the clock of the server."""
    return int(server.ask("GET", "/v1/leases").json["leases"][-1]["granted_at"])


def test_only_one_serves_a_home(place: tuple[Path, str]) -> None:
    folder, _ = place
    with served(folder) as server:
        assert refused(folder, "serve", "--port", "0") == "serve-already-running"
        assert server.ask("GET", "/healthz").status == 200
        assert (folder / "serve.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_it_is_told_and_sends_watchers_away(place: tuple[Path, str], number: int) -> None:
    folder, release = place
    with served(folder) as server:
        held = server.ask.lease(release)
        answers: list[str] = []
        thread = threading.Thread(target=lambda: answers.append(held.watch(60).json["state"]))
        thread.start()
        time.sleep(0.5)
        begun = time.monotonic()
        status, out, errors = server.stop(number)
        assert time.monotonic() - begun < 4
        thread.join()
        assert answers == ["granted"]
        assert status == 0, errors
        assert "Serving at http://127.0.0.1:" in out
        assert str(folder / "keys" / "workload.token") in out
        assert "Traceback" not in errors
        assert not (folder / "serve.json").exists()


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
def test_told_twice_it_stops_without_a_word_of_complaint(place: tuple[Path, str], numbers: tuple[int, int]) -> None:
    """Two signals of one kind might be handed over as one."""
    folder, _ = place
    with served(folder) as server:
        server.process.send_signal(numbers[0])
        status, _, errors = server.stop(numbers[1])
        assert (status, errors.strip()) == (0, "stopped")
        assert not (folder / "serve.json").exists()


def test_an_address_that_is_taken_is_refused(place: tuple[Path, str]) -> None:
    folder, _ = place
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert refused(folder, "serve", "--port", str(taken.getsockname()[1])) == "serve-address-unusable"
    assert not (folder / "serve.json").exists()


def test_a_token_that_is_none_is_refused_and_one_that_is_there_is_kept(place: tuple[Path, str]) -> None:
    folder, release = place
    path = folder / "keys" / "workload.token"
    path.write_text("short")
    assert refused(folder, "serve", "--port", "0") == "serve-token-damaged"
    path.write_text("chosen-by-the-operator-itself\n")
    with served(folder) as server:
        assert server.ask.token == "chosen-by-the-operator-itself"
        server.ask.lease(release)


def test_jobs_asks_the_server_else_the_ledger(place: tuple[Path, str]) -> None:
    folder, release = place
    assert "No job" in said(folder, "jobs")
    server = Process(folder)
    server.ask.lease(release)
    live = json.loads(said(folder, "--json", "jobs"))
    assert live["live"] is True
    assert 50 < live["leases"][0]["left_s"] < 64
    assert "granted" in said(folder, "jobs")
    for chosen, number in (
        (("--state", "granted", "--state", "stopped", "--release", release), 1),
        (("--state", "stopped"), 0),
        (("--model", live["leases"][0]["model"], "--job", "somebody-elses"), 0),
    ):
        assert len(json.loads(said(folder, "--json", "jobs", *chosen))["leases"]) == number
    assert "No lease is like that" in said(folder, "jobs", "--model", "another")
    server.kill()  # its address stays behind
    dead = json.loads(said(folder, "--json", "jobs", "--watch"))
    assert (dead["live"], dead["leases"][0]["state"], dead["leases"][0]["left_s"]) == (False, "open", None)
    assert "No server runs" in said(folder, "jobs")


@pytest.mark.parametrize("newest", ["grant", "order"])
def test_an_older_ledger_does_not_open_until_it_is_repaired(place: tuple[Path, str], newest: str) -> None:
    folder, release = place
    with served(folder) as server:
        server.ask.lease(release)
    yesterday = folder.parent / "yesterday.db"
    shutil.copy(folder / "ledger.db", yesterday)
    if newest == "grant":
        with served(folder) as server:
            server.ask.lease(release, job="of-today")
    else:
        suspend(folder)
    today = folder.parent / "today.db"
    shutil.copy(folder / "ledger.db", today)
    shutil.copy(yesterday, folder / "ledger.db")
    for words in (("serve", "--port", "0"), ("jobs",), ("release", "list")):
        assert refused(folder, *words) == "ledger-older"
    shutil.copy(today, folder / "ledger.db")
    with served(folder) as server:
        assert len(server.ask("GET", "/v1/leases").json["leases"]) == (2 if newest == "grant" else 1)


def test_an_older_ledger_under_a_running_deployment_is_noticed(place: tuple[Path, str]) -> None:
    folder, release = place
    shutil.copy(folder / "ledger.db", folder.parent / "yesterday.db")
    deployment = open_deployment(folder)
    deployment.control.leases.grant(release, job="job-1", model="drafts")
    deployment.ledger.close()  # connections made from now on find the older file
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(folder.parent / "yesterday.db", folder / "ledger.db")
    with pytest.raises(ConsentryError) as caught:
        deployment.control.leases.grant(release, job="job-2", model="drafts")
    assert caught.value.code == "ledger-older"
    deployment.close()


def test_passwords_that_are_made_while_it_runs_are_said_to_be_for_evaluation(place: tuple[Path, str]) -> None:
    """The order that the server itself proposes: it says that nobody can sign in yet."""
    folder, _ = place
    add = ("account", "add", "--role", "auditor")
    with served(folder) as server:
        lines = ((*add, "olga"), (*add, "paul", "--no-password"), ("account", "password", "olga"))
        made = [CliRunner().invoke(cli, ["--home", str(folder), *line]) for line in lines]
        for password in ("wrong", *[made[-1].stdout.split()[-1]] * 2):
            httpx2.post(f"{server.ask.url}/sign-in", data={"handle": "olga", "password": password})
        _, _, errors = server.stop()
    assert [LOUD in each.stderr for each in made] == [True, False, True]
    assert not any(LOUD in each.stdout for each in made)
    assert errors.count(LOUD) == 1, "once, and not before somebody signed in with one"


@pytest.mark.parametrize(("line", "loud"), [((), True), (("--no-password",), False)])
def test_passwords_of_its_own_are_said_to_be_for_evaluation(
    place: tuple[Path, str], line: tuple[str, ...], *, loud: bool
) -> None:
    folder, _ = place
    said(folder, "account", "add", "olga", "--role", "privacy-officer", *line)
    with served(folder) as server:
        _, out, errors = server.stop()
    assert (LOUD in errors) is loud
    assert LOUD not in out
    assert "Traceback" not in errors
