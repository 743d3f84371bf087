"""Members read policy sets and notices in their language, or are told in which one they read them."""

from __future__ import annotations

from html import unescape

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.case_events import NoticeWritten
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import OUT_OF_FORCE, PolicySet
from consentry.policy.vocabulary import Purpose
from consentry.service.languages import LANGUAGES
from service.at_work import POLICY
from service.members import Come, no
from service.test_member_waiting import CONSENT, decides
from service.visitor import Visitor, words

place = member.place


def english_of(policy: PolicySet) -> list[str]:
    return [policy.title, *(rule.why for rule in policy.rules)]


@pytest.mark.parametrize("name", shipped())
def test_no_page_says_in_english_what_a_shipped_set_says_in_the_language_of_its_reader(
    place: tuple[Deployment, Come, str], name: str
) -> None:
    deployment, come, url = place
    decides(deployment, name)
    published = deployment.control.own_settings.deciding(Purpose.TRAIN_GENAI)
    assert published is not None
    policy = deployment.control.desk.document(published.digest)
    replaced = load(shipped()[POLICY], POLICY).title
    met: dict[str, set[str]] = {}
    for code in LANGUAGES:
        visitors = [(come(each), ("/me", "/me/items", "/me/uses", "/me/check")) for each in ("us2", "gb", "kid")]
        for visitor, paths in [*visitors, (Visitor(url), ("/transparency",))]:
            for path in paths:
                text = unescape(visitor.get(f"{path}?lang={code}").text)
                assert f'<html lang="{code}"' in text
                met.setdefault(code, set()).update(each for each in [*english_of(policy), replaced] if each in text)
                if path == "/transparency":
                    assert policy.title_for(code)[0] in text
    assert len(met.pop("en")) > len(policy.rules), "the pages show what it says"
    assert met == {code: set() for code in LANGUAGES if code != "en"}


def test_a_set_that_was_taken_out_of_force_says_so_in_the_language_of_its_reader(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, _, url = place
    statements = deployment.control.statements
    statements.publish(shipped()[POLICY].replace(f'name = "{POLICY}"', 'name = "gone"'), "gone")
    statements.withdraw("gone")
    withdrawn = load(OUT_OF_FORCE.format(name="gone"), "gone")
    for code in LANGUAGES:
        title, written_in = withdrawn.title_for(code)
        assert written_in == code
        text = unescape(Visitor(url).get(f"/transparency?lang={code}").text)
        assert f'<span lang="{code}" dir="auto">{title}</span>' in text
        assert code == "en" or withdrawn.title not in text


def test_rules_to_read_before_a_yes_are_all_in_one_language(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    decides(deployment, CONSENT)
    visitor = come("us2")
    no(visitor)
    policy = load(shipped()[CONSENT], CONSENT)
    for code in LANGUAGES:
        text = unescape(visitor.get(f"/me?lang={code}").text)
        said = "".join(f"<p>{each}</p>" for each in (policy.title_for(code)[0], policy.rules[0].why_for(code)[0]))
        assert f'<div class="prose" lang="{code}" dir="auto">{said}</div>' in text
        assert "There is no text of it in your language" not in text
    lines = shipped()[CONSENT].splitlines()
    half = "\n".join(line for line in lines if not line.startswith("why.cy")).replace('["train-ai"]', '["train-genai"]')
    deployment.control.statements.publish(half, CONSENT)
    text = unescape(visitor.get("/me?lang=cy").text)
    english = f"<p>{policy.title}</p><p>{policy.rules[0].why}</p>"
    assert f'<div class="prose" lang="en" dir="auto">{english}</div>' in text, (
        "half of it in Welsh would be read as all"
    )
    assert "Saesneg" in text


def test_a_notice_from_before_languages_were_looked_at_is_read(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor, told = come("us", notice="what-we-use"), {"channel": "mail", "audience": "all"}
    no(visitor)
    put = deployment.control.desk.parts.objects.put
    documents = (put(b"We use more."), put(b"Cymraeg."), put(b"Nous."))
    kept = ("EN ", "cy_gb", "French")
    old = NoticeWritten(notice="what-we-use", languages=kept, documents=documents, by=None, **told)
    deployment.ledger.append([old])
    assert '<div class="prose" lang="cy-GB" dir="auto"><p>Cymraeg.</p>' in visitor.get("/me?lang=cy").text
    for code in ("en", "fr"):
        page = visitor.get(f"/me?lang={code}")
        assert '<div class="prose" lang="en" dir="auto"><p>We use more.</p>' in page.text
    assert "anglais" in words(page)
