"""Every reason that items are counted under can be said in words."""

from __future__ import annotations

import pytest

from consentry.policy.evaluator import Reason, ReasonKind
from consentry.policy.expressions import GapKind
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.release.explain import meaning

POLICY = load(shipped()["september-2024"], "september-2024")
REFERENCES = {
    ReasonKind.GAP: [str(each) for each in GapKind],
    ReasonKind.FORBIDDEN: ["never"],
    ReasonKind.PERMITTED: ["members-outside-europe"],
    ReasonKind.SUSPENDED: ["uk-2024.1"],
}
REASONS = [str(Reason(kind, reference)) for kind in ReasonKind for reference in REFERENCES.get(kind, [""])]


@pytest.mark.parametrize("label", REASONS)
def test_it_has_words(label: str) -> None:
    said = meaning(label, POLICY)
    assert len(said.split()) > 2
    assert meaning(f"involved:{label}", POLICY) == f"because of somebody else it involves: {said}"


def test_a_rule_speaks_for_itself() -> None:
    assert meaning("forbidden:never", POLICY) == POLICY.rule("never").why


@pytest.mark.parametrize("label", ["eligible", "forbidden:no-rule", "gap:no-gap", "involved:", "erased-since", ""])
def test_what_is_not_known_has_none(label: str) -> None:
    assert meaning(label, POLICY) == ""
