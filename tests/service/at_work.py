"""A small deployment, a real server of it on a free port, in a thread or a process of its own, and a plain client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import uvicorn
from click.testing import CliRunner

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.main import cli
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose
from consentry.service.app import create_app
from consentry.service.auth import workload_token
from consentry.service.connection import Connection
from consentry.service.server import _listening, _Server
from end_to_end.network import RawItem, RawPerson, made_once, write_corpus, write_people
from end_to_end.test_story import BEFORE, NOW

POLICY = "august-2024"
CHANGED = shipped()[POLICY].replace('version = "', 'version = "new-', 1)
"""A newer version of it."""
ITEMS = (
    RawItem(id="u1", author="us", created=BEFORE),
    RawItem(id="g1", author="gb", created=BEFORE),
    RawItem(id="x1", author="nobody-knows", created=BEFORE),
    RawItem(id="b1", author="br", created=BEFORE),
)
PEOPLE = (RawPerson(id="us"), RawPerson(id="gb", country="GB"), RawPerson(id="br", country="BR"))


@dataclass
class Answer:
    """What came back."""

    status: int
    content: bytes
    kind: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        assert self.kind == "application/problem+json", (self.status, self.content)
        assert set(self.json) == {"type", "status", "title", "detail", "code", "request_id"}
        assert self.json["status"] == self.status
        assert self.json["request_id"] == self.headers["x-request-id"]
        return str(self.json["code"])


@dataclass
class Caller:
    """Asks a server."""

    url: str
    token: str

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        raw: bytes | None = None,
        timeout: float = 20,
    ) -> Answer:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        if token == "":
            headers = {}
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            shown = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, answer.read(), shown.get("content-type", ""), shown)
        finally:
            connection.close()

    def lease(self, release: str, *, job: str = "job-1", model: str = "drafts", ttl_s: float = 60) -> Held:
        asked = {"release": release, "job": job, "model": model, "ttl_s": ttl_s, "nonce": "n-0"}
        answer = self("POST", "/v1/leases", asked)
        assert answer.status == 201, answer.content
        return Held(self, answer.json, job)


@dataclass
class Held:
    """A lease in the hands of a job."""

    caller: Caller
    granted: dict[str, Any]
    job: str

    def __call__(self, method: str, path: str, body: object = None, **named: Any) -> Answer:
        named.setdefault("token", self.granted["secret"])
        return self.caller(method, f"/v1/leases/{self.granted['lease']}/{path}", body, **named)

    def renew(self, sequence: int, **changed: Any) -> Answer:
        token = changed.pop("token", self.granted["secret"])
        fence = self.granted["fence"]
        body = {"job": self.job, "fence": fence, "sequence": sequence, "nonce": f"n-{sequence}", "step": sequence}
        return self("POST", "renewal", {**body, **changed}, token=token)

    def watch(self, seconds: float, *, amendment: int = 0) -> Answer:
        return self("GET", f"watch?wait={seconds}&amendment={amendment}")

    def end(self, how: str = "stopped", step: int | None = None) -> Answer:
        return self("POST", "end", {"how": how, "step": step})


def prepare(folder: Path, deployment: Deployment) -> str:
    """Fill a deployment and return the name of its release."""
    deployment.control.statements.register_corpus(write_corpus(folder, [ITEMS[:3], ITEMS[3:]]))
    deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
    deployment.control.statements.publish(shipped()[POLICY], POLICY)
    return deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release


@contextmanager
def home() -> Iterator[tuple[Path, str]]:
    """Yield the home of a deployment that nobody has opened, and the name of its release."""
    with made_once(prepare) as (folder, deployment, release):
        deployment.close()
        yield folder / "home", release


@contextmanager
def home_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """Make the same in an empty folder, with the ledger where the environment says: its own server finds it there."""
    deployment = open_deployment(folder / "home")
    release = prepare(folder, deployment)
    url, required = deployment.settings.ledger_url, deployment.settings.ledger_replica_required
    deployment.close()
    if url:
        settings = f'ledger_url = "{url}"\nledger_replica_required = {str(required).lower()}\n'
        (folder / "home" / "consentry.toml").write_text(settings)
    yield folder / "home", release


def platform_key(deployment: Deployment) -> str:
    """Return the key of the platform's own server, which may also do what jobs may."""
    with deployment.admission() as admission:
        return admission.add_key("platform", roles=frozenset({Role.PLATFORM, Role.WORKLOAD}), by="olga")[1]


@contextmanager
def in_thread(deployment: Deployment, *, port: int = 0) -> Iterator[Caller]:
    """Serve an opened deployment; at a free port if none is given."""
    token = workload_token(deployment.settings.home / "keys")
    with deployment.admission() as admission, _listening("127.0.0.1", port) as listener:
        app = create_app(deployment, admission, token=token)
        config = uvicorn.Config(app, log_config=None, access_log=False, http=Connection, ws="none", lifespan="on")
        server = _Server(config, app.state.watch)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Caller(f"http://127.0.0.1:{listener.getsockname()[1]}", token)
        finally:
            server.should_exit = True
            thread.join()


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something, and fail if it does not come."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def once_ready(url: str, **headers: str) -> httpx2.Response:
    """Return what a server says of itself once it has prepared what everybody needs."""
    answers: list[httpx2.Response] = []

    def prepared() -> bool:
        answers.append(httpx2.get(f"{url}/readyz", headers=headers))
        return "serve-preparing" not in answers[-1].text

    until(prepared)
    return answers[-1]


class Process:
    """`consentry serve` as a process of its own."""

    def __init__(
        self,
        home: Path,
        *,
        errors: int = subprocess.PIPE,
        program: Sequence[str] = ("-m", "consentry"),
        port: int = 0,
    ) -> None:
        self.home = home
        (home / "serve.json").unlink(missing_ok=True)
        self.process = command(home, "serve", "--port", str(port), errors=errors, program=program)
        try:
            self.ask = self._reached()
        except BaseException:
            self.kill()
            raise

    def _reached(self) -> Caller:
        deadline = time.monotonic() + 60
        while not (self.home / "serve.json").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("the server does not start")
            time.sleep(0.02)
        address = json.loads((self.home / "serve.json").read_bytes())["url"]
        ask = Caller(address, (self.home / "keys" / "workload.token").read_text().strip())
        assert ask("GET", "/healthz").status == 200
        return ask

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=20)
        return self.process.returncode, out, errors


@contextmanager
def served(
    home: Path, *, errors: int = subprocess.PIPE, program: Sequence[str] = ("-m", "consentry")
) -> Iterator[Process]:
    """Serve a home from a process. What it complains about goes to `errors`: a pipe that nobody reads fills up."""
    process = Process(home, errors=errors, program=program)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.stop()


def command(
    home: Path, *words: str, errors: int = subprocess.PIPE, program: Sequence[str] = ("-m", "consentry")
) -> subprocess.Popen[str]:
    """Start a command on a home, as a process of its own."""
    line = [sys.executable, *program, "--home", str(home), *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)


def said(home: Path, *words: str) -> str:
    """Give a command in this process, and return what it printed; what it refuses is raised."""
    done = CliRunner().invoke(cli, ["--home", str(home), *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def suspend_elsewhere(home: Path, *scope: str) -> None:
    """Suspend from a process of its own."""
    process = command(home, "suspend", "--case", "ico-2024", "--reference", "letter", *scope)
    out, errors = process.communicate(timeout=60)
    assert "is in force" in out, errors
