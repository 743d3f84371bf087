"""What an authority may ask for, by example: what is sealed after such an order, and whose job it stops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.jurisdictions import instant
from consentry.policy.vocabulary import Category, Purpose, Visibility
from end_to_end.model_steps import code_of
from end_to_end.network import RawItem, RawPerson, populated
from end_to_end.test_story import eligible

GENAI, MODEL = Purpose.TRAIN_GENAI, "drafts"
NAME = "everywhere"
POLICY = f"""
[policy_set]
name = "{NAME}"
version = "1"
title = "Everywhere"
purposes = ["train-genai"]
[[permit]]
id = "all"
why = "Everybody was told, and can turn it off."
legal_basis = "legitimate-interests"
category = ["post", "image"]
age = ["adult"]
choice = ["unset", "allowed"]
"""
COUNTRIES = ("GB", "IE", "NO", "CH", "US")
MAY = instant("2024-05-07")
DAYS = {"before": MAY - 1, "first": MAY, "last": instant("2024-08-02") - 1, "after": instant("2024-08-02")}
PLAIN = [RawItem(id=f"{each}-post", author=each, created=MAY - 9) for each in COUNTRIES]
SEEN = [RawItem(id=f"{each}-seen-by-few", author=each, visibility="members", created=MAY - 9) for each in ("GB", "US")]
IMAGES = [RawItem(id=f"{each}-image", author=each, category="image", created=MAY - 9) for each in ("GB", "US")]
DATED = [
    *(RawItem(id=f"IE-{day}", author="IE", created=at) for day, at in DAYS.items()),
    RawItem(id="IE-undated", author="IE"),
    RawItem(id="IE-image-first", author="IE", category="image", created=MAY),
    RawItem(id="US-first", author="US", created=MAY),
]
ITEMS = [*PLAIN, *SEEN, *IMAGES, *DATED]
EUROPE = frozenset({"UK", "EU", "EEA", "CH"})
WINDOW = Scope(areas=frozenset({"EU"}), created_from=DAYS["first"], created_before=DAYS["after"])
POSTS_OF_THE_WINDOW = replace(WINDOW, categories=frozenset({Category.POST}))
PUBLIC_POSTS = Scope(
    areas=frozenset({"UK"}),
    categories=frozenset({Category.POST}),
    visibilities=frozenset({Visibility.PUBLIC}),
)
LEFT_OUT: dict[str, tuple[Scope, set[str]]] = {
    "the UK only": (
        Scope(areas=frozenset({"UK"})),
        {"GB-post", "GB-seen-by-few", "GB-image"},
    ),
    "UK, EU, EEA and CH": (
        Scope(areas=EUROPE),
        {str(each.id) for each in ITEMS if each.author != "US"},
    ),
    "public posts of UK users": (PUBLIC_POSTS, {"GB-post"}),
    "created from 7 May to 1 August 2024 in the EU": (
        WINDOW,
        {"IE-first", "IE-last", "IE-undated", "IE-image-first"},
    ),
    "posts created then": (POSTS_OF_THE_WINDOW, {"IE-first", "IE-last", "IE-undated"}),
    "images only": (Scope(categories=frozenset({Category.IMAGE})), {"GB-image", "US-image", "IE-image-first"}),
}


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    people = [RawPerson(id=each, country=each) for each in COUNTRIES]
    with populated([ITEMS], people) as started:
        started[1].control.statements.publish(POLICY, f"{NAME}.toml")
        yield started


def build(deployment: Deployment) -> str:
    at = int(datetime(2024, 10, 1, tzinfo=UTC).timestamp())
    return deployment.control.releases.build("network", GENAI, policy=NAME, at=at).manifest.release


def suspend(deployment: Deployment, scope: Scope) -> None:
    deployment.control.orders.suspend(scope, case="c", origin=Origin.AUTHORITY_REQUEST, reference="letter")


def states(deployment: Deployment, *leases: str) -> list[str]:
    found = deployment.control.leases.standings(leases)
    return [found[each].state for each in leases]


def test_without_an_order_everything_is_used(place: tuple[Path, Deployment]) -> None:
    assert eligible(place[1], build(place[1])) == {str(each.id) for each in ITEMS}


@pytest.mark.parametrize("example", LEFT_OUT)
def test_what_is_left_out_and_who_stops(place: tuple[Path, Deployment], example: str) -> None:
    _, deployment = place
    scope, left_out = LEFT_OUT[example]
    sealed = build(deployment)
    lease, _ = deployment.control.leases.grant(sealed, job="j", model=MODEL)
    suspend(deployment, scope)
    assert states(deployment, lease.lease) == ["revoked"]
    assert code_of(lambda: deployment.control.leases.grant(sealed, job="k", model=MODEL)) == "lease-suspended"
    after = build(deployment)
    assert eligible(deployment, after) == {str(each.id) for each in ITEMS} - left_out
    again, _ = deployment.control.leases.grant(after, job="k", model=MODEL)
    assert states(deployment, again.lease) == ["granted"], "nothing that is suspended is in it"


def test_one_model_only(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    sealed = build(deployment)
    lease, _ = deployment.control.leases.grant(sealed, job="j", model=MODEL)
    other, _ = deployment.control.leases.grant(sealed, job="k", model="search")
    suspend(deployment, Scope(models=frozenset({MODEL})))
    assert states(deployment, lease.lease, other.lease) == ["revoked", "granted"]
    assert code_of(lambda: deployment.control.leases.grant(sealed, job="j", model=MODEL)) == "lease-suspended"
    assert eligible(deployment, build(deployment)) == {str(each.id) for each in ITEMS}
