"""Notices at the gate: served, and the days over to the second, and no objection, each person by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.clock import now
from consentry.errors import ConsentryError
from consentry.ledger.case_events import AssessmentKind, NoticeWritten, NoticeWrittenV1
from consentry.ledger.events import NoticeServed
from consentry.oversight.case_report import notice_json
from consentry.policy.choice import SECONDS_PER_DAY
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Category, ChoiceState, Purpose
from end_to_end.network import RawItem, RawPerson, populated
from end_to_end.telling import told_then
from end_to_end.test_clock_jumps import set_clock
from end_to_end.test_story import eligible, say

POLICY, NOTICE, WAIT = "november-2025", "genai-2025", 30 * SECONDS_PER_DAY
SERVED = 1_763_000_000
PEOPLE = ("told", "late", "untold", "refuser")
ITEMS = [RawItem(id=f"{each}-1", author=each, created=SERVED - 5) for each in PEOPLE]


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS], [RawPerson(id=each, country="GB") for each in PEOPLE], POLICY) as started:
        yield started


def serve(deployment: Deployment, *people: str, at: int = SERVED) -> int:
    return told_then(deployment, NOTICE, [deployment.person(each) for each in people], at=at)


def built(deployment: Deployment, at: int) -> set[str]:
    made = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=at)
    return eligible(deployment, made.manifest.release)


def test_nobody_is_used_a_second_before_their_own_days_are_over(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    say(deployment, "refuser", at=SERVED - 10)
    serve(deployment, "told", "refuser")
    serve(deployment, "late", at=SERVED + 100)
    assert built(deployment, SERVED + WAIT - 1) == set()
    assert built(deployment, SERVED + WAIT) == {"told-1"}
    assert built(deployment, SERVED + WAIT + 99) == {"told-1"}
    assert built(deployment, SERVED + WAIT + 100) == {"told-1", "late-1"}


def test_an_earlier_objection_survives_every_later_notice_and_policy_version(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    say(deployment, "refuser", at=SERVED - 10)
    for again in range(3):
        serve(deployment, *PEOPLE, at=SERVED + again)
        text = shipped()[POLICY].replace('version = "2025-11-03.3"', f'version = "again-{again}"')
        deployment.control.statements.publish(text, POLICY)
        deployment.control.notices.write(NOTICE, b"x", languages=["en"], channel="in-app", audience="all")
    assert built(deployment, SERVED + 3 * WAIT) == {"told-1", "late-1", "untold-1"}
    assert deployment.control.notices.audience(PEOPLE, purpose=Purpose.TRAIN_GENAI) == (["told", "late", "untold"], 1)


def test_whoever_objects_within_the_days_is_never_used(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    serve(deployment, "told", "late")
    say(deployment, "late", at=SERVED + WAIT - 1)
    assert built(deployment, SERVED + WAIT) == {"told-1"}


def test_nobody_who_refused_on_any_account_is_asked_again(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    control.statements.link(deployment.person("told"), deployment.person("second"))
    say(deployment, "second", at=SERVED)
    say(deployment, "late", at=SERVED, categories=frozenset({Category.IMAGE}))
    say(deployment, "refuser", at=SERVED, purpose=Purpose.TRAIN_AI)
    control.statements.erase([deployment.person("untold")])
    head, seats = deployment.ledger.head(), control.desk.parts.people.seats
    found = control.notices.audience([*PEOPLE, "second", "stranger", "stranger"], purpose=Purpose.TRAIN_GENAI)
    assert found == (["late", "stranger"], 4)
    assert (deployment.ledger.head(), control.desk.parts.people.seats) == (head, seats)
    say(deployment, "second", ChoiceState.UNSET, at=SERVED + 1)
    assert control.notices.audience(["told", "second"], purpose=Purpose.TRAIN_GENAI)[1] == 0


def test_who_refused_one_use_of_several_can_be_told_about_the_rest(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    say(deployment, "told", at=SERVED, purpose=Purpose.TRAIN_GENAI_IMAGE)
    say(deployment, "late", at=SERVED, purpose=Purpose.TRAIN_GENAI)
    audience = deployment.control.notices.audience
    assert audience(["told", "late"], purpose=Purpose.TRAIN_GENAI) == (["told"], 1)
    assert audience(["told", "late"], purpose=Purpose.TRAIN_GENAI_IMAGE) == ([], 2)


def test_versions_and_servings(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    serve(deployment, "told")
    for text in (b"first", b"second"):
        control.notices.write(NOTICE, text, languages=["en", "cy"], channel="in-app", audience="UK members", by="ann")
    serve(deployment, "late", "untold")
    found = control.notices.get(NOTICE)
    assert [each.version for each in found.servings] == [0, 2]
    assert found.people == 3
    assert found.newest is not None
    assert control.notices.text(found.newest) == b"second"


def test_a_version_has_a_text_for_each_language(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    notices = deployment.control.notices
    told = {"channel": "in-app", "audience": "all"}
    made = notices.write(NOTICE, b"Both", languages=["en", "cy"], others={"fr-CA": b"En fran\xc3\xa7ais"}, **told)
    assert [each.languages for each in made.texts] == [("en", "cy"), ("fr-CA",)]
    assert notices.texts(made)[1][1].decode() == "En français"
    for language, text in (("cy", b"Both"), ("en_GB", b"Both"), ("fr", "En français".encode()), ("ar", b"Both")):
        assert notices.text(made, language=language) == text
    assert not made.text_for("ar").is_in("ar")
    assert notices.text(made) == b"Both"
    with pytest.raises(ConsentryError) as caught:
        notices.write(NOTICE, b"x", languages=["en"], others={"en": b"y"}, **told)
    assert caught.value.code == "notice-language-twice"
    with pytest.raises(ConsentryError) as caught:
        notices.write(NOTICE, b"x", languages=["en"], others={"cy": b" \n"}, **told)
    assert caught.value.code == "notice-empty"
    assert len(notices.get(NOTICE).versions) == 1


def test_a_language_is_kept_in_one_way_of_writing(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    notices, told = deployment.control.notices, {"channel": "in-app", "audience": "all"}
    made = notices.write(NOTICE, b"x", languages=["EN", " en_gb"], others={"cym": b"y", "ZH_hant": b"z"}, **told)
    assert made.body.languages == ("en", "en-GB", "cy", "zh-Hant")
    assert notices.text(made, language="cy") == b"y"
    head = deployment.ledger.head()
    for languages, others, code in (
        (["en", "EN"], {}, "notice-language-twice"),
        (["en_GB", "en-GB"], {}, "notice-language-twice"),
        (["en"], {"en ": b"y"}, "notice-language-twice"),
        (["en"], {"cy": b"y", "CY": b"z"}, "notice-language-twice"),
        (["xx"], {}, "notice-language-unknown"),
        (["en"], {"Welsh": b"y"}, "notice-language-unknown"),
        ([" "], {}, "notice-language-unknown"),
        ([], {}, "case-text"),
    ):
        with pytest.raises(ConsentryError) as caught:
            notices.write(NOTICE, b"x", languages=languages, others=others, **told)
        assert caught.value.code == code
        assert caught.value.help
    assert deployment.ledger.head() == head


def test_what_was_written_in_languages_nobody_looked_at_is_read_as_it_was(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, put = deployment.control, deployment.control.desk.parts.objects.put
    kept = ("EN", "en", "cy ", "English")
    documents = tuple(put(each.encode()) for each in kept)
    old = NoticeWritten(notice=NOTICE, languages=kept, documents=documents, channel="mail", audience="all", by=None)
    deployment.ledger.append([old])
    (version,) = control.notices.get(NOTICE).versions
    assert version.body.languages == kept
    assert [control.notices.text(version, language=code) for code in ("en", "cy", "fr")] == [b"EN", b"cy ", b"EN"]
    assert [text.languages for text, _ in control.notices.texts(version)] == [(each,) for each in kept]
    (reported,) = notice_json(control.notices.get(NOTICE), days=0, counting={})["versions"]
    assert reported["languages"] == list(kept), "reports on what was said before stay what they were"
    control.notices.write(NOTICE, b"x", languages=["en"], channel="mail", audience="all")
    assert len(control.notices.get(NOTICE).versions) == 2


def test_what_was_written_before_there_were_several_texts_is_read_as_it_was(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    document = control.desk.parts.objects.put(b"Both")
    before = NoticeWrittenV1(
        notice=NOTICE, document=document, languages=("en", "cy"), channel="mail", audience="all", by=None
    )
    deployment.ledger.append([before])
    control.notices.write(NOTICE, b"x", languages=["en"], others={"cy": b"y"}, channel="mail", audience="all")
    first, second = control.notices.get(NOTICE).versions
    assert (first.number, second.number) == (1, 2)
    assert [each.languages for each in first.texts] == [("en", "cy")]
    assert control.notices.text(first, language="cy") == b"Both"
    reported = notice_json(control.notices.get(NOTICE), days=0, counting={})["versions"]
    assert "texts" not in reported[0], "reports on what was said before stay what they were"
    assert [each["languages"] for each in reported[1]["texts"]] == [["en"], ["cy"]]


def test_bad_notices_are_refused(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    told, head = [deployment.person("told")], deployment.ledger.head()
    for code, call in (
        ("notice-time-to-come", lambda: control.notices.serve(NOTICE, told, at=now() + 60)),
        ("notice-before-text", lambda: control.notices.serve(NOTICE, told, at=SERVED)),
        ("choice-notice-name", lambda: control.notices.serve("No Name", [], at=SERVED)),
        ("notice-nobody", lambda: control.notices.serve(NOTICE, [], at=SERVED)),
        ("notice-empty", lambda: control.notices.write("n", b" \n", languages=["en"], channel="x", audience="x")),
        ("case-text", lambda: control.notices.write("n", b"x", languages=["en"], channel="", audience="x")),
        ("notice-unknown", lambda: control.notices.get("never-heard-of")),
    ):
        with pytest.raises(ConsentryError) as caught:
            call()
        assert caught.value.code == code
    assert deployment.ledger.head() == head


def test_a_false_date_opens_nothing(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, told = deployment.control, [deployment.person("told")]
    for written in (False, True):
        if written:
            control.notices.write(NOTICE, b"x", languages=["en"], channel="in-app", audience="all")
        with pytest.raises(ConsentryError) as caught:
            control.notices.serve(NOTICE, told, at=now() - WAIT)
        assert caught.value.code == "notice-before-text"
    assert built(deployment, now()) == set()
    control.notices.serve(NOTICE, told, at=now())
    assert built(deployment, set_clock(deployment, WAIT - 60)) == set()
    assert built(deployment, set_clock(deployment, WAIT + 60)) == {"told-1"}


@pytest.mark.parametrize("ago", [0, 600])
def test_nobodys_days_begin_before_the_text_though_the_clock_is_a_day_behind(
    place: tuple[Path, Deployment], ago: int
) -> None:
    _, deployment = place
    notices = deployment.control.notices
    set_clock(deployment, -ago)
    notices.write(NOTICE, b"x", languages=["en"], channel="in-app", audience="all")
    set_clock(deployment, 0)
    say(deployment, "refuser", at=now())
    notices.serve(NOTICE, [deployment.person("told")], at=set_clock(deployment, -SECONDS_PER_DAY) - ago)
    (served,) = notices.get(NOTICE).servings
    assert served.version == 1
    assert now() - ago - 60 <= served.at <= now() - ago
    assert built(deployment, set_clock(deployment, WAIT - ago - 60)) == set()
    assert built(deployment, set_clock(deployment, WAIT - ago + 60)) == {"told-1"}


def test_who_was_told_since_the_text_was_written_can_be_recorded_later(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control, told = deployment.control, [deployment.person("told")]
    set_clock(deployment, -10 * SECONDS_PER_DAY)
    control.notices.write(NOTICE, b"x", languages=["en"], channel="in-app", audience="all")
    set_clock(deployment, 0)
    control.notices.serve(NOTICE, told, at=now() - 10 * SECONDS_PER_DAY)
    with pytest.raises(ConsentryError):
        control.notices.serve(NOTICE, told, at=now() - 11 * SECONDS_PER_DAY)
    control.notices.write(NOTICE, b"y", languages=["en"], channel="in-app", audience="all")
    with pytest.raises(ConsentryError) as caught:
        control.notices.serve(NOTICE, told, at=now() - 9 * SECONDS_PER_DAY)
    assert "its text was written at" in caught.value.message, "of what it says now nobody can have been told by then"


def test_what_was_recorded_before_dates_were_looked_at_counts_as_it_was(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    parts = deployment.control.desk.parts
    cohort = parts.people.store_cohort([deployment.person("told")])
    deployment.ledger.append([NoticeServed(notice=NOTICE, at=SERVED, cohort=cohort, count=1)])
    assert built(deployment, SERVED + WAIT) == {"told-1"}


def test_an_assessment_is_of_what_the_rules_say(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    policy = load(shipped()[POLICY], POLICY)
    both = ("members-elsewhere", "members-told-and-waited-for")
    assert control.assessments.missing(policy) == both
    control.assessments.bind(AssessmentKind.DATA_PROTECTION_IMPACT, b"dpia", policy=POLICY, by="legal")
    assert control.assessments.missing(policy) == both
    bound = control.assessments.bind(AssessmentKind.LEGITIMATE_INTEREST, b"lia", policy=POLICY, by="legal")
    assert control.desk.parts.objects.get(bound.body.document) == b"lia"
    assert control.assessments.missing(load("# a comment\n" + shipped()[POLICY], POLICY)) == ()
    assert control.assessments.missing(load(shipped()[POLICY].replace("days = 30 }", "days = 29 }"), POLICY)) == both
    for code, name, document in (("policy-not-published", "nobody-knows", b"x"), ("assessment-empty", POLICY, b"")):
        with pytest.raises(ConsentryError) as caught:
            control.assessments.bind(AssessmentKind.COMPATIBILITY, document, policy=name, by="legal")
        assert caught.value.code == code
