"""An order that is given with the ledger alone says what one says that is given with everything open: byte for byte.

Histories are made up: orders and cases in every state, models, leases, people. Then the same is asked of two copies of
a home, in the two ways, at one moment.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consentry import bootstrap, opening
from consentry.bootstrap import open_deployment
from consentry.control_plane.table_folder import tables_of
from consentry.digests import digest
from consentry.errors import ConsentryError
from consentry.ledger.case_events import ApprovalGiven, CaseEnd, CaseEnded, CaseOpened, ReviewBegun, Step
from consentry.ledger.events import Body
from consentry.ledger.lineage_events import ModelRegistered
from consentry.ledger.oversight_events import LeaseEnd, LeaseEnded, LeaseGranted, OrderEnd, OrderEnded, Origin
from consentry.ledger.release_events import ReleaseSealed
from consentry.opening import opened_for_orders
from consentry.oversight.order import Order, Scope, issue
from consentry.policy.vocabulary import Category, Purpose
from end_to_end.network import copy_home, quick_folder
from ledger.sayings import CHOSEN, ERASED, LINKED, TOLD

NOW = 1_730_000_000
CASES = st.sampled_from(["ico", "eu", "us"])
MODELS = ("drafts", "letters")
LEASES = st.sampled_from(["l-1", "l-2", "l-3"])
RELEASE = "network.train-genai.0"
SCOPES = st.builds(
    Scope,
    areas=st.frozensets(st.sampled_from(["UK", "EU", "BR", "CA-QC"]), max_size=2),
    purposes=st.frozensets(st.sampled_from([Purpose.TRAIN_AI, Purpose.SERVE]), max_size=1),
    categories=st.frozensets(st.sampled_from([Category.POST, Category.IMAGE]), max_size=2),
    created_from=st.none() | st.just(1_000),
    models=st.frozensets(st.sampled_from(MODELS), max_size=1),
)
ORDERED = st.builds(
    lambda scope, case, number, origin: issue(
        scope, order=f"{case}.{number}", case=case, origin=origin, reference="x", at_ms=1
    ),
    SCOPES,
    CASES,
    st.integers(1, 3),
    st.sampled_from(list(Origin)),
)
SAID: st.SearchStrategy[Body] = st.one_of(
    st.builds(CaseOpened, case=CASES, title=st.just("t"), reference=st.just("r"), by=st.none()),
    ORDERED,
    st.builds(
        OrderEnded,
        order=st.builds("{}.{}".format, CASES, st.integers(1, 3)),
        case=CASES,
        how=st.sampled_from(list(OrderEnd)),
    ),
    st.builds(ReviewBegun, case=CASES, by=st.just("ann")),
    st.builds(ApprovalGiven, case=CASES, step=st.sampled_from(list(Step)), about=st.none(), by=st.just("ann")),
    st.builds(
        CaseEnded,
        case=CASES,
        how=st.sampled_from(list(CaseEnd)),
        reference=st.just("r"),
        found=st.just(()),
        by=st.just(("ann",)),
    ),
    st.builds(
        ModelRegistered,
        model=st.sampled_from(MODELS),
        base=st.none(),
        releases=st.just((RELEASE,)),
        leases=st.just(()),
        digest=st.none(),
    ),
    st.builds(
        LeaseGranted,
        lease=LEASES,
        release=st.just(RELEASE),
        job=st.just("job-1"),
        model=st.sampled_from(MODELS),
        ttl_ms=st.just(60_000),
        secret=st.just(digest(b"secret")),
    ),
    st.builds(LeaseEnded, lease=LEASES, how=st.sampled_from(list(LeaseEnd)), orders=st.just(()), step=st.none()),
    CHOSEN,
    LINKED,
    ERASED,
    TOLD,
)
ASKED = st.fixed_dictionaries(
    {
        "scope": SCOPES
        | st.sampled_from(
            [
                Scope(areas=frozenset({"XX-NOWHERE"})),
                Scope(models=frozenset({"nobody-knows"})),
                Scope(created_from=2_000, created_before=1_000),
            ]
        ),
        "case": CASES | st.sampled_from(["new", "No Name"]),
        "origin": st.sampled_from(list(Origin)),
        "reference": st.sampled_from(["letter 1", "letter 1", "letter 2", "", "two\nlines"]),
        "by": st.sampled_from([None, None, "ann", "Ann Smith"]),
    }
)
"""What may be asked; some of it is refused."""


@contextmanager
def one_moment() -> Iterator[None]:
    """Let no time pass."""
    clocks = {"now": NOW, "milliseconds": NOW * 1_000, "uptime": 1_000.0}
    with ExitStack() as held:
        for module in (bootstrap, opening):
            for name, value in clocks.items():
                held.enter_context(patch.object(module, name, lambda value=value: value))
        yield


def make(home: Path, said: Sequence[Body]) -> int:
    """Make a home with a history, and return its length."""
    deployment = open_deployment(copy_home(home))
    ledger = deployment.ledger
    with ledger.sealing() as session:
        seal = ReleaseSealed(
            release=RELEASE,
            manifest=digest(b"manifest"),
            policy=digest(b"policy"),
            purpose=Purpose.TRAIN_GENAI,
            corpus="network",
            position=session.position,
        )
        session.append([seal, *said])
    head = ledger.head()
    deployment.close()
    return head


def outcome(ask: Any) -> object:
    try:
        found: Order = ask()
    except ConsentryError as error:
        return error.code, str(error), error.help
    return found


def whole(home: Path, *asks: dict[str, Any]) -> list[object]:
    """Do what a process does that has everything open."""
    deployment = open_deployment(home)
    try:
        return [outcome(partial(deployment.control.orders.suspend, **asked)) for asked in asks]
    finally:
        deployment.close()


def alone(home: Path, asked: dict[str, Any]) -> object:
    """Do what the command does, with no server."""
    with opened_for_orders(home) as issuing:
        assert issuing is not None
        given = outcome(partial(issuing.issue, **asked))
        if not isinstance(given, Order) or (done := issuing.note_if_unread(given, tables=tables_of(home))):
            return done if isinstance(given, Order) else given
    deployment = open_deployment(home)
    try:
        return deployment.control.orders.settle(given.order)
    finally:
        deployment.close()


def said_since(home: Path, position: int) -> list[Any]:
    with closing(sqlite3.connect(home / "ledger.db")) as ledger:
        return ledger.execute("SELECT * FROM events WHERE position >= ? ORDER BY position", (position,)).fetchall()


def check(said: list[Body], asks: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder, one_moment():
        one, other = Path(folder, "one"), Path(folder, "other")
        head = make(one, said)
        shutil.copytree(one, other)
        assert [alone(one, asked) for asked in asks] == whole(other, *asks)
        assert said_since(one, head) == said_since(other, head)
        for file in ("overseen.json", "acknowledged"):
            assert [home.joinpath(file).exists() for home in (one, other)] in ([True, True], [False, False])
            if (one / file).exists():
                assert (one / file).read_bytes() == (other / file).read_bytes()
        notes = [sorted(each.name for each in home.glob("cache/issued/*")) for home in (one, other)]
        assert notes[0] == notes[1]


HISTORIES = given(said=st.lists(SAID, max_size=25), asks=st.lists(ASKED, min_size=1, max_size=4))


def _said(name: str) -> Body:
    case = name.partition(".")[0]
    return issue(Scope(), order=name, case=case, origin=Origin.OWN_DECISION, reference="x", at_ms=1)


ONCE_MORE: dict[str, Any] = {
    "scope": Scope(),
    "case": "ico",
    "origin": Origin.OWN_DECISION,
    "reference": "y",
    "by": None,
}


@settings(max_examples=25, deadline=None)
@example(said=[_said("ico.1"), _said("eu.2"), _said("ico.1")], asks=[ONCE_MORE])
@HISTORIES
def test_both_ways_say_the_same(said: list[Body], asks: list[dict[str, Any]]) -> None:
    check(said, asks)


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None)
@HISTORIES
def test_both_ways_say_the_same_campaign(said: list[Body], asks: list[dict[str, Any]]) -> None:
    check(said, asks)


def test_control_an_order_that_is_given_at_another_moment_is_noticed(tmp_path: Path) -> None:
    asked = {"scope": Scope(), "case": "ico", "origin": Origin.OWN_DECISION, "reference": "x", "by": None}
    with one_moment():
        head = make(tmp_path / "one", [])
        shutil.copytree(tmp_path / "one", tmp_path / "other")
        whole(tmp_path / "other", asked)
    alone(tmp_path / "one", asked)
    assert said_since(tmp_path / "one", head) != said_since(tmp_path / "other", head)
