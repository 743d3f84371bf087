"""A deployment with a release, and a server of it in a thread: alone, with staff, authorities or objectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from end_to_end.network import made_once
from service.at_work import Caller, in_thread, prepare, until
from service.authorities import ANPD, CNIL, ICO, Scene
from service.objectors import STAFF, There
from service.staff import Office, office
from service.visitor import PASSWORD

CONTENT = "sha256:" + "0" * 64
UK = Scope(areas=frozenset({"UK"}))


@dataclass
class Place:
    """What the tests are about."""

    folder: Path
    deployment: Deployment
    release: str
    ask: Caller


def suspend(place: Place, scope: Scope = UK) -> str:
    control = place.deployment.control
    return control.orders.suspend(scope, case="ico-2024", origin=Origin.OWN_DECISION, reference="letter").order


def wait_until_drained(place: Place, order: str, seconds: float = 5) -> None:
    orders = place.deployment.control.orders
    until(lambda: any(each.order == order and each.drained for each in orders.every()), seconds)


@pytest.fixture
def place() -> Iterator[Place]:
    with made_once(prepare) as (folder, deployment, release), in_thread(deployment) as ask:
        yield Place(folder, deployment, release, ask)


@pytest.fixture
def own() -> Iterator[Office]:
    with office() as made:
        yield made


@pytest.fixture
def empty() -> Iterator[Office]:
    with office(filled=False) as made:
        yield made


@pytest.fixture(scope="module")
def there() -> Iterator[There]:
    with made_once(prepare) as (_, opened, release):
        # Nobody answers there: nothing of this may need the provider.
        silent = {"oidc_issuer": "http://127.0.0.1:9", "member_issuer": "http://127.0.0.1:9"}
        deployment = replace(opened, settings=opened.settings.model_copy(update=silent))
        with deployment.admission() as admission:
            for role in STAFF:
                admission.add(role, roles=frozenset({role}), password=PASSWORD)
            admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password=PASSWORD)
            admission.add("ico", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password=PASSWORD)
        with in_thread(deployment) as ask:
            yield There(deployment, release, ask.url)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with made_once(prepare) as (_, deployment, release):
        with deployment.admission() as admission:
            for office in (ICO, ANPD, CNIL):
                admission.add(office.handle, roles=frozenset({Role.AUTHORITY}), areas=office.areas, password=PASSWORD)
                admission.set_public_key(office.handle, office.public)
            admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password=PASSWORD)
        with in_thread(deployment) as ask:
            yield Scene(deployment, ask.url, release)
