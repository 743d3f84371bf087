"""The console: releases, the jobs that read them, and the models that were trained on them."""

from __future__ import annotations

import http.client
import json
import re
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import service.staff as staff
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import LeaseEnd, LeaseEnded, LeaseGranted, OrderEnd, Origin
from consentry.ledger.release_events import ReleaseWithdrawn
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose, Reach
from end_to_end.network import register_other_bytes
from end_to_end.test_story import say
from service.at_work import ITEMS, POLICY
from service.staff import HOSTILE, Office
from service.visitor import words

place = staff.place


# Releases


def test_a_release_shows_its_counts_and_files(place: Office) -> None:
    said = words(place.visitor("audrey").get(f"/console/releases/{place.release}"))
    for word in ("By country", "United States", "What could not be known", "Explain an item", "Nothing left it"):
        assert word in said
    assert "Withdraw the release" not in said, "an auditor changes nothing"
    assert "Withdraw the release" in words(place.visitor("olga").get(f"/console/releases/{place.release}"))


def test_a_release_that_was_sealed_before_a_suspension_says_so_after_the_lift(own: Office) -> None:
    control, address = own.deployment.control, f"/console/releases/{own.release}"
    order = control.orders.suspend(
        Scope(areas=frozenset({"US"})), case="us-1", origin=Origin.OWN_DECISION, reference="a test"
    )
    assert f"Suspended by order {order.order}" in words(own.visitor("mel").get(address))
    assert own.visitor("mel").get(f"/v1/releases/{own.release}").json()["barred"]["ended"] is None
    asked = f"{address}/explain?item=u1"
    assert "It is in it, and may not be used now Nobody may read" in words(own.visitor("mel").get(asked))
    own.deployment.ledger.append(control.orders.ends([order.order], OrderEnd.LIFTED))
    explained = own.visitor("mel").get(asked)
    assert "It is in it, and may not be used now" in words(explained)
    assert "was sealed before the suspension of US" in words(explained)
    assert "It may be used" not in words(explained)
    said = words(own.visitor("mel").get(address))
    assert "Sealed before a suspension that was lifted: nobody may read it any more" in said
    assert "Suspended by order" not in said
    barred = own.visitor("mel").get(f"/v1/releases/{own.release}").json()["barred"]
    assert (barred["order"], barred["case"], barred["ended"]) == (order.order, "us-1", "lifted")
    assert "was sealed before the suspension of US" in barred["why"]
    newer = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY).manifest.release
    assert own.visitor("mel").get(f"/v1/releases/{newer}").json()["barred"] is None
    assert "Sealed before" not in words(own.visitor("mel").get(f"/console/releases/{newer}"))


def test_an_item_is_explained_in_words(place: Office) -> None:
    address = f"/console/releases/{place.release}/explain"
    assert "It may be used" in words(place.visitor("mel").get(f"{address}?item=u1"))
    assert "It is left out" in words(place.visitor("mel").get(f"{address}?item=x1"))
    unknown = place.visitor("mel").get(f"{address}?item=%3Cb%3E")
    assert unknown.status_code == 422
    assert "no item" in words(unknown)
    assert "<b>" not in unknown.text


def test_two_releases_are_compared(own: Office) -> None:
    control = own.deployment.control
    second = control.releases.build(
        "network", control.releases.sealed_as(own.release).purpose, policy=POLICY
    ).manifest.release
    said = words(own.visitor("mel").get(f"/console/compare-releases?before={own.release}&after={second}"))
    assert "What differs" in said
    assert "By reason: why items are left out" in said
    assert "No item changed sides" in said
    wrong = own.visitor("mel").get(f"/console/compare-releases?before={own.release}&after=none")
    assert wrong.status_code == 422


def test_a_release_is_withdrawn_for_a_reason(own: Office) -> None:
    address = f"/console/releases/{own.release}/withdraw"
    assert own.visitor("mel").post(address, {"reason": "mine"}).status_code == 403
    assert own.visitor("olga").post(address, {"reason": " "}).status_code == 422
    assert own.visitor("olga").post(address, {"reason": HOSTILE}).status_code == 303
    assert own.events(ReleaseWithdrawn) == [ReleaseWithdrawn(release=own.release, reason=HOSTILE, by="olga")]
    acts = own.visitor("audrey").get("/console/acts?format=json").json()["acts"]
    assert [each["by"] for each in acts if each["kind"] == "release.withdrawn"] == [["olga"]]
    for path in (f"/console/releases/{own.release}", "/console/releases", "/console/overview"):
        assert "<script>alert" not in own.visitor("olga").get(path).text


# Jobs


def test_jobs_are_told_live(own: Office) -> None:
    audrey = own.visitor("audrey")
    answer = _stream(own)
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    assert _next(answer) == []
    held = own.ask.lease(own.release)
    (job,) = _next(answer)
    assert (job["state"], job["order"]) == ("granted", None)
    said = words(audrey.get("/console/jobs"))
    assert "job-1" in said
    assert "granted" in said
    held.end("stopped", 7)
    while (job := _next(answer)[0])["state"] == "granted":
        pass
    assert job["state"] == "stopped"
    answer.close()


def _stream(own: Office) -> http.client.HTTPResponse:
    cookie = "; ".join(f"{name}={value}" for name, value in own.visitor("audrey").cookies.items())
    parts = urlsplit(own.ask.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.request("GET", "/console/jobs/events", headers={"cookie": cookie, "connection": "close"})
    return connection.getresponse()


def test_a_job_that_still_runs_is_told_of_however_many_came_after_it(own: Office) -> None:
    held = own.ask.lease(own.release, job="long")
    digest = own.deployment.control.desk.parts.objects.put(b"secret")
    said: list[Body] = []
    for name in (f"{number:012x}" for number in range(250)):
        said.append(LeaseGranted(lease=name, release="none", job="short", model="m", ttl_ms=60_000, secret=digest))
        said.append(LeaseEnded(lease=name, how=LeaseEnd.RELEASED, orders=(), step=1))
    own.deployment.ledger.append(said)
    with closing(_stream(own)) as answer:
        told = _next(answer)
        assert [each["lease"] for each in told[1:]] == [f"{number:012x}" for number in range(50, 250)]
        assert (told[0]["state"], told[0]["ended_at"], told[0]["ended"]) == ("granted", None, None)
        held.end("stopped", 7)
        while (job := _next(answer)[0])["state"] == "granted":
            pass
        assert job["lease"] == held.granted["lease"], "it ended last, though it is the oldest"
        row = words(own.visitor("audrey").get("/console/jobs?state=stopped"))
        assert job["ended"] in row, "as the page writes it"


def _next(answer: http.client.HTTPResponse) -> list[Any]:
    """Return what the next event says."""
    while not (line := answer.readline().decode()).startswith("data: "):
        assert line, "the stream ended"
    return list(json.loads(line.removeprefix("data: ")))


def test_a_job_that_failed_is_told_from_one_that_was_done_or_had_to_stop(own: Office) -> None:
    for job, how in (("one", "released"), ("two", "stopped"), ("three", "failed")):
        assert own.ask.lease(own.release, job=job).end(how, 7).status == 204
    rows = own.visitor("mel").get("/console/jobs?format=json").json()["jobs"]
    assert {row["job"]: row["state"] for row in rows} == {"one": "released", "two": "stopped", "three": "failed"}
    told = own.ask("GET", "/v1/leases").json["leases"]
    assert [each["state"] for each in told] == ["released", "stopped", "failed"]
    page = own.visitor("mel").get("/console/jobs?state=failed").text
    assert 'class="badge stop">failed<' in page
    assert own.ask.lease(own.release).end("finished").status == 422


def test_jobs_export_whole_numbers(own: Office) -> None:
    own.ask.lease(own.release)
    (row,) = own.visitor("mel").get("/console/jobs?format=json").json()["jobs"]
    assert isinstance(row["left_s"], int)


def test_a_revoked_job_names_the_order_before_it_has_stopped(own: Office) -> None:
    own.ask.lease(own.release)
    own.deployment.control.orders.suspend(
        Scope(), case="c-1", origin=Origin.OWN_DECISION, reference="letter", by="olga"
    )
    (row,) = own.visitor("mel").get("/console/jobs?format=json").json()["jobs"]
    assert (row["state"], row["order"]) == ("revoked", "c-1.1")
    said = words(own.visitor("olga").get("/console/cases/c-1"))
    assert "0 of 1" in said
    own.deployment.control.orders.suspend(
        Scope(), case="c-2", origin=Origin.OWN_DECISION, reference="letter", by="olga"
    )
    (row,) = own.visitor("mel").get("/console/jobs?format=json").json()["jobs"]
    assert row["order"] == "c-1.1, c-2.1"
    assert "not yet" in said


def test_the_stream_is_for_those_who_may_see_jobs(place: Office) -> None:
    assert place.visitor("sue").get("/console/jobs/events").status_code == 403
    assert place.visitor().get("/console/jobs/events").status_code == 303


# Models


def test_a_model_of_a_release_that_cannot_be_amended_lost_nobody_knows_what(own: Office) -> None:
    own.deployment.control.models.register("drafts", releases=[own.release])
    register_other_bytes(own.folder, own.deployment, ITEMS[:1], kept=False)
    say(own.deployment, "br", reach=Reach.EVERYTHING)
    said = words(own.visitor("olga").get("/console/models/drafts"))
    assert "Withdrawn since not known" in said
    assert "items at most, of files that are gone or changed" in said


def test_of_a_model_that_is_held_it_is_not_said_that_the_end_of_an_order_gives_serving_back(own: Office) -> None:
    control, scope = own.deployment.control, Scope(areas=frozenset({"US"}))
    control.leases.grant(own.release, job="job-1", model="drafts")
    order = control.orders.suspend(scope, case="us-1", origin=Origin.OWN_DECISION, reference="x")
    control.desk.present()
    own.deployment.ledger.append(control.orders.ends([order.order], OrderEnd.LIFTED))
    before, given_back = "Trained before a suspension that ended", "so the model may be served"

    def said() -> str:
        return words(own.visitor("olga").get("/console/models/drafts"))

    assert before in said()
    assert given_back in said()
    of_it = Scope(models=frozenset({"drafts"}))
    control.orders.suspend(of_it, case="us-2", origin=Origin.OWN_DECISION, reference="x")
    assert "held: may not be served" in said()
    assert before in said()
    assert given_back not in said()


def test_a_model_is_withdrawn_in_ones_own_name(own: Office) -> None:
    own.deployment.control.models.register("drafts", releases=[own.release])
    olga = own.visitor("olga")
    assert "may be served" in words(olga.get("/console/models/drafts"))
    assert "clear" in words(olga.get("/console/models"))
    early = olga.post("/console/models/drafts/remedy", {"remedy": "retrain"})
    assert early.status_code == 422
    assert "nothing to remedy" in words(early)
    assert olga.post("/console/models/drafts/remedy", {"remedy": "forget"}).status_code == 422
    assert own.visitor("mel").post("/console/models/drafts/withdraw", {"why": "x"}).status_code == 403
    assert olga.post("/console/models/drafts/withdraw", {"why": ""}).status_code == 422
    assert olga.post("/console/models/drafts/withdraw", {"why": HOSTILE}).status_code == 303
    assert own.deployment.control.models.show("drafts")["withdrawn"]["by"] == "olga"
    assert "<script>alert" not in olga.get("/console/models/drafts").text


def test_an_affected_model_takes_two_to_do_nothing(own: Office) -> None:
    control = own.deployment.control
    control.models.register("drafts", releases=[own.release])
    control.releases.withdraw(own.release, "a mistake", by="olga")
    olga, petra = own.visitor("olga"), own.visitor("petra")
    assert "drafts" in words(olga.get("/console/overview"))
    assert olga.post("/console/models/drafts/remedy", {"remedy": "accept", "reason": "small"}).status_code == 303
    assert olga.post("/console/models/drafts/approve").status_code == 303
    assert olga.post("/console/models/drafts/approve").status_code == 422
    assert olga.post("/console/models/drafts/finish").status_code == 422
    assert petra.post("/console/models/drafts/approve").status_code == 303
    assert petra.post("/console/models/drafts/finish").status_code == 303
    assert control.models.show("drafts")["stage"] == "remedied"


def test_what_is_built_on_a_model_that_is_gone_is_held_and_destroying_it_falls_due(own: Office) -> None:
    control = own.deployment.control
    control.models.register("drafts", releases=[own.release])
    control.models.register("tuned", base="drafts")
    control.models.withdraw("drafts", "case 7", by="ml")
    olga = own.visitor("olga")
    page = words(olga.get("/console/models/tuned"))
    assert "held: may not be served" in page
    assert "model drafts, which it is built on, was withdrawn" in page.replace("`", "")
    assert "– drafts 0" in page, "what it lost is no item of a release"
    assert "Nothing is overdue." in words(olga.get("/console/overview"))
    clock = control.desk.parts.clock
    object.__setattr__(control.desk.parts, "clock", lambda: clock() + 91 * 86_400)
    assert "once two different people say so" in words(olga.get("/console/models/drafts"))
    overdue = words(own.visitor("petra").get("/console/overview"))
    assert "Nothing is overdue." not in overdue
    assert "/console/models/drafts" in own.visitor("petra").get("/console/overview").text


def test_the_script_of_the_jobs_page_knows_its_columns(place: Office) -> None:
    script = place.visitor().get("/static/jobs.js").text
    columns = place.visitor("mel").get("/console/jobs?format=csv").text.splitlines()[0].split(",")
    named = re.search(r"const columns = \{([^}]+)\}", script)
    assert named is not None
    found = {name.strip(): int(at) for name, at in (each.split(":") for each in named[1].split(","))}
    assert {name: columns.index(name) for name in found} == found
