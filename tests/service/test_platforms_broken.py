"""Several platforms in one server: one that is broken, slow or ending holds up no other."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.errors import StateError
from consentry.service import hosting as hosting_module
from consentry.service.homes import alone
from consentry.service.hosting import Hosting
from consentry.service.server import _listening, serve_platforms
from service.at_work import once_ready, prepare, until
from service.tenants import BROWSER, Tenants, host, listed, running, served


def ready(tenants: Tenants, hosted: str = "load-balancer") -> tuple[int, Any]:
    answer = httpx2.get(f"{tenants.url}/readyz", headers={"host": hosted})
    return answer.status_code, answer.json()


def waiting_job(found: Tenants) -> Callable[[], bytes]:
    """Lease a release of platform `one`, and return what waits for a change of it and tells how it stands."""
    home = found.homes["one"]
    asked = {"release": prepare(home.settings.home.parent, home), "job": "j", "model": "m", "ttl_s": 60, "nonce": "n"}
    with found.client("one") as client:
        key = {"authorization": f"Bearer {found.token('one')}"}
        granted = client.post("/v1/leases", json=asked, headers=key).json()

    def wait() -> bytes:
        with found.client("one") as client:
            key = {"authorization": f"Bearer {granted['secret']}"}
            told = client.get(f"/v1/leases/{granted['lease']}/watch?wait=50&amendment=0", headers=key)
        return str(told.json()["state"]).encode()

    return wait


def test_a_home_that_is_locked_is_served_when_it_is_free(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("one", "two"):
        open_deployment(tmp_path / name, embedded=True).close()
    with alone(tmp_path / "two"), served(tmp_path, "one", "two") as found:
        with found.client("two") as client:
            assert client.get("/healthz").json() == {"status": "ok"}, "to start the server anew would mend nothing"
            for path in ("/", "/readyz", "/v1/orders"):
                answer = client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (503, "platform-unavailable")
                assert answer.headers["retry-after"]
            assert client.get("/", headers=BROWSER).status_code == 503
        assert ready(found, host("one"))[0] == 200
        assert ready(found) == (200, {"status": "partly-ready"})
        assert found.hosting.hosted[1].trouble.code == "serve-already-running"  # type: ignore[union-attr]
        (tmp_path / "two" / "serve.lock").unlink()  # the next try makes another, as if the other server had gone
        until(lambda: ready(found, host("two"))[0] == 200, 30)
        assert ready(found) == (200, {"status": "ready"})
        assert found.hosting.hosted[1].trouble is None
    assert [each.getMessage() for each in caplog.records if "after all" in each.getMessage()] == [
        "platform `two` is served after all"
    ]


def test_broken_homes_hold_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["good", "damaged", "missing", "other-address", "settings", "token"]
    for name in names:
        if name != "missing":
            open_deployment(tmp_path / name, embedded=True).close()
    (tmp_path / "damaged" / "ledger.db").write_bytes(b"x" * 5000)
    (tmp_path / "other-address" / "consentry.toml").write_text('site_url = "https://good.example"')
    (tmp_path / "settings" / "consentry.toml").write_text("nonsense = 1")
    (tmp_path / "token" / "keys" / "workload.token").write_text("short")
    with _listening("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        hosting = Hosting(listed(tmp_path, *names), address=url, again=0.05)
        with running(hosting, listener):
            time.sleep(0.3)
            found = {each.platform.name: each.trouble and each.trouble.code for each in hosting.hosted}
            assert once_ready(url, host="good.example").status_code == 200
            for name in names[1:]:
                assert httpx2.get(f"{url}/", headers={"host": host(name)}).status_code == 503
    damaged = found.pop("damaged")
    assert damaged
    assert found == {
        "good": None,
        "missing": "platform-no-home",
        "other-address": "platform-other-address",
        "settings": "settings-unknown-key",
        "token": "serve-token-damaged",
    }
    assert not (tmp_path / "missing").exists()
    assert not list(tmp_path.glob("*/serve.json"))
    # Tried again and again, said once.
    assert sum("platform `missing`" in each.getMessage() for each in caplog.records) == 1


def test_none_to_serve_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("consentry.service.server.as_text", lambda **_: None)
    with pytest.raises(StateError) as caught:
        serve_platforms(listed(tmp_path, "one", "two"), port=0, announce=lambda *given: told.append(given))
    assert caught.value.code == "platforms-none-served"
    assert len(told) == 1


def test_a_home_that_takes_long_holds_up_no_start_and_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("quick", "slow"):
        open_deployment(tmp_path / name, embedded=True).close()
    opening, go_on, plain = threading.Event(), threading.Event(), open_deployment

    def slowly(home: Path) -> Deployment:
        if home.name == "slow":
            opening.set()
            assert go_on.wait(60)
        return plain(home)

    monkeypatch.setattr(hosting_module, "open_deployment", slowly)
    with _listening("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        hosting = Hosting(listed(tmp_path, "quick", "slow"), address=url, patience=0.2)
        with running(hosting, listener):
            assert opening.is_set()
            until(lambda: ready(Tenants(url, hosting)) == (200, {"status": "partly-ready"}))
            assert ready(Tenants(url, hosting), host("slow"))[0] == 503
            threading.Timer(0.5, go_on.set).start()
        # It ended while one was being opened: what was open by then is closed again.
    for name in ("quick", "slow"):
        assert not (tmp_path / name / "serve.json").exists()
        with alone(tmp_path / name):
            pass


def test_starting_and_stopping_again_and_again(tmp_path: Path) -> None:
    for _ in range(4):
        with served(tmp_path, "one", "two") as found:
            threads = threading.active_count()
            for name in ("one", "two"):
                assert once_ready(found.url, host=host(name)).status_code == 200
                assert (tmp_path / name / "serve.json").exists()
        assert threading.active_count() < threads
        for name in ("one", "two"):
            assert not (tmp_path / name / "serve.json").exists()
            with alone(tmp_path / name):
                pass


def test_what_was_asked_before_the_end_is_answered(tmp_path: Path) -> None:
    body, answers = b"find=https%3A%2F%2Fx.example%2F1&answer_to=zoe%40example.org", list[bytes]()
    head = f"POST /object HTTP/1.1\r\nhost: one.example\r\ncontent-length: {len(body)}\r\n"
    head += "content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n\r\n"
    with served(tmp_path, "one") as found:
        port = httpx2.URL(found.url).port
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(head.encode())
        wait = waiting_job(found)
        waiting = threading.Thread(target=lambda: answers.append(wait()))
        waiting.start()
        time.sleep(0.3)

        def finish() -> None:
            connection.sendall(body)
            while part := connection.recv(65_536):
                answers.append(part)

        later = threading.Timer(0.5, finish)
        later.start()
    later.join()
    waiting.join()
    connection.close()
    assert any(each.startswith(b"HTTP/1.1 303") for each in answers), answers
    assert b"granted" in answers, "who waited was sent away before"


def test_two_servers_of_the_same_platforms_share_none(tmp_path: Path) -> None:
    with served(tmp_path, "one", "two") as first, _listening("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        second = Hosting(listed(tmp_path, "two", "one"), address=url, again=0.05)
        with running(second, listener):
            assert second.failed
            assert ready(Tenants(url, second))[0] == 503
        assert ready(first) == (200, {"status": "ready"})
        assert json.loads((tmp_path / "one" / "serve.json").read_bytes())["url"] == first.url
