"""The story by people who have a keyboard and nothing else: no mouse, and nothing that a script does for them."""

from __future__ import annotations

import re
from contextlib import closing

from playwright.sync_api import Browser, expect

from browser.conftest import PASSWORD, Visits, Worlds
from browser.keyboard import follow, press, tab_to, write
from consentry.policy.vocabulary import Purpose


def test_a_member_says_no_and_takes_the_receipt_along(visits: Visits) -> None:
    page = visits.of("typist").new_page()
    page.goto("/me")
    use = page.locator(".use").first
    tab_to(page, use.locator("[name=answer]"))
    expect(use.get_by_label("Yes", exact=True).first).to_be_checked()
    page.keyboard.press("ArrowDown")
    expect(use.get_by_label("No", exact=True).first).to_be_checked()
    follow(page, use.get_by_role("button", name="Save"))
    saved = page.get_by_role("status")
    expect(saved).to_contain_text("Saved: you said no")
    with page.expect_download() as taken:
        press(page, saved.get_by_role("link", name="as a file that can be checked"))
    assert b"refused" in taken.value.path().read_bytes()
    page.goto("/me")
    expect(page.get_by_label("No", exact=True).first).to_be_checked()


def test_somebody_without_an_account_objects(visits: Visits) -> None:
    page = visits.window().new_page()
    page.goto("/")
    follow(page, page.get_by_role("main").get_by_role("link", name="Object"))
    page.wait_for_url("**/object")
    write(page, "https://network.example/posts/7", into=page.locator("[name=find]"))
    write(page, "keys@example.org", into=page.locator("[name=answer_to]"))
    follow(page, page.get_by_role("button", name="Send the objection"))
    page.wait_for_url("**/object/follow/**")
    assert "https://network.example/posts/7" in page.inner_text("main")
    private = page.locator("#address")
    tab_to(page, private)
    page.keyboard.press("Control+A")
    assert page.evaluate("getSelection().toString()") == page.url.partition("?")[0]


def test_an_officer_suspends_the_kingdom(browser: Browser, worlds: Worlds) -> None:
    # After the story with a mouse: what is suspended here stays so.
    world = worlds("suspended")
    with closing(Visits(browser, world)) as visits:
        page = visits.window().new_page()
        page.goto("/sign-in")
        write(page, "olga", into=page.get_by_label("Name"))
        write(page, PASSWORD, into=page.get_by_label("Password"))
        with page.expect_navigation():
            page.keyboard.press("Enter")
        follow(page, page.get_by_role("link", name="Console"))
        follow(page, page.get_by_role("link", name="Suspend a use"))
        page.wait_for_url("**/console/suspend")
        write(page, "uk-keys", into=page.locator("[name=case]"))
        write(page, "letter by hand", into=page.locator("[name=reference]"))
        write(page, "UK", into=page.locator("[name=areas]"))
        press(page, page.locator(f"#purposes-{Purpose.TRAIN_GENAI}"), key="Space")
        follow(page, page.get_by_role("button", name="See what it would hit"))
        expect(page.get_by_text("Nothing was recorded yet.")).to_be_visible()
        follow(page, page.get_by_role("button", name="Suspend it now"))
        page.wait_for_url("**/console/cases/uk-keys")
        assert re.search("in force", page.inner_text("main"))
        (order,) = [each for each in world.deployment.control.orders.every() if each.case == "uk-keys"]
        assert (order.by, [*order.scope.areas], [*order.scope.purposes]) == ("olga", ["UK"], [Purpose.TRAIN_GENAI])
