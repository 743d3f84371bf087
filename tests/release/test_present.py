"""The present carries forward what was said, at a cost that follows what was said and not what there is."""

from __future__ import annotations

from itertools import pairwise
from unittest.mock import Mock

import numpy as np
import pytest

from consentry.bootstrap import open_deployment
from consentry.corpus.classes import classify
from consentry.digests import digest
from consentry.ledger.events import ChoiceMade, PersonLinked, Source
from consentry.policy.choice import Choice
from consentry.policy.matrix import PersonClass
from consentry.policy.vocabulary import Account, ChoiceState, Purpose
from consentry.release import present as present_module
from end_to_end.network import fresh
from end_to_end.telling import told_then

NOW = 1_764_000_000
ACCOUNTS = 20_000
"""So many that anything quadratic in them takes minutes."""


def people(count: int) -> list[str]:
    return [digest(b"%d" % number)[-32:] for number in range(count)]


def test_one_person_with_very_many_accounts() -> None:
    with fresh() as (_, deployment):
        control = deployment.control
        accounts = people(ACCOUNTS)
        links = [PersonLinked(person=one, same_as=other) for one, other in pairwise(accounts)]
        deployment.ledger.append(links[: ACCOUNTS // 2])
        control.desk.present()
        deployment.ledger.append(links[ACCOUNTS // 2 :])  # taken in as a change, and below from the beginning
        seat = int(control.desk.parts.people.seats_of([accounts[7]])[0])
        assert len(control.desk.present().accounts(seat)) == ACCOUNTS
        refusal = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=NOW)
        control.statements.choose([ChoiceMade(person=accounts[0], choice=refusal, source=Source.FORM)])
        present = control.desk.present()
        codes = present.columns.code[np.array(present.accounts(seat))]
        assert codes.min() == codes.max() > 0
        state = present.state
        present._forget()
        present.restore(state)
        assert len(present.accounts(seat)) == ACCOUNTS
        again = present.knowledge(Purpose.TRAIN_GENAI, at=NOW).classes
        members = {again.members[int(again.codes[each])] for each in present.accounts(seat)}
        (member,) = members
        assert member is not None
        assert len(member.choices) == 1


def test_a_link_classifies_nobody_but_those_it_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told one by one, links, choices and a return after an erasure come to what all of them come to at once."""
    counted = Mock(wraps=classify)
    monkeypatch.setattr(present_module, "classify", counted)
    with fresh() as (_, deployment):
        control, accounts = deployment.control, people(12)
        refusal = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=NOW)
        control.desk.parts.people.seats_of(accounts)
        control.statements.erase([accounts[11]])
        control.desk.parts.people.seats_of([accounts[11]], returned=control.desk.present().state.erased)
        seats = control.desk.parts.people.seats_of(accounts).tolist()

        def known() -> list[PersonClass]:
            found = control.desk.present().knowledge(Purpose.TRAIN_GENAI, at=NOW).classes
            return [found.members[code] or PersonClass() for code in found.codes.tolist()]

        known()
        counted.reset_mock()
        for one, other in ((0, 1), (2, 3), (1, 2), (4, 5), (0, 3), (5, 11), (11, 0), (6, 6 + 1)):
            deployment.ledger.append([PersonLinked(person=accounts[one], same_as=accounts[other])])
            known()
        control.statements.choose([ChoiceMade(person=accounts[7], choice=refusal, source=Source.FORM)])
        told = known()
        assert counted.call_count == 0
        groups, state = dict(control.desk.newest.groups), control.desk.newest.state
        control.desk.newest._forget()
        control.desk.newest.restore(state)
        assert known() == told
        assert control.desk.newest.groups == groups
        assert counted.call_count == 1
        assert told[seats[11]].account is told[seats[2]].account is Account.CLOSED
        assert told[seats[7]].choices == told[seats[6]].choices != ()


def test_who_is_being_erased_elsewhere_gets_no_new_seat() -> None:
    """The state still holds what they said, while the index has already forgotten them."""
    with fresh() as (_, deployment):
        control = deployment.control
        refusal = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=NOW)
        one, other = people(2)
        control.statements.choose(ChoiceMade(person=each, choice=refusal, source=Source.FORM) for each in (one, other))
        told_then(deployment, "n1", [one, other], at=NOW)
        present = control.desk.present()
        elsewhere = open_deployment(deployment.settings.home)
        elsewhere.control.desk.parts.people.close([one])
        elsewhere.control.desk.parts.people.forget([one])
        seats = control.desk.parts.people.seats
        present._rebuild()
        assert control.desk.parts.people.seats == seats
        elsewhere.control.desk.parts.personal.erase([one])
        elsewhere.close()
        control.desk.present().knowledge(Purpose.TRAIN_GENAI, at=NOW)
        assert control.desk.parts.people.seats == seats


def test_more_sets_of_notices_than_16_bits_can_number() -> None:
    with fresh() as (_, deployment):
        present = deployment.control.desk.present()
        seats = deployment.control.desk.parts.people.seats_of(people(70_000))
        for place in range(17):  # the seats whose number has this binary digit
            present._serve(f"notice {place}", seats[seats >> np.uint32(place) & 1 == 1], at=place)
        told = present.knowledge(Purpose.TRAIN_GENAI, at=NOW).classes
        for seat in (int(seats[0]), 65_535, 65_536, int(seats[-1])):
            member = told.members[int(told.codes[seat])]
            assert member is not None
            assert member.notices == tuple(sorted((f"notice {p}", p) for p in range(17) if seat >> p & 1))
        assert len(set(told.codes.tolist())) == 70_001
