"""Nobody is out of an order on the word of a time zone or a locale: what holds somebody back releases nothing."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.bootstrap import Deployment
from consentry.errors import ConsentryError
from consentry.oversight.order import Scope
from end_to_end.network import RawItem, RawPerson, populated
from end_to_end.suspended_network import POLICY, UK, build, grant, renew, suspend
from end_to_end.test_story import BEFORE

ITEMS = (RawItem(id="a1", author="ann", created=BEFORE), RawItem(id="b1", author="bo", created=BEFORE))
PEOPLE = (RawPerson(id="ann"), RawPerson(id="bo"))
SIGNALS = ("country", "location", "locale", "time_zone")
NEW_YORK = {"time_zone": "America/New_York"}
NOT_ESTABLISHED: dict[str, dict[str, str]] = {
    "nothing": {},
    "time zone": NEW_YORK,
    "locale": {"locale": "en-US"},
    "Europe": {"location": "Europe", **NEW_YORK},
    "unread country": {"country": "Zembla", **NEW_YORK},
}


def load(folder: Path, deployment: Deployment, *, ann: dict[str, str], bo: dict[str, str] | None = None) -> None:
    """Load the people anew, with these signals of where they live."""
    target, rows = folder / "signals", [ann, {"country": "US"} if bo is None else bo]
    target.mkdir(exist_ok=True)
    signals = {name: pa.array([each.get(name) for each in rows], pa.string()) for name in SIGNALS}
    pq.write_table(pa.table({"id": ["ann", "bo"], "age": ["adult"] * 2, **signals}), target / "people.parquet")
    columns = "".join(f'{name} = "{name}"\n' for name in SIGNALS)
    (target / "people.toml").write_text(
        f'[people]\nfiles = ["people.parquet"]\n[columns]\nperson = "id"\nage = "age"\n{columns}', "utf-8"
    )
    deployment.control.statements.load_people(target / "people.toml")


def hit(deployment: Deployment, scope: Scope) -> int:
    found = deployment.control.orders.what_if(scope)["corpora"]["network"]
    return int(found["items"])


@pytest.mark.parametrize("signals", NOT_ESTABLISHED.values(), ids=NOT_ESTABLISHED)
def test_who_is_established_nowhere_any_more_may_be_in_the_area_of_an_order(signals: dict[str, str]) -> None:
    with populated([ITEMS], PEOPLE, POLICY) as (folder, deployment):
        release = build(deployment)
        lease, secret = grant(deployment, release)
        load(folder, deployment, ann=signals)
        found = deployment.control.orders.what_if(UK)
        assert (found["corpora"]["network"]["items"], found["corpora"]["network"]["people"]) == (1, 1)
        assert (found["releases"], found["leases"]) == ({release: 1}, [lease.lease])
        suspend(deployment)
        with pytest.raises(ConsentryError, match="lease-revoked"):
            renew(deployment, lease, secret)


def test_who_is_established_elsewhere_is_not() -> None:
    with populated([ITEMS], PEOPLE, POLICY) as (folder, deployment):
        lease, secret = grant(deployment, build(deployment))
        load(folder, deployment, ann={"location": "New York", **NEW_YORK})
        assert hit(deployment, UK) == 0
        suspend(deployment)
        renew(deployment, lease, secret)


def test_who_is_linked_with_an_account_elsewhere_is_not_elsewhere_by_that() -> None:
    with populated([ITEMS], PEOPLE, POLICY) as (folder, deployment):
        load(folder, deployment, ann={}, bo={"country": "CH"})
        assert hit(deployment, UK) == 1
        deployment.control.statements.link(deployment.person("ann"), deployment.person("bo"))
        assert hit(deployment, UK) == 2, "they are one person, who may live in the United Kingdom as before"
