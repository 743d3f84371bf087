from __future__ import annotations

import re
from enum import StrEnum

import pytest

from consentry.policy.vocabulary import (
    ACCOUNTS,
    AGES,
    CATEGORIES,
    VISIBILITIES,
    Account,
    Age,
    Category,
    ChoiceState,
    LegalBasis,
    Purpose,
    Reach,
    Visibility,
)

_KEBAB = re.compile(r"[a-z]+(-[a-z]+)*")


@pytest.mark.parametrize("kind", [Purpose, Category, Visibility, Age, Account, ChoiceState, Reach, LegalBasis])
def test_words_are_kebab_case_and_named_alike(kind: type[StrEnum]) -> None:
    for word in kind:
        assert _KEBAB.fullmatch(word.value)
        assert word.name == word.value.upper().replace("-", "_")


@pytest.mark.parametrize("codes", [CATEGORIES, VISIBILITIES, AGES, ACCOUNTS])
def test_the_first_code_is_unknown(codes: tuple[StrEnum, ...]) -> None:
    """Code 0 is what an empty byte in a sidecar says."""
    assert codes[0].value == "unknown"


def test_codes_that_are_stored_never_move() -> None:
    """Append at the end; a failure here means that existing sidecars would be misread."""
    assert " ".join(CATEGORIES) == (
        "unknown profile post comment article poll-answer image video audio resume job-application-answer group-post "
        "group-message direct-message reaction recommendation ai-prompt ai-output ai-feedback salary credential payment"
    )
    assert " ".join(VISIBILITIES) == "unknown public members connections group private"
    assert " ".join(AGES) == "unknown adult minor"
    assert " ".join(ACCOUNTS) == "unknown active dormant closed none unclear"


def test_the_tree_of_purposes() -> None:
    assert Purpose.TRAIN_GENAI_TEXT.lineage == (Purpose.TRAIN_GENAI_TEXT, Purpose.TRAIN_GENAI, Purpose.TRAIN_AI)
    assert Purpose.TRAIN_AI.lineage == (Purpose.TRAIN_AI,)
    assert Purpose.SERVE.parent is None


def test_covering_runs_downward_only() -> None:
    assert Purpose.TRAIN_AI.covers(Purpose.TRAIN_GENAI_IMAGE)
    assert Purpose.TRAIN_AI.covers(Purpose.TRAIN_AI)
    assert not Purpose.TRAIN_GENAI_IMAGE.covers(Purpose.TRAIN_AI)
    assert not Purpose.TRAIN_GENAI_IMAGE.covers(Purpose.TRAIN_GENAI_TEXT)
    assert not Purpose.EVALUATE.covers(Purpose.TRAIN_AI)


@pytest.mark.parametrize("purpose", Purpose)
def test_every_purpose_covers_exactly_what_lists_it(purpose: Purpose) -> None:
    assert {other for other in Purpose if purpose.covers(other)} == {
        other for other in Purpose if purpose in other.lineage
    }


@pytest.mark.parametrize(
    ("basis", "article"),
    [
        (LegalBasis.CONSENT, "6(1)(a)"),
        (LegalBasis.CONTRACT, "6(1)(b)"),
        (LegalBasis.LEGAL_OBLIGATION, "6(1)(c)"),
        (LegalBasis.VITAL_INTERESTS, "6(1)(d)"),
        (LegalBasis.PUBLIC_TASK, "6(1)(e)"),
        (LegalBasis.LEGITIMATE_INTERESTS, "6(1)(f)"),
    ],
)
def test_legal_bases(basis: LegalBasis, article: str) -> None:
    assert basis.article == article
    assert basis.iri == f"https://w3id.org/dpv/legal/eu/gdpr#A6-1-{article[-2]}"
