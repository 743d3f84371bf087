"""What concerns which authority, place by place."""

from __future__ import annotations

import pytest

from consentry.oversight.jurisdiction import Lies, concerns, lies
from consentry.oversight.order import Scope
from consentry.policy.jurisdictions import contains, instant
from consentry.policy.memberships import COUNTRIES
from consentry.policy.vocabulary import Purpose

NOW, BEFORE_BREXIT = instant("2024-09-20"), instant("2019-06-01")


def areas(*codes: str) -> frozenset[str]:
    return frozenset(codes)


@pytest.mark.parametrize(
    ("scope", "of", "theirs"),
    [
        ("UK", "UK", True),
        ("EEA UK", "UK", True),
        ("", "UK", True),
        ("BR", "UK", False),
        ("BR US", "UK", False),
        ("FR", "EU", True),
        ("EU", "FR", True),
        ("EEA", "EU", True),
        ("NO", "EU", False),
        ("NO", "EEA", True),
        ("GB", "UK", True),
        ("GB-SCT", "UK", True),
        ("UK", "GB-SCT", True),
        ("GB", "GB-SCT", True),
        ("GB-SCT", "GB-WLS", False),
        ("JE", "UK", False),
        ("US-TX", "US-CA", False),
        ("US-CA", "US", True),
        ("US-STATE-LAW", "US-CA", True),
        ("RE", "EU", True),
        ("NC", "EU", False),
        ("NC", "FR", True),
        ("UK", "EU", False),
        ("CH", "EEA UK EU", False),
        ("UK", "", False),
        ("", "", False),
    ],
)
def test_a_scope_concerns_those_whose_places_it_names(scope: str, of: str, theirs: bool) -> None:
    assert concerns(Scope(areas=areas(*scope.split())), areas(*of.split()), at=NOW) is theirs


def test_groups_are_asked_as_of_a_time() -> None:
    assert concerns(Scope(areas=areas("UK")), areas("EU"), at=BEFORE_BREXIT)
    assert not concerns(Scope(areas=areas("UK")), areas("EU"), at=NOW)


def test_other_parts_of_a_scope_change_nothing() -> None:
    scope = Scope(areas=areas("BR"), purposes=frozenset({Purpose.SERVE}), models=frozenset({"drafts"}))
    assert not concerns(scope, areas("UK"), at=NOW)
    assert concerns(Scope(models=frozenset({"drafts"})), areas("UK"), at=NOW), "it holds everywhere"


@pytest.mark.parametrize("group", ["EU", "EEA", "UK"])
def test_every_country_by_itself(group: str) -> None:
    for country in sorted(COUNTRIES):
        expected = contains(group, country, at=NOW) is True
        # A country of which a part is in the group concerns it as well.
        found = concerns(Scope(areas=areas(country)), areas(group), at=NOW)
        assert found or not expected, country
        assert concerns(Scope(areas=areas(group)), areas(country), at=NOW) is found, country


@pytest.mark.parametrize(
    ("place", "of", "where"),
    [
        ("GB", "UK", Lies.THERE),
        ("GB|IE", "UK", Lies.PERHAPS),
        ("FR|IE", "EU", Lies.THERE),
        ("GB", "GB-SCT", Lies.PERHAPS),
        ("BR", "UK", Lies.ELSEWHERE),
        ("BR|US", "UK", Lies.ELSEWHERE),
        ("nobody", "UK", Lies.ELSEWHERE),
        ("unresolved", "UK", Lies.ELSEWHERE),
    ],
)
def test_where_items_are_counted(place: str, of: str, where: Lies) -> None:
    assert lies(place, areas(of), at=NOW) is where
