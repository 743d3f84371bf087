"""What used a member's content is narrowed to a use and turned round, on the page and in what is taken away."""

from __future__ import annotations

import csv
import io
import re

import service.members as member
from consentry.bootstrap import Deployment
from consentry.policy.vocabulary import Purpose
from end_to_end.test_story import NOW
from service.at_work import POLICY
from service.members import Come
from service.visitor import words

place = member.place


def test_collections_are_narrowed_and_turned_round(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    build = deployment.control.releases.build
    for at, purpose in ((NOW + 1, Purpose.TRAIN_GENAI), (NOW + 2, Purpose.TRAIN_GENAI_TEXT)):
        build("network", purpose, policy=POLICY, at=at)
    visitor = come("us")

    def told(asked: str = "") -> list[str]:
        return [each["release"] for each in visitor.get(f"/me/uses?format=json{asked}").json()["releases"]]

    newest_first = told()
    assert len(newest_first) == 3
    assert told("&sort=position") == newest_first[::-1]
    assert told("&purpose=train-genai-text") == newest_first[:1]
    table = csv.DictReader(io.StringIO(visitor.get("/me/uses?format=csv&sort=position").text))
    assert [each["release"] for each in table] == newest_first[::-1]
    page = visitor.get("/me/uses?purpose=train-genai&sort=position")
    assert page.text.count('<tr><th scope="row">') == 2
    assert '<option value="train-genai" selected>' in page.text
    assert '<option value="position" selected>' in page.text
    assert "the newest first" not in words(page)
    links = re.findall(r'href="(\?[^"]*format=json)"', page.text)
    assert any("sort=position" in each and "purpose=train-genai" in each for each in links), "as shown"
    assert "Nothing fits" in words(visitor.get("/me/uses?purpose=train-ai"))
