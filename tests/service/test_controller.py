"""Who is responsible for the use of content: every page that says so says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentry.bootstrap import open_deployment
from service.at_work import in_thread, prepare
from service.members import token_for
from service.visitor import Visitor, words

NAME, CONTACT = "Example Networks Ltd", "privacy@network.example"
PAGES = ("/", "/transparency", "/object", "/me")


@pytest.mark.parametrize(("name", "contact"), [(NAME, CONTACT), (NAME, ""), ("", CONTACT), ("", "")])
def test_every_page_names_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, contact: str) -> None:
    monkeypatch.setenv("CONSENTRY_CONTROLLER_NAME", name)
    monkeypatch.setenv("CONSENTRY_CONTROLLER_CONTACT", contact)
    deployment = open_deployment(tmp_path / "home", embedded=True)
    prepare(tmp_path, deployment)
    with in_thread(deployment) as ask:
        visitor = Visitor(ask.url)
        assert visitor.get(f"/me/enter?token={token_for(deployment, 'us')}").status_code == 303
        pages = [visitor.get(path) for path in PAGES]
        sent = visitor.post("/object", {"find": "post 1", "answer_to": "me@example.org"})
        pages.append(visitor.follow(sent))
        for page in pages:
            said = words(page)
            assert (name or "whoever runs this platform") in said
            assert ("whoever runs this platform" in said) is (not name)
            assert (CONTACT in said) is bool(contact)
    deployment.close()


def test_the_page_of_a_member_tells_who_decided_apart_from_who_is_responsible(tmp_path: Path) -> None:
    deployment = open_deployment(tmp_path / "home", embedded=True)
    prepare(tmp_path, deployment)
    with in_thread(deployment) as ask:
        visitor = Visitor(ask.url)
        visitor.get(f"/me/enter?token={token_for(deployment, 'us')}")
        said = words(visitor.get("/me"))
        assert "Who decided this The platform set it like this." in said
        assert "Who is responsible whoever runs this platform" in said
        assert "By whom" not in said
    deployment.close()
