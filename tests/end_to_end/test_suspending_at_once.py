"""`consentry suspend` waits for nobody: it opens the ledger alone, and what follows from the order comes after it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane.orders import OrderVerbs
from consentry.errors import UnavailableError
from consentry.identity import IDENTITY_FILE
from consentry.ledger.oversight_events import LeaseEnd
from consentry.service.server import serving
from end_to_end.terminal import Terminal, build, ready, terminal

__all__ = ["ready", "terminal"]
BRAZIL = ("suspend", "--case", "br", "--area", "BR", "--reference", "letter 1")
KENYA = ("suspend", "--case", "ke", "--area", "KE", "--reference", "letter 2")
"""Nobody lives there."""
USE = ("--policy", "september-2024", "--category", "post")


@pytest.fixture
def released(ready: Terminal) -> Terminal:
    build(ready)
    return ready


@contextmanager
def nothing_else_is_opened() -> Iterator[None]:
    def refuse(*_: object, **__: object) -> Deployment:
        raise AssertionError("the whole deployment was opened")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consentry.cli.context.open_deployment", refuse)
        yield


@contextmanager
def opened(terminal: Terminal) -> Iterator[Deployment]:
    deployment = open_deployment(terminal.home)
    try:
        yield deployment
    finally:
        deployment.close()


def release_of(terminal: Terminal) -> str:
    (found,) = terminal.run("release", "list")["releases"]
    return str(found["release"])


def lease(terminal: Terminal) -> None:
    """Grant a lease, and die without ending it."""
    with opened(terminal) as deployment:
        deployment.control.leases.grant(release_of(terminal), job="job-1", model="drafts")


def test_an_order_is_given_and_listed_with_the_ledger_alone(released: Terminal) -> None:
    with nothing_else_is_opened():
        order = released.run(*BRAZIL)
        assert [order["drained"][how] for how in ("stopped", "expired", "released")] == [0, 0, 0]
        assert order["drained"]["position"] == order["position"] + 1
        text = released.run(*KENYA, as_json=False)
        assert text.splitlines()[1] == "No job reads what it hits."
        assert [each["order"] for each in released.run("order", "list")["orders"]] == ["br.1", "ke.1"]
    assert not released.run("may", "bö", *USE, status=3)["allowed"]
    assert released.run("may", "ada", *USE)["allowed"]
    assert build(released)["counts"]["eligible"] == 1


def test_the_control_the_others_open_all_of_it(released: Terminal) -> None:
    with nothing_else_is_opened():
        assert released.run("order", "show", "br.1", status=1)["error"]["code"] == "internal-error"


def test_tables_go_before_it_ends_and_its_effect_is_said_before_that(
    released: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = release_of(released)
    metadata = Path(released.run("release", "table", release)["metadata"])
    said: list[str] = []
    settle = OrderVerbs.settle

    def then(self: OrderVerbs, name: str) -> Any:
        said.append(released.capsys.readouterr().out)
        return settle(self, name)

    monkeypatch.setattr(OrderVerbs, "settle", then)
    hit = [
        "No job reads what it hits.",
        "What was sealed and holds any of it is no longer readable. Which that is: consentry release list",
        "Models that learned from that are held from being served. Ask: consentry model may-serve NAME",
    ]
    assert released.run(*KENYA, as_json=False).splitlines() == hit
    assert metadata.exists()
    assert released.run(*BRAZIL, as_json=False).splitlines() == hit
    assert not metadata.exists()
    assert [line.split(":")[0] for line in said] == [
        "Order ke.1 is in force from position 5",
        "Order br.1 is in force from position 8",
    ]


def test_whoever_asks_about_an_item_hears_that_its_release_is_not_readable(released: Terminal) -> None:
    release = release_of(released)
    asked = ("release", "explain", release, "a1")
    assert "may be used" in released.run(*asked, as_json=False)
    assert released.run(*asked)["barred"] is None
    released.run(*BRAZIL)
    text = released.run(*asked, status=3, as_json=False)
    assert "is in it, and may not be used now" in text
    assert "NOT READABLE: " in text
    assert "may be used" not in text
    assert released.run(*asked, status=3)["barred"]["order"] == "br.1"


def test_when_orders_leave_nothing_they_are_named_and_no_gap_is(released: Terminal) -> None:
    released.run("suspend", "--case", "all", "--area", "US", "--area", "BR", "--reference", "letter 3")
    text = released.run("release", "plan", "network", "--policy", "september-2024", as_json=False)
    assert "Orders suspend 2 items: consentry order list" in text
    assert "What helps: " not in text, "nothing that is missing is in the way"


@pytest.mark.parametrize(("words", "drained"), [(BRAZIL, False), (KENYA, True)])
def test_where_no_server_runs_it_is_found_out_who_reads_what_it_hits(
    released: Terminal,
    words: tuple[str, ...],
    drained: bool,
) -> None:
    lease(released)
    assert (released.run(*words)["drained"] is not None) == drained


def test_a_server_that_runs_sees_to_the_rest(released: Terminal) -> None:
    release = release_of(released)
    with opened(released) as deployment, serving(deployment):
        leases = deployment.control.leases
        held, secret = leases.grant(release, job="job-1", model="drafts")
        with nothing_else_is_opened():
            assert released.run(*BRAZIL)["drained"] is None
            assert [each["state"] for each in released.run("jobs")["leases"]] == ["revoked"]
        assert leases.standings({held.lease})[held.lease].state == "revoked"
        leases.end(held.lease, secret=secret, how=LeaseEnd.STOPPED, step=3)
        order = deployment.control.orders.get("br.1")
        assert order.drained is None or order.drained.stopped == 1
        deployment.control.orders.drain()
        drained = deployment.control.orders.get("br.1").drained
        assert drained is not None
        assert drained.stopped == 1


def test_a_table_is_not_left_to_the_server(released: Terminal) -> None:
    release = release_of(released)
    metadata = Path(released.run("release", "table", release)["metadata"])
    with opened(released) as deployment, serving(deployment):
        deployment.control.leases.grant(release, job="job-1", model="drafts")
        assert released.run(*BRAZIL)["drained"] is None
        assert not metadata.exists()


@pytest.mark.parametrize("error", [UnavailableError("ledger-unavailable", "it is away", help="x"), OSError(5, "oh")])
def test_what_goes_wrong_afterwards_does_not_hide_that_it_holds(
    released: Terminal, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    released.run("release", "table", release_of(released))

    def fail(*_: object) -> Any:
        raise error

    monkeypatch.setattr(OrderVerbs, "settle", fail)
    text = released.run(*BRAZIL, status=1, as_json=False).replace("\n", " ")
    assert text.startswith("Order br.1 is in force from position 5")
    assert "order br.1 is in force from position 5; `consentry serve` sees to what is left" in text
    assert [each["order"] for each in released.run("order", "list")["orders"]] == ["br.1"]


def test_an_interrupt_afterwards_says_that_it_holds(released: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    released.run("release", "table", release_of(released))

    def interrupt(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(OrderVerbs, "settle", interrupt)
    assert "interrupted; order br.1 is in force" in released.run(*BRAZIL, status=130)


def test_missing_keys_keep_nobody_from_stopping_a_use(released: Terminal) -> None:
    (released.home / "keys").rename(released.folder / "away")
    released.fails("key-missing", "case", "list")
    with nothing_else_is_opened():
        released.run(*BRAZIL)
    (released.folder / "away").rename(released.home / "keys")
    assert not released.run("may", "bö", *USE, status=3)["allowed"]


def test_a_home_that_is_not_bound_yet_is_opened_as_a_whole(released: Terminal) -> None:
    (released.home / IDENTITY_FILE).unlink()
    assert released.run("order", "list") == {"orders": []}
    (released.home / IDENTITY_FILE).unlink()
    assert released.run(*BRAZIL)["order"] == "br.1"
    assert (released.home / IDENTITY_FILE).exists()


def test_another_ledger_and_an_older_one_are_refused_and_left_as_they_are(released: Terminal) -> None:
    older = released.folder / "older.db"
    shutil.copyfile(released.home / "ledger.db", older)
    released.run(*BRAZIL)
    other = released.folder / "other"
    open_deployment(other).close()
    for ledger, code in ((other / "ledger.db", "ledger-of-another-deployment"), (older, "ledger-older")):
        before = ledger.read_bytes()
        for left in released.home.glob("ledger.db*"):
            left.unlink()
        shutil.copyfile(ledger, released.home / "ledger.db")
        released.fails(code, *KENYA)
        released.fails(code, "order", "list")
        assert (released.home / "ledger.db").read_bytes() == before


def test_a_folder_without_a_deployment_stays_empty(terminal: Terminal) -> None:
    shutil.rmtree(terminal.home)
    terminal.home.mkdir()
    for words in (BRAZIL, ("order", "list")):
        terminal.fails("home-missing", *words)
    assert list(terminal.home.iterdir()) == []
