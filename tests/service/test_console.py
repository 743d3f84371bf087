"""The console: releases, jobs, models, policy sets and their two approvals, people, notices, accounts and keys."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from consentry.accounts.access import Role
from consentry.accounts.webhooks import Webhooks
from consentry.bootstrap import open_deployment
from consentry.errors import ConflictError, StateError
from consentry.ledger.events import PolicyPublished, ReleaseWithdrawn
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.ledger.proposal_events import PolicyApproved, PolicyProposed
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Purpose
from consentry.service.gate import COOKIE
from consentry.service.listing import Column, Listing
from service.at_work import POLICY, in_thread, prepare
from service.staff import HOSTILE, STAFF, Office, may, office
from service.visitor import Visitor, words

OVERSEERS = {"olga", "petra", "paul", "mel", "audrey"}
CHANGED = shipped()[POLICY].replace('version = "', 'version = "new-', 1)


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    with office() as made:
        yield made


@pytest.fixture
def own() -> Iterator[Office]:
    with office() as made:
        yield made


@pytest.fixture(scope="module")
def empty() -> Iterator[Office]:
    with office(filled=False) as made:
        yield made


def test_who_sees_what(place: Office) -> None:
    for path in ("/console/releases", f"/console/releases/{place.release}", "/console/compare-releases"):
        assert may(place.statuses(path)) == OVERSEERS
    assert may(place.statuses("/console/jobs")) == OVERSEERS
    assert may(place.statuses("/console/models")) == OVERSEERS
    for path in ("/console/policies", "/console/proposals", "/console/compare-policies", "/console/notices"):
        assert may(place.statuses(path)) == OVERSEERS | {"sue"}
    assert may(place.statuses("/console/propose-policy")) == {"olga", "petra"}
    assert may(place.statuses("/console/people")) == {"olga", "petra", "sue"}
    for path in ("/console/accounts", "/console/keys"):
        assert may(place.statuses(path)) == {"ada"}


def test_an_empty_deployment_says_what_to_do(empty: Office) -> None:
    olga, ada = empty.visitor("olga"), empty.visitor("ada")
    for visitor, path, said in (
        (olga, "/console/releases", "No release was built yet"),
        (olga, "/console/compare-releases", "There are not two releases yet"),
        (olga, "/console/jobs", "No job was ever given a lease"),
        (olga, "/console/models", "No model was trained or registered yet"),
        (olga, "/console/policies", "No policy set is in force yet"),
        (olga, "/console/compare-policies", "No policy set is in force yet"),
        (olga, "/console/proposals", "Nothing was proposed yet"),
        (olga, "/console/notices", "No notice was written or served yet"),
        (ada, "/console/keys", "No key was made yet"),
    ):
        assert said in words(visitor.get(path)), path


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
    own.deployment.ledger.append(control.orders.ends([order.order], OrderEnd.LIFTED))
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
    cookie = "; ".join(f"{name}={value}" for name, value in audrey.cookies.items())
    parts = urlsplit(own.ask.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.request("GET", "/console/jobs/events", headers={"cookie": cookie})
    answer = connection.getresponse()
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
    connection.close()


def _next(answer: http.client.HTTPResponse) -> list[Any]:
    """Return what the next event says."""
    while not (line := answer.readline().decode()).startswith("data: "):
        assert line, "the stream ended"
    return list(json.loads(line.removeprefix("data: ")))


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
    assert "not yet" in said


def test_the_stream_is_for_those_who_may_see_jobs(place: Office) -> None:
    assert place.visitor("sue").get("/console/jobs/events").status_code == 403
    assert place.visitor().get("/console/jobs/events").status_code == 303


# Models


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
    overdue = words(own.visitor("petra").get("/console/overview"))
    assert "Nothing is overdue." not in overdue
    assert "/console/models/drafts" in own.visitor("petra").get("/console/overview").text


# Policy sets


def test_a_policy_set_is_read_in_words(place: Office) -> None:
    position = place.deployment.control.desk.present().state.policies[0].position
    page = place.visitor("audrey").get(f"/console/policies/{position}")
    said, policy = words(page), load(shipped()[POLICY], POLICY)
    assert "Permitted by" in said
    for text in (dict(policy.title_in)["ar"], dict(policy.rules[0].why_in)["ar"]):
        assert f'(ar): <span lang="ar" dir="auto">{text}</span>' in page.text
    assert "holds" in said
    assert place.visitor("audrey").get("/console/policies/999999").status_code == 404


def test_what_is_wrong_with_a_policy_set_is_told_by_line(place: Office) -> None:
    before = place.deployment.control.desk.parts.ledger.head()
    answer = place.visitor("olga").post("/console/propose-policy", {"text": f'name = "x"\nwhat = "{HOSTILE[:8]}"\n'})
    assert answer.status_code == 422
    assert re.search(r"Line \d+:", words(answer))
    assert "&lt;script&gt;" in answer.text, "what was typed is kept, as text"
    assert place.deployment.control.desk.parts.ledger.head() == before


def test_a_policy_set_is_in_force_when_two_people_approved_it(own: Office) -> None:
    olga, paul = own.visitor("olga"), own.visitor("paul")
    looked = words(olga.post("/console/propose-policy", {"text": CHANGED}))
    assert "items are eligible today" in looked
    assert not own.events(PolicyProposed)
    form = {"text": CHANGED, "step": "propose", "reason": "a newer version"}
    assert olga.post("/console/propose-policy", {**form, "reason": ""}).status_code == 422
    made = olga.post("/console/propose-policy", form)
    assert made.status_code == 303, words(made)
    address = made.headers["location"]
    again = olga.post("/console/propose-policy", form)
    assert again.status_code == 422
    assert "very same" in words(again)
    assert olga.post(f"{address}/approve").status_code == 303
    assert olga.post(f"{address}/approve").status_code == 422
    assert len(own.events(PolicyPublished)) == 1
    assert own.visitor("mel").post(f"{address}/approve").status_code == 403
    assert paul.post(f"{address}/approve").status_code == 303
    assert [each.by for each in own.events(PolicyApproved)] == ["olga", "paul"]  # type: ignore[union-attr]
    assert own.events(PolicyPublished)[-1].version.startswith("new-")  # type: ignore[union-attr]
    assert "published" in words(paul.get(address))
    assert paul.post(f"{address}/withdraw").status_code == 422
    one, other = (each.position for each in own.deployment.control.desk.present().state.policies)
    assert "version:" in words(olga.get(f"/console/compare-policies?before={one}&after={other}"))


def test_what_came_into_force_in_between_makes_an_approval_count_for_nothing(own: Office) -> None:
    control = own.deployment.control
    made = control.proposals.propose(CHANGED, reason="newer", by="olga")
    control.proposals.approve(made.proposal, by="olga")
    control.statements.publish(CHANGED.replace("new-", "other-", 1), "elsewhere")
    assert control.proposals.get(made.proposal).approved == ()
    control.proposals.approve(made.proposal, by="paul")
    assert len(own.events(PolicyPublished)) == 2, "one approval counts, so it is not in force"
    assert control.proposals.approve(made.proposal, by="olga").ended == "published"
    with pytest.raises(StateError, match="is over"):
        control.proposals.approve(made.proposal, by="petra")
    with pytest.raises(ConflictError, match="in force"):
        control.proposals.propose(CHANGED, reason="again", by="olga")


def test_who_proposes_a_set_sees_in_which_languages_it_does_not_say_everything(own: Office) -> None:
    olga, heading = own.visitor("olga"), "Not there in every language of the pages"
    assert heading not in words(olga.post("/console/propose-policy", {"text": CHANGED}))
    half = "\n".join(line for line in CHANGED.splitlines() if not line.startswith(("title.cy", "why.ar")))
    checked = olga.post("/console/propose-policy", {"text": half})
    assert checked.status_code == 200, "it is no mistake"
    proposal = own.deployment.control.proposals.propose(half, reason="newer", by="olga").proposal
    page = olga.get(f"/console/proposals/{proposal}")
    for said in (words(checked), words(page)):
        assert heading in said
        assert "Cymraeg : title" in said
        assert "العربية : members-outside-europe , europe , never , minors" in said
        assert "Français :" not in said


def test_proposals_are_the_same_after_a_restart(own: Office) -> None:
    from consentry.oversight.overseen import Overseen

    control = own.deployment.control
    made = control.proposals.propose(CHANGED, reason="newer", by="olga")
    control.proposals.approve(made.proposal, by="olga")
    record = Overseen()
    record.advance(control.desk.parts.ledger.read())
    assert record.proposals.get(made.proposal) == control.proposals.get(made.proposal)


# People


def test_looking_somebody_up_is_recorded_before_anything_is_seen(own: Office) -> None:
    sue = own.visitor("sue")
    assert sue.post("/console/people", {"person": "gb", "reason": " "}).status_code == 422
    assert sue.post("/console/people", {"person": "", "reason": "ticket 7"}).status_code == 422
    assert not own.events(PersonLookedUp)
    said = words(sue.post("/console/people", {"person": "gb", "reason": "ticket 7"}))
    assert "United Kingdom" in said
    assert "post: 1" in said
    assert own.release in said
    (event,) = own.events(PersonLookedUp)
    assert isinstance(event, PersonLookedUp)
    assert (event.by, event.reason) == ("sue", "ticket 7")
    assert event.person == own.deployment.person("gb"), "no id of the platform is in the ledger"
    (seen,) = own.deployment.control.look_ups.looked_up(event.person)
    assert (seen["by"], seen["reason"]) == ("sue", "ticket 7")
    assert own.deployment.control.look_ups.looked_up(own.deployment.person("us")) == []


def test_looking_up_gives_nobody_a_seat_and_is_erased_with_the_person(own: Office) -> None:
    control, olga = own.deployment.control, own.visitor("olga")
    seats = control.desk.parts.people.seats
    said = words(olga.post("/console/people", {"person": "never-seen", "reason": HOSTILE}))
    assert "the people table does not have this person" in said
    assert control.desk.parts.people.seats == seats
    assert "<script>alert" not in olga.post("/console/people", {"person": HOSTILE, "reason": HOSTILE}).text
    olga.post("/console/people", {"person": "br", "reason": "ticket 8"})
    person = own.deployment.person("br")
    control.statements.erase([person])
    assert control.look_ups.looked_up(person) == []
    gone = olga.post("/console/people", {"person": "br", "reason": "ticket 9"})
    assert gone.status_code == 422
    assert "was erased" in words(gone)


def test_who_may_not_look_people_up_learns_and_records_nothing(place: Office) -> None:
    before = place.deployment.control.desk.parts.ledger.head()
    for handle in ("audrey", "mel", "paul", "ada", "ico"):
        answer = place.visitor(handle).post("/console/people", {"person": "gb", "reason": "curious"})
        assert answer.status_code == 403
        assert "United Kingdom" not in answer.text
    assert place.deployment.control.desk.parts.ledger.head() == before


# Notices


def test_a_notice_shows_its_text_and_whom_it_was_served_to(own: Office) -> None:
    control = own.deployment.control
    control.notices.write("told", HOSTILE.encode(), languages=["en"], channel="in-app", audience="members", by="olga")
    control.notices.serve("told", [own.deployment.person("gb")], at=control.desk.parts.clock())
    answer = own.visitor("sue").get("/console/notices/told")
    assert "<script>alert" not in answer.text
    assert "in-app" in words(answer)
    assert "1" in words(own.visitor("sue").get("/console/notices"))


# Accounts and keys


def test_accounts_are_made_changed_and_closed(own: Office) -> None:
    ada = own.visitor("ada")
    made = ada.post("/console/accounts", {"handle": "nora", "roles": "support"})
    password = re.search(r"<code>([\w-]{39})</code>", made.text)
    assert password is not None
    assert password[1] not in ada.get("/console/accounts").text, "shown once"
    nora = own.visitor()
    assert nora.post("/sign-in", {"handle": "nora", "password": password[1]}).status_code == 303
    wrong = ada.post("/console/accounts", {"handle": HOSTILE, "roles": "support"})
    assert wrong.status_code == 422
    assert "<script>alert" not in wrong.text
    assert ada.post("/console/accounts", {"handle": "bob", "roles": "member"}).status_code == 422
    assert ada.post("/console/accounts", {"handle": "bob", "roles": "king"}).status_code == 422
    assert ada.post("/console/accounts/ada/disable").status_code == 422
    assert ada.post("/console/accounts/nora/disable").status_code == 303
    assert nora.get("/console/overview").status_code == 303
    assert "closed" in words(ada.get("/console/accounts"))


def test_keys_are_made_and_revoked(own: Office) -> None:
    ada = own.visitor("ada")
    made = ada.post("/console/keys", {"name": "trainer", "roles": "workload"})
    secret = re.search(r"<code>(ck_[\w-]+)</code>", made.text)
    assert secret is not None
    assert secret[1] not in ada.get("/console/keys").text
    assert own.ask("GET", "/v1/leases", token=secret[1]).status == 200
    assert ada.post("/console/keys", {"name": "boss", "roles": "privacy-officer"}).status_code == 422
    assert ada.post("/console/keys", {"name": "old", "roles": "workload", "expires": "2001-01-01"}).status_code == 422
    (row,) = ada.get("/console/keys?format=json").json()["keys"]
    assert row["made_by"] == "ada"
    assert ada.post(f"/console/keys/{row['ident']}/revoke").status_code == 303
    assert own.ask("GET", "/v1/leases", token=secret[1]).status == 401


@pytest.mark.parametrize("path", ["/console/accounts", "/console/keys"])
def test_only_administrators_change_accounts_and_keys(place: Office, path: str) -> None:
    for handle in ("olga", "paul", "ico", ""):
        assert place.visitor(handle).post(path, {"handle": "eve", "name": "eve"}).status_code in (401, 403)


def test_a_list_of_ten_thousand_rows_is_quick() -> None:
    listing = Listing(name="rows", columns=(Column("name", "Name"), Column("at", "At", kind="time")), sort="-at")
    rows = [{"name": f"row {number}", "at": number} for number in range(10_000)]
    started = time.monotonic()
    found, shown = listing.select(rows, {"q": "row 99", "page": "2"})
    assert time.monotonic() - started < 1
    assert (len(found), shown.total, len(shown.rows)) == (280, 280, 50)


def test_the_script_of_the_jobs_page_knows_its_columns(place: Office) -> None:
    script = place.visitor().get("/static/jobs.js").text
    columns = place.visitor("mel").get("/console/jobs?format=csv").text.splitlines()[0].split(",")
    named = re.search(r"const columns = \{([^}]+)\}", script)
    assert named is not None
    found = {name.strip(): int(at) for name, at in (each.split(":") for each in named[1].split(","))}
    assert {name: columns.index(name) for name in found} == found


def test_pages_hold_no_script_or_style_of_their_own_and_one_heading(place: Office) -> None:
    paths = ["overview", "cases", "orders", "suspend", "open-case", "jobs", "releases", f"releases/{place.release}"]
    paths += ["models", "policies", "proposals", "propose-policy", "compare-policies", "people", "notices"]
    for path in paths:
        text = place.visitor("olga").get(f"/console/{path}").text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", text), path
        assert text.count("<h1") == 1, path
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), (path, sorted(each for each in ids if ids.count(each) > 1))


def test_what_a_page_shows_is_there_as_json(own: Office) -> None:
    olga, control = own.visitor("olga"), own.deployment.control
    control.notices.write("told", b"We use posts.", languages=["en"], channel="mail", audience="all", by="olga")
    control.models.register("drafts", releases=[own.release])
    control.cases.open("uk-1", title="Posts", reference="letter", by="olga")
    proposal = control.proposals.propose(shipped()["november-2025"], reason="newer", by="olga").proposal
    objection = control.objections.file("a post", answer_to="me@example.org").objection
    first, *_ = (str(each.position) for each in control.desk.present().state.policies)
    item = "gb-1"
    paths = (
        f"/console/releases/{own.release}", "/console/models/drafts", "/console/notices/told", "/console/cases/uk-1",
        f"/console/proposals/{proposal}", f"/console/objections/{objection}", "/console/overview",
        f"/console/policies/{first}", f"/console/compare-policies?before={first}&after={first}",
        f"/console/compare-releases?before={own.release}&after={own.release}",
        f"/console/releases/{own.release}/explain?item={item}",
    )  # fmt: skip
    for path in paths:
        _twin(olga, path)
    with own.deployment.admission() as admission:
        hooks = Webhooks(admission.web, clock=control.desk.parts.clock)
        hook = hooks.add("https://hooks.example/x", kinds=frozenset({"order.issued"}), by="ada", position=0)
    ada = own.visitor("ada")
    assert hook.secret not in json.dumps(_twin(ada, f"/console/webhooks/{hook.ident}"))
    assert _twin(ada, "/console/accounts/ico")["areas"] == ["UK"]
    looked = olga.post("/console/people?format=json", {"person": "gb", "reason": "ticket 7"})
    assert looked.json()["person"] == own.deployment.person("gb")


def _twin(visitor: Visitor, path: str) -> dict[str, Any]:
    """Return the twin of a page, which the page names in its head and links to."""
    text = visitor.get(path).text
    link = re.search(r'href="([^"]+)">The same as JSON', text)
    assert link is not None, path
    assert f'<link rel="alternate" type="application/json" href="{link[1]}">' in text, path
    answer = visitor.get(urljoin(path, unescape(link[1])))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), path
    return dict(answer.json())


def test_the_overview_asks_for_the_register_of_an_open_case_once(own: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    control, asked = own.deployment.control, list[str]()
    for name in ("open-1", "open-2", "over"):
        control.cases.open(name, title=name, reference="letter", by="olga")
    control.orders.suspend(
        Scope(areas=frozenset({"BR"})), case="over", origin=Origin.OWN_DECISION, reference="letter", by="olga"
    )
    control.cases.prohibit("over", reference="decision", by="olga")
    plain = control.cases.register_of

    def noted(name: str) -> Any:
        asked.append(name)
        return plain(name)

    monkeypatch.setattr(control.cases, "register_of", noted)
    assert own.visitor("olga").get("/console/overview").status_code == 200
    assert asked == ["open-1", "open-2"]
    rows = {row["case"]: row for row in own.visitor("olga").get("/console/cases?format=json").json()["cases"]}
    assert (rows["over"]["standing"], rows["over"]["open_points"]) == ("prohibited", 0)
    assert rows["over"]["suspends"], "it stays suspended for good"


def test_a_key_of_a_program_changes_nothing_on_the_pages(place: Office) -> None:
    with place.deployment.admission() as admission:
        _, secret = admission.add_key("audit", roles=frozenset({STAFF["audrey"]}), by="ada")
    bearer = {"authorization": f"Bearer {secret}"}
    assert place.visitor().get("/console/orders", **bearer).status_code == 200
    assert place.visitor().post("/console/suspend", {}, **bearer).status_code == 403


def test_objections_that_wait_too_long_are_on_the_overview(tmp_path: Path) -> None:
    ahead = [0]
    deployment = open_deployment(tmp_path / "home", embedded=True, ahead=lambda: ahead[0])
    filed = [deployment.control.objections.file(f"post {n}", answer_to="me@example.org") for n in range(2)]
    ahead[0] = filed[0].due - filed[0].received + 1
    deployment.control.objections.file("post 3", answer_to="me@example.org")
    with deployment.admission() as admission, in_thread(deployment) as ask:
        for handle, role in {"sam": Role.SUPPORT, "ada": Role.AUDITOR}.items():
            admission.add(handle, roles=frozenset({role}), password="")
            visitor = Visitor(ask.url, {COOKIE: admission.admit(handle, subject=f"https://idp.example/#{handle}")})
            said = words(visitor.get("/console/overview"))
            assert ("Objections to answer 3 2 are overdue" in said) is (handle == "sam"), said
    deployment.close()


def test_models_that_nobody_decided_about_are_overdue_and_a_list_says_that_it_was_cut(tmp_path: Path) -> None:
    ahead = [0]
    deployment = open_deployment(tmp_path / "home", embedded=True, ahead=lambda: ahead[0])
    release = prepare(tmp_path, deployment)
    for number in range(12):
        deployment.control.models.register(f"m-{number}", releases=[release])
    deployment.control.releases.withdraw(release, "a mistake", by="olga")
    with deployment.admission() as admission, in_thread(deployment) as ask:
        admission.add("ada", roles=frozenset({Role.AUDITOR}), password="")
        cookie = admission.admit("ada", subject="https://idp.example/#ada")
        assert "Overdue 0" in words(Visitor(ask.url, {COOKIE: cookie}).get("/console/overview"))
        ahead[0] = 4000 * 86_400
        cookie = admission.admit("ada", subject="https://idp.example/#ada")
        said = words(Visitor(ask.url, {COOKIE: cookie}).get("/console/overview"))
        assert "Overdue 12" in said
        assert "The first 10 of 12 are shown. All of them" in said
    deployment.close()
