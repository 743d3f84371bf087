"""Every page that the router has is among those that are looked at, and looks as it is meant."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute

from browser.conftest import Look
from browser.places import ALL, Page
from consentry.service.app import ROUTERS
from consentry.service.gate import addresses

NO_PAGES = {
    "/.well-known/authzen-configuration": "a document for programs",
    "/authority/draft": "a file to sign",
    "/authority/key.pem": "a file",
    "/authority/reports/{name}/{report}": "a signed file",
    "/console": "leads to the first page of whoever is signed in",
    "/console/cases/{case}/reports/{report}.json": "a file",
    "/console/cases/{case}/timeline.json": "a document for programs",
    "/console/jobs/events": "a stream",
    "/healthz": "a document for programs",
    "/me/events": "a stream",
    "/me/receipts/{position}": "a file",
    "/me/sign-in": "leads to an organisation",
    "/me/sign-in/back": "leads back from it",
    "/metrics": "a document for programs",
    "/object/follow/{link}/receipt": "a file",
    "/openapi.json": "a document for programs",
    "/readyz": "a document for programs",
    "/sign-in/organisation": "leads to an organisation",
    "/sign-in/organisation/back": "leads back from it",
    "/transparency.json": "a document for programs",
    "/transparency/key.pem": "a file",
    "/version": "a document for programs",
}
"""Addresses that show no page, and what they are."""


def shown(place: Page, routes: list[APIRoute]) -> str:
    """Return the address of the router that a place is at; empty if none is."""
    path = place.path.partition("?")[0]
    return next((route.path for route in routes if route.path_regex.match(path)), "")


def test_every_page_is_looked_at() -> None:
    found = [route for route in addresses(ROUTERS) if "GET" in (route.methods or ())]
    pages = {route.path for route in found if not route.path.startswith("/v1/")} - set(NO_PAGES)
    assert set(NO_PAGES) <= {route.path for route in found}, "these are addresses no more"
    assert pages - {shown(place, found) for place in ALL} == set()


@pytest.mark.parametrize("name", ["releases", "cases", "acts", "webhooks"])
def test_a_list_fits_the_screen_of_a_laptop(look: Look, name: str) -> None:
    (place,) = [each for each in ALL if each.name == name]
    page = look(place, locale="en-GB", viewport={"width": 1280, "height": 900}).page
    widths = page.eval_on_selector_all(".scroll", "all => all.map(each => [each.scrollWidth, each.clientWidth])")
    assert widths
    assert all(whole <= shown for whole, shown in widths), widths


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("suspend-what-if", "This would stop:"),
        ("person", "What is known of"),
        ("narrow", "br-2026"),
        ("narrow-what-if", "This would still stop:"),
    ],
)
def test_what_is_pressed_for_is_there(look: Look, name: str, said: str) -> None:
    (place,) = [each for each in ALL if each.name == name]
    assert said in look(place, locale="en-GB").page.inner_text("main")
