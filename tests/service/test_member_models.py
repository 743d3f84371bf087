"""What became of a model that learned from a member's items: marked, mended, not used any more, destroyed, and when."""

from __future__ import annotations

from pathlib import Path

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.lineage_events import Destroyed, Remedy
from service.members import Come, no
from service.visitor import words

place = member.place


def test_what_became_of_a_model_is_said_with_the_day(place: tuple[Deployment, Come, str], tmp_path: Path) -> None:
    deployment, come, _ = place
    models, visitor = deployment.control.models, come("us")
    told: list[tuple[str, str | None]] = []

    def says(text: str) -> None:
        page = words(visitor.get("/me/uses"))
        assert text in page
        (found,) = visitor.get("/me/uses?format=json").json()["models"]
        told.append((found["stage"], found["remedy"]))
        assert found["since"]

    (clear,) = visitor.get("/me/uses?format=json").json()["models"]
    assert (clear["stage"], clear["since"]) == ("clear", None)
    no(visitor)
    says("it learned from something that was taken back later. The platform has to say what it does about that.")
    models.choose_remedy("drafts", Remedy.ACCEPT, by="mel", reason="a draft")
    says("the platform said what it will do: It stays as it is, for a reason that two people approved.")
    for by in ("olga", "petra"):
        models.approve_remedy("drafts", by=by)
    models.finish_remedy("drafts", by="mel")
    says("this was done: It stays as it is")
    models.withdraw("drafts", "not wanted", by="mel")
    says("It is not used any more since ")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "one.bin").write_bytes(b"one")
    deployment.control.destruction.destroy(Destroyed.MODEL, "drafts", folder=tmp_path / "weights", by="mel")
    for by in ("olga", "petra"):  # nobody had recorded which weights there are
        deployment.control.destruction.say_gone("drafts", reason="no other copy", by=by)
    says("It was destroyed on ")
    assert told == [
        ("affected", None),
        ("remedy chosen", "accept"),
        ("remedied", "accept"),
        ("withdrawn", None),
        ("destroyed", None),
    ]
