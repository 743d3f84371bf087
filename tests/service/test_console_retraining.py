"""The page of a model that was trained anew elsewhere: two people approve it there."""

from __future__ import annotations

from consentry.ledger.lineage_events import Remedy
from consentry.policy.vocabulary import Purpose
from end_to_end.test_story import NOW
from service.at_work import POLICY
from service.staff import Office
from service.visitor import words

NEW = f"sha256:{'a' * 64}"
APPROVE = "Approve that it was trained again elsewhere"


def test_training_that_no_job_of_ours_did_is_approved_by_two(own: Office) -> None:
    control = own.deployment.control
    olga, petra = own.visitor("olga"), own.visitor("petra")
    control.models.register("drafts", releases=[own.release])
    control.releases.withdraw(own.release, "a mistake", by="olga")
    control.models.choose_remedy("drafts", Remedy.RETRAIN, by="olga")
    assert APPROVE not in words(olga.get("/console/models/drafts")), "nothing is known of any training"
    another = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
    control.models.register("drafts", releases=[another])
    assert APPROVE in words(olga.get("/console/models/drafts"))
    early = olga.post("/console/models/drafts/finish")
    assert early.status_code == 422
    assert "no new weights were registered since" in words(early)
    control.models.register("drafts", digest=NEW)
    assert olga.post("/console/models/drafts/approve").status_code == 303
    assert APPROVE not in words(olga.get("/console/models/drafts")), "she approved it"
    assert olga.post("/console/models/drafts/finish", {"digest": NEW}).status_code == 422
    assert petra.post("/console/models/drafts/approve").status_code == 303
    assert petra.post("/console/models/drafts/finish", {"digest": NEW}).status_code == 303
    assert control.models.show("drafts")["stage"] == "remedied"
