from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import given

from consentry.errors import ChoiceError, IntegrityError
from consentry.ledger.envelope import Stored, draft, log_entry, restore
from consentry.ledger.events import BODIES as KINDS
from consentry.ledger.events import Body, PersonErased, PersonLinked, pseudonyms, suppression_token
from ledger.sayings import BODIES, OPEN, chose, emptied, event, person, published


def stored(body: Body, **changes: object) -> Stored:
    made = draft(body, recorded_at=7, salt=b"s" * 32)
    kept = Stored(3, 7, body.KIND, body.VERSION, made.commitment, made.salt, made.document)
    return kept._replace(**changes)  # type: ignore[arg-type]


@given(BODIES)
def test_a_body_comes_back_as_it_was(body: Body) -> None:
    assert restore(stored(body)).body == body


@given(BODIES)
def test_the_log_entry_is_the_same_after_erasure(body: Body) -> None:
    full = event(4, body)
    if full.personal:
        assert log_entry(emptied(full)) == log_entry(full)
        assert emptied(full).erased
    else:
        assert log_entry(full) == full.document


def test_a_personal_log_entry_is_a_commitment_that_salt_and_document_open() -> None:
    full = event(9, chose(1))
    entry = json.loads(log_entry(full))
    assert full.salt is not None
    assert full.document is not None
    opened = sha256(b"consentry/commitment/v1\x00" + full.salt + full.document).digest()
    assert full.commitment == opened
    assert entry == {"v": 1, "type": "c", "c": entry["c"]}
    assert person(1).encode() not in log_entry(full)


def test_two_equal_choices_have_different_log_entries() -> None:
    assert log_entry(event(1, chose(1))) != log_entry(event(2, chose(1)))


def test_the_document_format_is_pinned() -> None:
    assert draft(chose(1), recorded_at=7, salt=b"s" * 32).document == (
        b'{"at":7,"body":{"choice":{"at":500,"categories":[],"items":[],"purpose":"train-genai","reach":"untrained",'
        b'"state":"refused"},"notice":null,"person":"00000000000000000000000000000001","source":"settings"},'
        b'"type":"choice.made","v":1}'
    )


def test_the_set_of_kinds_is_closed() -> None:
    assert sorted(KINDS) == [
        ("approval.given", 1),
        ("assessment.bound", 1),
        ("case.ended", 1),
        ("case.narrowed", 1),
        ("case.notice-corrected", 1),
        ("case.notice-required", 1),
        ("case.opened", 1),
        ("case.review-begun", 1),
        ("choice.made", 1),
        ("condition.added", 1),
        ("condition.met", 1),
        ("condition.reopened", 1),
        ("condition.reopened", 2),
        ("condition.taken-back", 1),
        ("corpus.registered", 1),
        ("destruction.begun", 1),
        ("destruction.certified", 1),
        ("destruction.certified", 2),
        ("destruction.certified", 3),
        ("items.consumed", 1),
        ("items.excluded", 1),
        ("lease.ended", 1),
        ("lease.ended", 2),
        ("lease.granted", 1),
        ("ledger.event-lost", 1),
        ("model-checkpoint.written", 1),
        ("model.registered", 1),
        ("model.remedied", 1),
        ("model.remedy-approved", 1),
        ("model.remedy-chosen", 1),
        ("model.said-gone", 1),
        ("model.withdrawn", 1),
        ("notice.served", 1),
        ("notice.written", 1),
        ("notice.written", 2),
        ("objection.asked", 1),
        ("objection.declined", 1),
        ("objection.erased", 1),
        ("objection.extended", 1),
        ("objection.heard", 1),
        ("objection.matched", 1),
        ("objection.not-found", 1),
        ("objection.noted", 1),
        ("objection.received", 1),
        ("objection.taken", 1),
        ("objection.told", 1),
        ("objection.withdrawn", 1),
        ("order.drained", 1),
        ("order.drained", 2),
        ("order.ended", 1),
        ("order.issued", 1),
        ("people.loaded", 1),
        ("person.erased", 1),
        ("person.linked", 1),
        ("person.looked-up", 1),
        ("policy.approved", 1),
        ("policy.proposal-ended", 1),
        ("policy.proposed", 1),
        ("policy.published", 1),
        ("release.amended", 1),
        ("release.sealed", 1),
        ("release.sealed", 2),
        ("release.withdrawn", 1),
        ("release.withdrawn", 2),
        ("report.delivered", 1),
        ("report.scheduled", 1),
        ("statement.filed", 1),
    ]


@pytest.mark.parametrize("changes", [{"kind": "choice.whispered"}, {"version": 2}])
def test_what_newer_code_wrote_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(IntegrityError) as caught:
        restore(stored(chose(1), **changes))
    assert caught.value.code == "ledger-event-unknown"


@pytest.mark.parametrize(
    "changes",
    [
        {"document": stored(chose(2)).document},
        {"salt": b"t" * 32},
        {"commitment": b"\0" * 32},
        {"salt": None},
        {"document": None},
        {"kind": "policy.published"},
    ],
)
def test_changed_bytes_of_a_personal_event_are_noticed(changes: dict[str, object]) -> None:
    with pytest.raises(IntegrityError) as caught:
        restore(stored(chose(1), **changes))
    assert caught.value.code == "ledger-event-changed"


@given(OPEN)
def test_a_missing_document_of_an_open_event_is_noticed(body: Body) -> None:
    with pytest.raises(IntegrityError) as caught:
        restore(stored(body, document=None))
    assert caught.value.code == "ledger-event-changed"


@pytest.mark.parametrize("changes", [{"recorded_at": 8}, {"kind": "person.linked"}])
def test_columns_that_contradict_the_document_are_noticed(changes: dict[str, object]) -> None:
    with pytest.raises(IntegrityError) as caught:
        restore(stored(chose(1), **changes))
    assert caught.value.code == "ledger-event-malformed"


@pytest.mark.parametrize("document", [b"[]", b"{}", b"not json", b'{"at":7,"body":[],"type":"policy.published","v":1}'])
def test_a_document_that_is_none_is_noticed(document: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        restore(stored(published("1"), document=document, commitment=sha256(document).digest()))
    assert caught.value.code == "ledger-event-malformed"


@pytest.mark.parametrize("raw", ["alice@example.org", "", "A" * 32, "0" * 31, "0" * 33, "0" * 31 + "\n"])
def test_a_raw_id_never_enters(raw: str) -> None:
    with pytest.raises(ChoiceError) as caught:
        draft(PersonLinked(person=raw, same_as=person(1)), recorded_at=7, salt=b"s" * 32)
    assert caught.value.code == "choice-not-a-pseudonym"


def test_nobody_is_linked_to_themselves() -> None:
    with pytest.raises(ChoiceError) as caught:
        draft(PersonLinked(person=person(1), same_as=person(1)), recorded_at=7, salt=b"s" * 32)
    assert caught.value.code == "choice-link-to-self"
    assert person(1) not in str(caught.value), "what nobody typed says nothing to them"
    assert "both ids are of the same account" in str(caught.value)


def test_an_erasure_names_nobody() -> None:
    erased = PersonErased(token=suppression_token(person(1)), events=2)
    document = draft(erased, recorded_at=7, salt=b"s" * 32).document
    assert person(1).encode() not in document
    assert erased.people == ()


def test_pseudonyms_drops_repetitions_and_keeps_the_order() -> None:
    assert pseudonyms([person(2), person(1), person(2)]) == (person(2), person(1))


def test_an_event_can_be_logged_without_telling_who() -> None:
    full = event(4, chose(1))
    shown = f"{full} {draft(chose(1), recorded_at=7, salt=b's' * 32)}"
    assert "choice.made" in shown
    assert person(1) not in shown
    assert "salt" not in shown
