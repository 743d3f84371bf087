"""What members and objectors read is short, plain and honest: the English texts, from which all others are translated.

Sources: ISO 24495-1 (plain language); EDPB Guidelines 03/2022 on what steers people (stirring, obstructing).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from html import unescape
from statistics import mean
from typing import get_args

import httpx2
import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.events import Body, ChoiceMade, Source
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight.order import Scope, issue
from consentry.policy.choice import Choice
from consentry.policy.expressions import GapKind
from consentry.policy.vocabulary import Category, ChoiceState, LegalBasis, Purpose, Reach, Visibility
from consentry.release.situation import Situation
from consentry.service import plain_words
from consentry.service.pages import member_words as say
from end_to_end.telling import told_then
from end_to_end.test_story import NOW
from service.catalogues import gathered
from service.members import HOSTILE, Come, no, one_item, shown, yes
from service.visitor import Visitor, words

place = member.place

PLACES = (
    "pages/member",
    "pages/objection",
    "templates/accessibility.html",
    "templates/front.html",
    "templates/member",
    "templates/objection",
)
LONGEST, ON_AVERAGE = 25, 12
"""Words of a sentence. Half of all readers lose the thread of one with more than 25."""
TERMS = (
    r"ledger|hash\w*|digests?|pseudonym\w*|metadata|data ?sets?|corpus|corpora|manifests?|leases?|API|LLMs?|inference|"
    r"fine-?tun\w+|data subjects?|controllers?|processors?|processing|profiling|third part\w+|supervisory|"
    r"jurisdictions?|consent|contract|legal|lawful\w*|legitimate interests?|vital interests|public task|GDPR|erasure|"
    r"rectif\w+|portab\w+|derogat\w+|undertakings?|pursuant|hereby|herein|thereof|notwithstanding|shall|statutory|"
    r"opt(?:ed|ing)?[- ](?:out|in)"
)
"""What has to be looked up by somebody who is no lawyer and no engineer."""
EXPLAINED = (
    re.compile(rf"^({TERMS})( obligation)?: \w+ .+", re.IGNORECASE),
    # A sentence first, then where it stands, for whoever wants to read it there.
    re.compile(r"^[^()]{30,} \(GDPR Art\. [\d() and]+\)\.$"),
)
"""Texts that say what they mean: the term and a sentence, or a sentence and its source."""
BESIDE = {
    "On what legal basis": "the name of a fact; what stands there are the texts of `BASES`, each a term and a sentence",
    "See what concerns your jurisdictions, take it away signed, and file a concern or a suspension.": "for authorities",
}
STEERING = (
    r"are you sure|unfortunately|sorry|please reconsider|help us|you will lose|you will miss|miss out|recommended|"
    r"better experience|personali[sz]ed|simply|of course|obviously|don[’']t worry|trust us|we care|valued|!"
)
"""Words that push people to one answer, or that say nothing."""


def texts() -> Iterator[str]:
    for message in gathered():
        if message.id and any(where.startswith(PLACES) for where, _ in message.locations):
            yield from message.id if isinstance(message.id, tuple | list) else (str(message.id),)


def sentences(text: str) -> list[list[str]]:
    return [re.findall(r"[\w’'%()-]+", part) for part in re.split(r"(?<=[.!?])\s+", text) if part.strip()]


def long(text: str) -> bool:
    return any(len(each) > LONGEST for each in sentences(text))


def unexplained(text: str) -> bool:
    found = re.search(rf"\b({TERMS})\b", text, re.IGNORECASE)
    return found is not None and text not in BESIDE and not any(form.search(text) for form in EXPLAINED)


def steers(text: str) -> bool:
    return re.search(rf"\b({STEERING})\b|!", text, re.IGNORECASE) is not None


def test_there_is_something_to_read() -> None:
    assert len(list(texts())) > 200
    assert set(BESIDE) <= set(texts()), "what is not there any more needs no exception"


def test_sentences_are_short() -> None:
    assert [text for text in texts() if long(text)] == []
    assert mean(len(each) for text in texts() for each in sentences(text)) < ON_AVERAGE


def test_no_term_is_left_unexplained() -> None:
    assert [text for text in texts() if unexplained(text)] == []


def test_no_word_pushes_people_to_an_answer() -> None:
    assert [text for text in texts() if steers(text)] == []


@pytest.mark.parametrize(
    ("finds", "text"),
    [
        (long, "This " + "very " * 25 + "long sentence is one that nobody reads to its end."),
        (unexplained, "The controller relies on legitimate interests."),
        (unexplained, "Your data is processing under the GDPR."),
        (unexplained, "You can opt out."),
        (unexplained, "Number in the ledger"),
        (steers, "Are you sure? Help us to build a better experience"),
        (steers, "Saved!"),
    ],
)
def test_the_check_bites(finds: object, text: str) -> None:
    assert callable(finds)
    assert finds(text)


def test_what_is_explained_is_let_through() -> None:
    assert not unexplained("Consent: it is used only if you say yes, and you can take that back at any time.")
    assert not unexplained("We cannot tell whose content is meant (GDPR Art. 11(2) and 12(2)).")


OURS = ("consentry.policy", "consentry.ledger", "consentry.oversight", "consentry.release", "consentry.control_plane")
MACHINES = (
    r"\d{4}-\d\d-\d\dT",
    r"(?<!: )\bsha256:",
    r"\b[A-Z]{2}-[A-Z0-9]{2,3}\b",
    r"\b(?:US|GB|DE|CA|CH|FR)\b",
    r"\b(?:true|false|none|null|None|True|False)\b",
)
"""Moments, digests without a word before them, codes of places, and values of a program."""
NAMES_OF_PROGRAMS = frozenset({"axe-core"})


def vocabulary() -> set[str]:
    """Return every word of the domain that is no word of a language: those with a hyphen or the like."""

    def below(kind: type[StrEnum]) -> Iterator[type[StrEnum]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    found = {str(word) for kind in below(StrEnum) if kind.__module__.startswith(OURS) for word in kind}
    kinds = {kind.KIND for kind in get_args(Body)}
    return {word for word in found | kinds if re.search(r"[-_.]", word)}


def of_machines(text: str) -> list[str]:
    """Return what a text has that only a machine says."""
    known = "|".join(map(re.escape, sorted(vocabulary(), key=len, reverse=True)))
    return re.findall(rf"(?<![\w.-])(?:{known})(?![\w-])|(?<=\.)(?:{known})(?=\.)|{'|'.join(MACHINES)}", text)


def seen(page: httpx2.Response) -> str:
    """Return what is seen of a page, and what a screen reader says of it beside that; not what people wrote."""
    said = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', page.text)
    text = words(page) if "html" in page.headers.get("content-type", "") else page.text
    return f"{text} {' '.join(map(unescape, said))}".replace(HOSTILE, "")


def told(deployment: Deployment, come: Come) -> dict[str, Visitor]:
    """Have everything happen that a member is told of, and return members."""
    control = deployment.control
    control.notices.write("what-we-use", b"We use posts.", languages=["en"], channel="mail", audience="all")
    told_then(deployment, "what-we-use", [deployment.person("us"), deployment.person("us2")], at=NOW)
    visitors = {str(each.id): come(each.id, notice="what-we-use") for each in member.PEOPLE}
    visitors |= {"stranger": come("stranger"), "without": come("empty")}
    form = {"purpose": "train-genai"}
    visitors["us"].post("/me/choices", {**form, "what": "kinds", "kind-poll-answer": "no", "reach": "untrained"})
    visitors["us"].post("/me/choices", {**form, "what": "items", **one_item("u1", 1, "no")})
    visitors["us"].post("/me/choices", {**form, "what": "items", **one_item("u1", 1, "yes"), **shown(visitors["us"])})
    no(visitors["us2"], reach="future")
    no(visitors["one"])
    yes(visitors["one"])
    no(visitors["without"])
    yes(visitors["without"])
    for purpose in (Purpose.TRAIN_GENAI_IMAGE, Purpose.TRAIN_AI):
        for source, reach in zip(Source, (*Reach, Reach.EVERYTHING), strict=True):
            choice = Choice(purpose=purpose, state=ChoiceState.REFUSED, reach=reach, at=NOW)
            made = ChoiceMade(person=deployment.person("other"), choice=choice, source=source, notice="our-notice/7")
            control.statements.choose([made])
    places = ("UK", "GB-SCT", "EEA", "DE", "FR")
    own = Origin.OWN_DECISION
    origins = (Origin.AUTHORITY_REQUEST, Origin.BINDING_ORDER, own, Origin.COURT_UNDERTAKING, own)
    for place_, origin in zip(places, origins, strict=True):
        scope = Scope(
            areas=frozenset({place_, "CA-QC"}),
            purposes=frozenset({Purpose.TRAIN_GENAI_TEXT}) if place_ == "FR" else frozenset(),
            categories=frozenset({Category.POLL_ANSWER}) if place_ == "FR" else frozenset(),
            visibilities=frozenset({Visibility.PUBLIC}) if place_ == "FR" else frozenset(),
            models=frozenset({"drafts"}) if place_ == "FR" else frozenset(),
        )
        control.orders.suspend(scope, case=f"case-{place_}".lower(), origin=origin, reference="a-letter", by="anna")
    for by in ("anna", "ben"):
        control.cases.withdraw("case-de", by=by, reference="a-letter")
    control.look_ups.look_up("us", by="anna", reason="they called")
    return visitors


def pages(visitor: Visitor, code: str, paths: tuple[str, ...]) -> Iterator[tuple[str, httpx2.Response]]:
    for path in paths:
        yield path, visitor.get(f"{path}{'&' if '?' in path else '?'}lang={code}")


@pytest.mark.parametrize("code", ["en", "de"])
def test_nobody_is_shown_a_word_of_a_machine(place: tuple[Deployment, Come, str], code: str) -> None:
    deployment, come, url = place
    visitors = told(deployment, come)
    anyone = Visitor(url)
    answer = anyone.post("/object", {"find": "a page", "answer_to": "a letter", "reason": "because"})
    link = answer.headers["location"].partition("?")[0]
    found = {}
    check = "/me/check?purpose=train-genai"
    own = ("/me", "/me/items", "/me/history", "/me/uses", "/me/look-ups", "/me/choices", check)
    for name, visitor in visitors.items():
        receipts = set(re.findall(r"/me/receipts/\d+", visitor.get("/me/history").text))
        texts = tuple(f"{each}?form=text" for each in sorted(receipts))
        for path, page in pages(visitor, code, (*own, f"{check}&category=poll-answer", *texts)):
            found[f"{name} {path}"] = of_machines(seen(page))
        for about, page_of in (("old", {}), ("new", shown(visitor))):
            wrong = visitor.post(f"/me/choices?lang={code}", {"purpose": "train-genai", "answer": "yes", **page_of})
            found[f"{name} a yes on an {about} page"] = of_machines(seen(wrong))
    public = ("/", "/object", "/object?answer_to=", "/transparency", "/accessibility", "/me", "/object/follow/unknown")
    for path, page in pages(anyone, code, (*public, link, f"{link}?new=1", f"{link}/receipt?form=text")):
        found[path] = [each for each in of_machines(seen(page)) if each not in NAMES_OF_PROGRAMS]
    for form in ({}, {"find": "x", "answer_to": "y", "reason": "z" * 20_000}):
        found[f"/object {len(form)}"] = of_machines(seen(anyone.post(f"/object?lang={code}", form)))
    assert len(found) > 100
    assert {where: said for where, said in found.items() if said} == {}


@pytest.mark.parametrize(
    "text",
    [
        "network.train-genai.3",
        "Why: residence-unknown",
        "direct-message (2)",
        "choice.made",
        "Since 2026-11-26T10:00:00Z",
        "august-2024 · sha256:47f3",
        "United Kingdom (GB-SCT)",
        "in GB since",
        "legitimate-interests",
        "not-found",
    ],
)
def test_a_word_of_a_machine_is_noticed(text: str) -> None:
    assert of_machines(text)


def test_words_of_people_are_let_through() -> None:
    assert not of_machines("You said no. AI in the EU, 26 November 2026, digest: sha256:47f3; sign-in by e-mail.")


@pytest.mark.parametrize(
    ("said", "of"),
    [
        (say.PURPOSES, Purpose),
        (say.KINDS, Category),
        (say.BASES, LegalBasis),
        (say.SOURCES, Source),
        (say.ORIGINS, Origin),
        (say.STATES, ChoiceState),
        (say.REACHES, Reach),
        (say.GAPS, GapKind),
        (say.HEADLINES, Situation),
        (say.BADGES, Situation),
        (plain_words.SUSPENSION_ENDS, OrderEnd),
        (plain_words.VISIBILITIES, Visibility),
    ],
)
def test_every_word_of_the_domain_is_said_in_ours(said: Mapping[StrEnum, object], of: type[StrEnum]) -> None:
    assert set(said) == set(of)


def test_what_an_authority_stopped_itself_is_said_to_be_so(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    control = deployment.control
    body = issue(
        Scope(areas=frozenset({"US"})),
        order="ico-1.1",
        case="ico-1",
        origin=Origin.AUTHORITY,
        reference="decision 7",
        at_ms=NOW * 1000,
    )
    with control.desk.at_head() as session:
        session.append([body])
    assert "A data protection authority has stopped this use itself." in words(come("us").get("/me"))
