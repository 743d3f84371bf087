"""A ledger that is put back from an older copy under a process that is open: nothing is signed until it is repaired."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.errors import ConsentryError
from end_to_end.suspended_network import build, suspend
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_story import say
from service.at_work import in_thread
from service.test_member_lost import copy_of, put_back

PASSWORD = "several words of an authority"


def test_nothing_is_signed_under_a_ledger_of_yesterday(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    ledger, control = folder / "home" / "ledger.db", deployment.control
    release = build(deployment)
    suspend(deployment)
    with deployment.admission() as admission:
        admission.add("ico", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password=PASSWORD)
        session = admission.sign_in("ico", PASSWORD)
    copy_of(ledger, folder / "older.db")
    say(deployment, "us")
    cookie = {"cookie": f"__Host-consentry={session}"}
    with in_thread(deployment) as ask, httpx2.Client(base_url=ask.url, headers=cookie, timeout=60) as asking:
        assert asking.get("/authority", params={"format": "signed"}).status_code == 200, "a control"
        put_back(folder / "older.db", ledger)
        deployment.ledger.close()
        answer = asking.get("/authority", params={"format": "signed"})
        assert (answer.status_code, "payload" in answer.text) == (500, False)
        assert "ledger-older" in answer.text
        for act in (
            lambda: build(deployment),
            lambda: suspend(deployment),
            lambda: control.releases.table(release, 2),
            lambda: control.releases.withdraw(release, "x", by="olga"),
        ):
            with pytest.raises(ConsentryError, match="ledger-older"):
                act()
