"""What members and objectors read is short, plain and honest: the English texts, from which all others are translated.

Sources: ISO 24495-1 (plain language); EDPB Guidelines 03/2022 on what steers people (stirring, obstructing).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from statistics import mean

import pytest

from service.catalogues import gathered

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
