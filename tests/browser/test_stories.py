"""The story, played by people in browsers: saying no, objecting, suspending, and an authority that looks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, expect

from browser.accessible import violations
from browser.conftest import Look, Visits, World, Worlds
from browser.places import MANY
from consentry.cli.demo_job import running
from consentry.ledger.oversight_events import LeaseEnd, LeaseEnded, LeaseGranted, Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from consentry.service.gate import COOKIE
from consentry.training.practice import STOPPED

SECOND_MS = 1_000


def run(*words: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "consentry", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_member_says_no_and_keeps_a_receipt_that_checks_elsewhere(
    visits: Visits, world: World, tmp_path: Path
) -> None:
    page = visits.of("member", java_script_enabled=False).new_page()
    page.goto("/me")
    page.get_by_label("No", exact=True).first.check()
    page.get_by_role("button", name="Save").first.click()
    saved = page.get_by_role("status")
    expect(saved).to_contain_text("Saved: you said no")
    link = saved.get_by_role("link", name="as a file that can be checked").get_attribute("href")
    assert link is not None
    file = tmp_path / "receipt.json"
    file.write_bytes(page.request.get(link).body())
    key = world.deployment.settings.home / "keys" / "signing.pub.pem"
    status, said = run("--home", str(tmp_path / "none"), "receipt", "verify", str(file), "--key", str(key))
    assert status == 0, said
    assert b"refused" in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(b"refused", b"allowed"))
    assert run("--home", str(tmp_path / "none"), "receipt", "verify", str(file), "--key", str(key))[0] != 0
    page.goto("/me")
    assert page.get_by_label("No", exact=True).first.is_checked()


def test_a_choice_outlives_the_session_in_which_it_was_made(visits: Visits, world: World) -> None:
    window = visits.of("leaver", java_script_enabled=True)
    page = window.new_page()
    page.goto("/me")
    page.get_by_label("No", exact=True).first.check()
    window.clear_cookies(name=COOKIE)
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("status")).to_contain_text("Your choice is not saved yet")
    assert violations(page) == []
    page.goto(world.link(world.members["leaver"]))
    expect(page.get_by_role("status")).to_contain_text("Not saved yet")
    expect(page.get_by_label("No", exact=True).first).to_be_checked()
    assert violations(page) == []
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("status")).to_contain_text("Saved: you said no")


def test_somebody_without_an_account_objects_and_follows_it(visits: Visits) -> None:
    page = visits.window().new_page()
    page.goto("/object")
    boxes = page.locator("main form").last.locator("textarea, input:not([type=hidden])")
    boxes.nth(0).fill("https://network.example/posts/1 <b>mine</b>")
    page.locator("[name=answer_to]").fill("me@example.org")
    page.locator("main form button").last.click()
    page.wait_for_url("**/object/follow/**")
    assert "<b>mine</b>" in page.inner_text("main")
    address = page.url.partition("?")[0]
    other = visits.window().new_page()
    assert other.goto(address) is not None
    assert "me@example.org" in other.inner_text("main") or "received" in other.inner_text("main").lower()
    queue = visits.of("sam").new_page()
    queue.goto("/console/objections")
    assert "network.example/posts/1" in queue.inner_text("main")


def test_an_officer_suspends_and_the_switch_and_the_job_are_gone(
    browser: Browser, worlds: Worlds, tmp_path: Path
) -> None:
    world = worlds("suspended")
    control = world.deployment.control
    names = [name for name, sealed in control.releases.sealed().items() if sealed.withdrawn is None]
    token = (world.deployment.settings.home / "keys" / "workload.token").read_text().strip()
    reading = running(
        names[-1], model="drafts-9", column="body", server=(world.url, token), state=tmp_path, passes=1_000_000
    )
    with closing(Visits(browser, world)) as visits:
        with reading as job:
            job.until("training")
            suspend_while(visits, world)
            assert job.until("stopped")["code"] == "lease-revoked"
        assert job.process.returncode == STOPPED
        authority = visits.of("ico").new_page()
        authority.goto("/authority/cases/uk-2026")
        assert "letter of today" in authority.inner_text("main")
        shown = visits.window().new_page()
        shown.goto("/transparency")
        assert "United Kingdom" in shown.inner_text("main")
        control.cases.prohibit("uk-2026", by="olga", reference="end of the test")


def test_an_open_page_loses_its_switch_within_a_second(browser: Browser, worlds: Worlds) -> None:
    world = worlds("seconds")
    orders = world.deployment.control.orders
    with closing(Visits(browser, world)) as visits:
        member = visits.of("member").new_page()
        member.goto("/me")
        switch = member.locator("[name=answer]")
        assert switch.count() > 0
        member.evaluate(_NOTE_WHEN_GONE)
        scope = Scope(areas=frozenset({"UK"}), purposes=frozenset({Purpose.TRAIN_GENAI}))
        order = orders.suspend(scope, case="uk-2027", origin=Origin.OWN_DECISION, reference="letter", by="olga")
        expect(switch).to_have_count(0)
        assert float(member.evaluate("window.gone")) - order.at_ms < SECOND_MS


_NOTE_WHEN_GONE = """() => new MutationObserver(() => {
  if (!window.gone && !document.querySelector("[name=answer]")) window.gone = Date.now();
}).observe(document, { childList: true, subtree: true })"""
"""Has a page note the moment at which its switch is gone."""


_ASKED_ANEW_MS = """() => Math.min(...performance.getEntriesByType("resource")
  .filter(each => each.name.includes("meanwhile=1")).map(each => performance.timeOrigin + each.startTime))"""
"""When an open page of a member asked for itself anew first, as it was told to."""


def suspend_while(visits: Visits, world: World) -> None:
    """Suspend the UK through the console, before the eyes of a member and of somebody who looks at the jobs."""
    jobs = visits.of("emma").new_page()
    jobs.goto("/console/jobs")
    row = jobs.locator("tr", has_text="drafts-9-job")
    expect(row).to_contain_text("granted")
    member = visits.of("member").new_page()
    member.goto("/me")
    assert member.get_by_role("button", name="Save").count() > 0
    officer = visits.of("olga").new_page()
    officer.goto("/console/suspend")
    officer.locator("[name=areas]").fill("UK")
    officer.locator("[name=case]").fill("uk-2026")
    officer.locator("[name=reference]").fill("letter of today")
    officer.locator(f"#purposes-{Purpose.TRAIN_GENAI}").check()
    officer.get_by_role("button", name=re.compile("What", re.IGNORECASE)).first.click()
    officer.get_by_role("button", name=re.compile("^Suspend", re.IGNORECASE)).first.click(no_wait_after=True)
    # When the page was asked for counts, not how long this machine takes to draw it.
    offered_ms, until = 0.0, time.time() + 30
    while time.time() < until:
        asked_ms = time.time() * 1_000
        if 'name="answer"' not in member.request.get("/me").text():
            break
        offered_ms = asked_ms
    # The page that was open loses it as well, by itself; whoever was about to save is told.
    expect(member.get_by_role("button", name="Save")).to_have_count(0)
    expect(member.locator("#meanwhile")).to_contain_text("Changed since you opened the page")
    assert violations(member) == []
    (order,) = [each for each in world.deployment.control.orders.every() if each.case == "uk-2026"]
    assert offered_ms - order.at_ms < SECOND_MS, "a page that is asked for a second later has no switch"
    anew_ms = float(member.evaluate(_ASKED_ANEW_MS))
    assert anew_ms - order.at_ms < SECOND_MS, "and the one that was open has heard of it"
    member.goto("/me")
    assert member.get_by_role("button", name="Save").count() == 0
    text = member.inner_text("main").lower()
    assert "stop this use" in text or "stopped this use" in text
    # Told by the server, without a reload: revoked within a second, and stopped once the job has said so.
    expect(row).not_to_contain_text("granted", timeout=SECOND_MS)
    expect(row).to_contain_text("stopped", timeout=15_000)
    expect(row).to_contain_text(order.order)
    expect(row.locator("td").nth(9).locator("time")).to_contain_text("UTC")


def test_many_jobs_are_asked_for_anew_only_when_there_is_a_new_one(look: Look, worlds: Worlds) -> None:
    place = next(at for at in MANY if at.path.startswith("/console/jobs"))
    page = look(place._replace(path="/console/jobs")).page
    loaded: list[str] = []
    page.on("framenavigated", lambda frame: loaded.append(frame.url))
    expect(page.locator("#live")).to_have_text(re.compile("^Live"), timeout=30_000)
    page.wait_for_timeout(5 * SECOND_MS)
    assert loaded == [], "the stream tells of more jobs than the page shows, and of no new one"
    parts = worlds(place.world).deployment.control.desk.parts
    digest = parts.objects.put(b"secret")
    lease = LeaseGranted(lease="f" * 12, release="none", job="the-new-job", model="m", ttl_ms=60_000, secret=digest)
    parts.ledger.append([lease, LeaseEnded(lease="f" * 12, how=LeaseEnd.RELEASED, orders=(), step=1)])
    expect(page.locator("tr", has_text="the-new-job")).to_be_visible(timeout=30_000)
    page.wait_for_timeout(3 * SECOND_MS)
    assert len(loaded) == 1


def test_an_authority_takes_its_case_away_signed(visits: Visits, world: World, tmp_path: Path) -> None:
    page = visits.of("ico").new_page()
    page.goto("/authority/cases/uk-2024")
    link = page.get_by_role("link", name=re.compile("Download", re.IGNORECASE)).first.get_attribute("href")
    file = tmp_path / "case.json"
    file.write_bytes(page.request.get(f"/authority/cases/uk-2024{link}").body())
    key = world.deployment.settings.home / "keys" / "signing.pub.pem"
    status, said = run("--json", "authority", "verify", str(file), "--key", str(key))
    assert status == 0, said
    assert "uk-2024" in json.dumps(json.loads(said))
