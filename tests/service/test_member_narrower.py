"""A no that would go less far back than the one that stands is no choice: to allow something again takes a yes."""

from __future__ import annotations

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from service.members import Come, no, yes
from service.test_member_reach import said_since
from service.test_member_stale import may, whole
from service.visitor import Visitor, words

place = member.place
MORE = "You said no to more than that"
FURTHEST = "Your no goes back as far as a no can. To allow some of it again, say yes first."
NARROWER = [("everything", "untrained"), ("everything", "future"), ("untrained", "future")]


def used(visitor: Visitor) -> int:
    (use,) = visitor.get("/me?format=json").json()["uses"]
    return int(use["used"])


@pytest.mark.parametrize(("first", "then"), NARROWER)
def test_a_no_switches_nothing_on_again(place: tuple[Deployment, Come, str], first: str, then: str) -> None:
    deployment, come, _ = place
    visitor = come("us")
    assert used(visitor) == 2
    no(visitor, reach=first)
    page = visitor.get("/me")
    hint, other = (FURTHEST, MORE) if first == "everything" else (MORE, FURTHEST)
    check = visitor.get("/me/check?purpose=train-genai")
    assert all(hint in words(each) and other not in words(each) for each in (page, check))
    assert ("<button>Say no" in check.text) is (first != "everything"), "a no that changes nothing is not offered"
    assert f'value="{then}"' not in page.text, "what goes less far back is not offered"
    assert "What you have now is used as before" not in words(page)
    assert f'value="{then}"' not in check.text
    assert 'value="future"' in visitor.get("/me/check?purpose=train-genai&category=post").text
    head = deployment.ledger.head()
    form = whole(page) | {"reach": then}
    looked = visitor.post("/me/check", form)
    assert MORE in words(looked)
    assert "<button>Save these" not in looked.text
    answer = visitor.post("/me/choices", form)
    assert answer.status_code == 422
    assert f"{MORE}, so your no stays as it is" in words(answer)
    assert "To allow some of it again, say yes first" in words(answer)
    assert 'href="#train-genai-yes"' in answer.text
    assert f'name="reach" value="{first}" checked' in answer.text
    assert said_since(deployment, head) == []
    assert used(visitor) == 0
    yes(visitor)
    page = visitor.get("/me")
    assert f'value="{then}"' in page.text, "after a yes all is offered"
    assert MORE not in words(page)
    assert FURTHEST not in words(page)
    no(visitor, reach=then)
    assert [str(each.reach) for each in said_since(deployment, head)][-1] == then


def test_a_no_to_new_content_has_words_of_its_own(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    saved = visitor.follow(visitor.post("/me/choices", whole(visitor.get("/me")) | {"answer": "no", "reach": "future"}))
    told = words(saved).partition("What it does")[2]
    assert told.startswith(" It holds for what you create from then on; older content may still be used.")
    first = words(visitor.get("/me")).partition("May AI learn from your content?")[0]
    assert "Off in part" in first
    assert "You said no to new content only. Older content may still be used. 2 of 3 items may be used." in first
    no(visitor, reach="untrained")
    first = words(visitor.get("/me")).partition("May AI learn from your content?")[0]
    assert "Off You said no." in first
    assert "may still be used" not in first
    assert used(visitor) == 0
    assert not may(deployment)


def test_where_nothing_may_be_used_no_reach_says_it_is_used(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("empty")
    text = words(visitor.get("/me/check?purpose=train-genai"))
    assert "Nothing of what you have now may be used, and it stays so." in text
    assert "is used as before" not in text


def test_what_goes_less_far_back_ends_no_wider_no_however_it_comes(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    no(visitor, reach="everything")
    at = deployment.control.desk.parts.clock()
    for reach in (Reach.UNTRAINED, Reach.FUTURE):
        choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=reach, at=at)
        made = ChoiceMade(person=deployment.person("us"), choice=choice, source=Source.IMPORT)
        deployment.control.statements.choose([made])
        assert used(visitor) == 0
        assert not may(deployment)
    page = visitor.get("/me")
    assert "Off in part" not in words(page)
    assert 'name="reach" value="everything"' in page.text
    assert "It counts here as well" not in words(page), "one no is not told as two"
    (counts,) = deployment.control.own_settings.asker(deployment.person("us")).said
    assert counts.choice.reach is Reach.EVERYTHING
    yes(visitor)
    assert may(deployment)
