"""An open page of a member is told when orders or rules are others than when it was made, and nothing else."""

from __future__ import annotations

import http.client
import re
from urllib.parse import urlsplit

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from service.members import Come, no
from service.visitor import Visitor

place = member.place


def test_an_open_page_is_told_of_a_suspension_and_of_new_rules(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    visitor = come("gb")
    shown = re.search(r'data-offered="([^"]+)"', visitor.get("/me").text)
    assert shown is not None
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    connection.request("GET", "/me/events", headers={"cookie": cookie})
    stream = connection.getresponse()
    assert stream.getheader("content-type", "").startswith("text/event-stream")
    assert told(stream) == shown[1], "nothing has changed since"
    no(come("us"))
    deployment.control.orders.suspend(
        Scope(areas=frozenset({"UK"})), case="ico", origin=Origin.OWN_DECISION, reference="letter"
    )
    suspended = told(stream)
    assert suspended != shown[1], "and what another member said was not told"
    assert suspended in visitor.get("/me").text
    deployment.control.statements.publish(shipped()["november-2025"], "november-2025")
    assert told(stream) not in {shown[1], suspended}
    stream.close()
    connection.close()
    assert Visitor(url).get("/me/events").status_code == 401


def told(stream: http.client.HTTPResponse) -> str:
    """Return what the next event says."""
    while not (line := stream.readline().decode()).startswith("data: "):
        assert line, "the stream ended"
    return line.removeprefix("data: ").strip()
