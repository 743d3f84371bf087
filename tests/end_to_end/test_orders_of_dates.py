"""An order about a window of dates goes on hitting what it hit, however people and content are registered anew.

What hits a release is what was known when it was sealed, while the order was in force, or is known now. The control is
an order without dates, which the counts of the release answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.suspend import drained_words
from consentry.corpus.registration import forget_earlier
from consentry.ledger.oversight_events import LeaseEnd, LeaseEnded, Origin
from consentry.oversight.lease import Lease
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from end_to_end.model_steps import code_of, train
from end_to_end.network import (
    RawItem,
    RawPerson,
    descriptor,
    populated,
    register_other_bytes,
    write_items,
    write_people,
)
from end_to_end.test_story import BEFORE, PEOPLE, POLICY, build
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

Place = tuple[Path, Deployment]
BRAZIL = Scope(areas=frozenset({"BR"}))
WINDOW = Scope(created_from=BEFORE - 10, created_before=BEFORE + 10)
DATED = replace(WINDOW, areas=BRAZIL.areas)
LATER = BEFORE + 40 * 86_400
BOTH = pytest.mark.parametrize("scope", [BRAZIL, DATED], ids=["undated", "dated"])


def load(place: Place, country: str, people: Sequence[RawPerson] = PEOPLE) -> None:
    """Load the people anew with bo in another country."""
    moved = [replace(each, country=country) if each.id == "bo" else each for each in people]
    place[1].control.statements.load_people(write_people(place[0] / "people", moved))


def suspend(deployment: Deployment, scope: Scope) -> str:
    return deployment.control.orders.suspend(scope, case="c", origin=Origin.AUTHORITY_REQUEST, reference="x").order


def granted(deployment: Deployment, release: str) -> tuple[Lease, str]:
    return deployment.control.leases.grant(release, job="j", model="m", ttl_ms=3_600_000)


def of_model(deployment: Deployment, model: str) -> str:
    """Suspend the same for one model, which is made known first."""
    lease, secret = deployment.control.leases.grant(build(deployment), job="k", model=model, ttl_ms=3_600_000)
    deployment.control.leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=0)
    return suspend(deployment, replace(DATED, models=frozenset({model})))


def state_of(deployment: Deployment, lease: Lease) -> str:
    return deployment.control.leases.standings([lease.lease])[lease.lease].state


def stopped(deployment: Deployment, lease: Lease, secret: str) -> bool:
    """Say whether nothing of the release of a lease is read any more, under it or otherwise."""
    control = deployment.control
    asked: dict[str, Any] = {"secret": secret, "job": "j", "fence": lease.fence}
    if state_of(deployment, lease) != "revoked":
        return False
    assert code_of(lambda: control.leases.renew(lease.lease, **asked, sequence=1, step=1)) == "lease-revoked"
    assert code_of(lambda: control.releases.data_files(lease.release)) == "release-suspended"
    assert code_of(lambda: granted(deployment, lease.release)) == "lease-suspended"
    return True


def again(place: Place) -> Deployment:
    place[1].close()
    return open_deployment(place[0] / "home")


@BOTH
def test_a_lease_does_not_come_back_and_is_waited_for_when_people_are_loaded_anew(place: Place, scope: Scope) -> None:
    deployment = place[1]
    lease, secret = granted(deployment, build(deployment))
    order = suspend(deployment, scope)
    load(place, "US")
    assert stopped(deployment, lease, secret)
    deployment.control.orders.drain()
    assert deployment.control.orders.get(order).drained is None, "the job did not stop yet"
    saved: dict[str, Any] = {"secret": secret, "step": 7, "name": "x", "content": f"sha256:{'0' * 64}"}
    assert code_of(lambda: deployment.control.leases.model_checkpoint(lease.lease, **saved)) == "lease-revoked"
    restarted = again(place)
    assert stopped(restarted, lease, secret)
    restarted.control.leases.end(lease.lease, secret=secret, how=LeaseEnd.STOPPED, step=7)
    drained = restarted.control.orders.get(order).drained
    assert drained is not None
    assert drained.stopped == 1
    restarted.close()


@BOTH
def test_what_was_sealed_before_somebody_moved_away_is_hit_by_an_order_after(place: Place, scope: Scope) -> None:
    lease, secret = granted(place[1], build(place[1]))
    load(place, "US")
    suspend(place[1], scope)
    assert stopped(place[1], lease, secret)


@BOTH
def test_what_was_learned_is_not_served_again_because_people_are_loaded_anew(place: Place, scope: Scope) -> None:
    control = place[1].control
    train(place[1], build(place[1]), "m", None)
    suspend(place[1], replace(scope, purposes=frozenset({Purpose.SERVE})))
    assert not control.models.may_serve("m")["may"]
    load(place, "US")
    assert not control.models.may_serve("m")["may"]


@BOTH
def test_who_lived_there_while_the_order_was_in_force_counts_after_moving_on(place: Place, scope: Scope) -> None:
    load(place, "US")
    lease, secret = granted(place[1], build(place[1]))
    suspend(place[1], scope)
    assert state_of(place[1], lease) == "granted"
    load(place, "BR")
    load(place, "US", [*PEOPLE, RawPerson(id="new")])
    assert stopped(place[1], lease, secret)
    restarted = again(place)
    assert stopped(restarted, lease, secret)
    restarted.close()


@BOTH
def test_who_lived_there_neither_at_the_seal_nor_since_the_order_does_not_count(place: Place, scope: Scope) -> None:
    load(place, "US")
    lease, _ = granted(place[1], build(place[1]))
    load(place, "BR")
    load(place, "US", [*PEOPLE, RawPerson(id="new")])
    suspend(place[1], scope)
    assert state_of(place[1], lease) == "granted"


@BOTH
def test_somebody_whom_an_item_involves_counts_as_well(scope: Scope) -> None:
    items = [RawItem(id="a1", author="ada", created=BEFORE, involves=("bo",))]
    with populated([items], PEOPLE, POLICY) as place:
        lease, secret = granted(place[1], build(place[1]))
        load(place, "US")
        suspend(place[1], scope)
        assert stopped(place[1], lease, secret)


def add_columns(path: Path) -> None:
    """Add columns that another descriptor may name: when items were edited, and who posted them."""
    table = pq.read_table(path)
    edited = pa.array([LATER] * table.num_rows, pa.timestamp("s", "UTC"))
    posted = pa.array(["ada"] * table.num_rows)
    pq.write_table(table.append_column("edited", edited).append_column("poster", posted), path)


def with_columns(place: Place) -> None:
    for path in (place[0] / "items").iterdir():
        add_columns(path)
    place[1].control.statements.register_corpus(place[0] / "corpus.toml")


def describe(place: Place, column: str, other: str) -> None:
    """Register the same bytes with another column for something."""
    (place[0] / "corpus.toml").write_text(descriptor().replace(f'"{column}"', f'"{other}"'))
    place[1].control.statements.register_corpus(place[0] / "corpus.toml")


SINCE = replace(BRAZIL, created_from=BEFORE - 10)
COLUMNS = pytest.mark.parametrize(
    ("scope", "column", "other"),
    [(WINDOW, "made", "edited"), (SINCE, "author_id", "poster"), (BRAZIL, "author_id", "poster")],
    ids=["created", "author", "author of an undated order"],
)


@COLUMNS
def test_an_order_hits_what_was_sealed_by_another_descriptor(
    place: Place, scope: Scope, column: str, other: str
) -> None:
    with_columns(place)
    lease, secret = granted(place[1], build(place[1]))
    describe(place, column, other)
    suspend(place[1], scope)
    assert stopped(place[1], lease, secret)


@COLUMNS
def test_another_descriptor_gives_nothing_back_after_a_restart(
    place: Place, scope: Scope, column: str, other: str
) -> None:
    with_columns(place)
    lease, secret = granted(place[1], build(place[1]))
    suspend(place[1], scope)
    describe(place, column, other)
    assert stopped(place[1], lease, secret)
    restarted = again(place)
    assert stopped(restarted, lease, secret)
    restarted.close()


def test_what_another_descriptor_says_of_items_hits_too_and_is_remembered(place: Place) -> None:
    with_columns(place)
    lease, secret = granted(place[1], build(place[1]))
    suspend(place[1], Scope(created_from=LATER))
    assert state_of(place[1], lease) == "granted"
    describe(place, "made", "edited")
    assert stopped(place[1], lease, secret)
    describe(place, "edited", "made")
    assert stopped(place[1], lease, secret)
    restarted = again(place)
    assert stopped(restarted, lease, secret)
    restarted.close()


def test_it_hits_what_was_decided_by_the_order_as_well(place: Place) -> None:
    with_columns(place)
    suspend(place[1], Scope(created_from=LATER))
    lease, _ = granted(place[1], build(place[1]))
    more = place[0] / "items" / "2.parquet"
    write_items(more, [RawItem(id="z1", author="ada", created=LATER)])
    add_columns(more)
    place[1].control.statements.register_corpus(place[0] / "corpus.toml")
    assert state_of(place[1], lease) == "granted", "nothing more is known of what it was sealed with"
    describe(place, "made", "edited")
    assert state_of(place[1], lease) == "revoked"


@pytest.mark.parametrize("kept", [True, False])
def test_other_bytes_say_nothing_of_what_was_decided_by_the_order(place: Place, kept: bool) -> None:
    suspend(place[1], Scope(created_from=LATER))
    lease, _ = granted(place[1], build(place[1]))
    register_other_bytes(place[0], place[1], [RawItem(id="z1", author="ada", created=LATER)], kept=kept)
    assert state_of(place[1], lease) == "granted"


def test_what_was_known_at_the_seal_is_not_kept_so_it_is_hit(place: Place) -> None:
    with_columns(place)
    lease, secret = granted(place[1], build(place[1]))
    describe(place, "made", "edited")
    forget_earlier(place[1].control.desk.corpora, "network", wanted=())
    suspend(place[1], Scope(created_from=LATER + 1))
    assert stopped(place[1], lease, secret)


def test_so_it_is_if_it_was_decided_by_the_order_until_that_can_be_told_again(place: Place) -> None:
    with_columns(place)
    suspend(place[1], Scope(created_from=LATER))
    lease, _ = granted(place[1], build(place[1]))
    describe(place, "made", "edited")
    forget_earlier(place[1].control.desk.corpora, "network", wanted=())
    assert state_of(place[1], lease) == "revoked"
    describe(place, "edited", "made")
    assert state_of(place[1], lease) == "granted"


def test_what_nobody_could_tell_is_asked_again_when_it_can_be_told(place: Place) -> None:
    path = place[0] / "items" / "0.parquet"
    lease, _ = granted(place[1], build(place[1]))
    content = path.read_bytes()
    register_other_bytes(place[0], place[1], [RawItem(id="z1", author="ada", created=BEFORE)])
    suspend(place[1], Scope(created_from=LATER))
    assert state_of(place[1], lease) == "revoked"
    path.write_bytes(content)
    place[1].control.statements.register_corpus(place[0] / "corpus.toml")
    assert state_of(place[1], lease) == "granted"


@pytest.mark.parametrize("gone", ["releases", "corpora"])
def test_what_could_not_be_read_for_a_moment_is_looked_at_again_once_it_can(place: Place, gone: str) -> None:
    lease, _ = granted(place[1], build(place[1]))
    restarted = again(place)
    folder = place[0] / "home" / gone
    folder.rename(folder.with_name("away"))
    suspend(restarted, Scope(created_from=LATER))
    assert state_of(restarted, lease) == "revoked", "nobody can tell what it holds"
    folder.with_name("away").rename(folder)
    uptime = restarted.control.desk.parts.uptime
    object.__setattr__(restarted.control.desk.parts, "uptime", lambda: uptime() + 60)
    assert state_of(restarted, lease) == "granted"
    assert restarted.control.orders.barring(lease.release) is None
    restarted.close()


def test_an_order_is_not_drained_while_a_lease_is_open_that_came_to_it_later(place: Place) -> None:
    deployment, control = place[1], place[1].control
    load(place, "US")
    release = build(deployment)
    before, secret = granted(deployment, release)
    order, same = suspend(deployment, DATED), suspend(deployment, DATED)
    assert stops(deployment, order) == (0, [])
    after, other = granted(deployment, release)
    load(place, "BR")
    assert stops(deployment, order) == (None, [before.lease, after.lease])
    assert control.orders.every()[0].drained is None
    control.leases.end(after.lease, secret=other, how=LeaseEnd.STOPPED, step=9)
    assert stops(deployment, order) == (None, [before.lease, after.lease])
    control.leases.end(before.lease, secret=secret, how=LeaseEnd.RELEASED, step=9)
    assert stops(deployment, order) == (2, [before.lease, after.lease])
    assert stops(deployment, same) == (2, [before.lease, after.lease]), "an end names all that hit"
    head = deployment.ledger.head()
    assert control.orders.drain() == []
    assert deployment.ledger.head() == head, "it is said once more, and not again and again"
    control.reports.schedule("c", "q", title="t", due=BEFORE, by="anna")
    assert [each["drained"]["leases"] for each in control.reports.generate("c", "q")["orders"]] == [2, 2]
    assert drained_words(control.orders.get(order)) == "after a time that is unknown, 2 leases"
    restarted = again(place)
    assert stops(restarted, order) == stops(restarted, same) == (2, [before.lease, after.lease])
    restarted.close()


def test_an_end_counts_for_every_order_that_hit_while_one_of_them_is_not_drained(place: Place) -> None:
    deployment, leases = place[1], place[1].control.leases
    reading, secret = leases.grant(build(deployment), job="j", model="x", ttl_ms=3_600_000)
    named, other = suspend(deployment, DATED), of_model(deployment, "m")
    load(place, "US")
    later, its_secret = granted(deployment, build(deployment))
    load(place, "BR")
    leases.end(later.lease, secret=its_secret, how=LeaseEnd.STOPPED, step=9)
    assert stops(deployment, named) == (None, [reading.lease, later.lease])
    assert stops(deployment, other) == (1, [later.lease])
    leases.end(reading.lease, secret=secret, how=LeaseEnd.STOPPED, step=9)
    assert stops(deployment, named) == (2, [reading.lease, later.lease])


def test_a_lease_that_ends_while_tables_are_removed_counts_for_every_order_that_hit_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, control = place[1], place[1].control
    load(place, "US")
    other = of_model(deployment, "m")
    lease, _ = granted(deployment, build(deployment))
    removed = control.orders.handouts.remove

    def remove() -> None:
        if control.desk.present().overseen.leases.open():
            load(place, "BR")
            with control.desk.at_head() as session:
                orders = tuple(each.order for each in control.orders.hits.all_hitting(lease))
                session.append([LeaseEnded(lease=lease.lease, how=LeaseEnd.STOPPED, orders=orders, step=9)])
        removed()

    monkeypatch.setattr(control.orders.handouts, "remove", remove)
    assert stops(deployment, suspend(deployment, DATED)) == (1, [lease.lease])
    assert stops(deployment, other) == (1, [lease.lease])


def test_an_end_counts_for_no_order_that_came_to_hit_what_was_read_afterwards(place: Place) -> None:
    deployment, leases = place[1], place[1].control.leases
    load(place, "US")
    order = suspend(deployment, DATED)
    first, secret = granted(deployment, build(deployment))
    other = suspend(deployment, Scope(models=frozenset({"m"})))
    leases.end(first.lease, secret=secret, how=LeaseEnd.STOPPED, step=9)
    assert (stops(deployment, order), stops(deployment, other)) == ((0, []), (1, [first.lease]))
    second, secret = leases.grant(build(deployment), job="k", model="other", ttl_ms=3_600_000)
    load(place, "BR")
    assert stops(deployment, order) == (None, [second.lease])
    leases.end(second.lease, secret=secret, how=LeaseEnd.STOPPED, step=9)
    assert (stops(deployment, order), stops(deployment, other)) == ((1, [second.lease]), (1, [first.lease]))


def test_a_job_that_ended_before_somebody_moved_there_is_counted_where_it_is_listed(place: Place) -> None:
    load(place, "US")
    lease, secret = granted(place[1], build(place[1]))
    orders = place[1].control.orders
    order = suspend(place[1], DATED)
    place[1].control.leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=9)
    load(place, "BR")
    leases, revoked = stops(place[1], order)
    assert (leases, revoked) == (0, [lease.lease])
    assert drained_words(orders.get(order), hit=len(revoked)) == "after a time that is unknown, 1 lease"


def stops(deployment: Deployment, order: str) -> tuple[int | None, list[str]]:
    """Return how many leases were over when an order was drained, None if it is not, and which ones it revoked."""
    orders = deployment.control.orders
    found = orders.get(order)
    leases = None if found.drained is None else found.drained.leases
    return leases, [each.lease for each in orders.made_to_stop(found)]
