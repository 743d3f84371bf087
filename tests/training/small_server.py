"""A control plane of a few lines that keeps the rules of the protocol, and breaks where a test says so.

Started as a program it serves until it is killed; `POST /admin/WHAT` does what an operator would.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq
from pyroaring import BitMap64

CREDENTIAL = "workload"
Reply = tuple[int, Any]


@dataclass
class Granted:
    """A lease as the control plane knows it."""

    fence: int
    job: str
    ttl_s: float
    until: float
    state: str = "granted"
    code: str = ""
    sequence: int = 0
    ends: list[dict[str, Any]] = field(default_factory=list)
    consumed: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)


def file(index: int, path: Path) -> dict[str, Any]:
    """Return a content file as the answer to a grant names it."""
    content = path.read_bytes()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    rows = pq.read_metadata(path).num_rows
    return {"index": index, "path": str(path), "size": len(content), "rows": rows, "digest": digest}


class SmallPlane:
    """Everything that is known, under one lock."""

    def __init__(self, paths: list[Path], excluded: dict[int, list[int]] | None = None, name: str = "r") -> None:
        self.changed = threading.Condition()
        self.paths, self.excluded, self.name = paths, excluded or {}, name
        self.position = 10
        self.leases: dict[str, Granted] = {}
        self.amendments: list[dict[int, list[int]]] = []
        self.checkpoints: list[dict[str, Any]] = []
        self.quarantined: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.silent = threading.Event()  # a fault: nothing is answered
        self.forge: dict[str, Any] = {}  # a fault: laid over answers to renewals
        self.grants_forged: dict[str, Any] = {}
        self.lost: list[str] = []  # a fault: the next answer to a path that ends so is lost
        self.broken = ""  # a fault: why no bitmap can be read
        self.slow: dict[str, float] = {}  # a fault: an answer to a path that ends so takes so many seconds

    def revoke(self, code: str = "lease-revoked") -> None:
        with self.changed:
            for lease in self.leases.values():
                if lease.state == "granted":
                    lease.state, lease.code = "revoked", code
            self.changed.notify_all()

    def amend(self, removed: dict[int, list[int]]) -> None:
        with self.changed:
            self.amendments.append(removed)
            self.changed.notify_all()

    def consumed(self) -> set[tuple[int, int]]:
        ranges = [r for lease in self.leases.values() for each in lease.consumed.values() for r in each["ranges"]]
        return {(file, row) for file, first, end in ranges for row in range(first, end)}

    def lease(self) -> Granted:
        return next(reversed(self.leases.values()))

    def answer(self, path: str, query: dict[str, list[str]], body: Any, bearer: str) -> Reply:
        parts = path.strip("/").split("/")
        if path == "/healthz":
            return 200, {"status": "ok"}
        if parts[0] == "admin":
            self.revoke() if parts[1] == "revoke" else self.amend({int(f): rows for f, rows in body.items()})
            return 204, None
        with self.changed:
            if parts == ["v1", "leases"]:
                return self._every(bearer) if body is None else self._grant(body, bearer)
            lease = self.leases.get(parts[2])
            if lease is None:
                return 404, problem("lease-unknown")
            if bearer != f"secret-{parts[2]}":
                return 403, problem("lease-not-yours")
            if parts[3] == "watch":
                return self._watch(lease, query)
            return getattr(self, f"_{parts[3].replace('-', '_')}")(lease, body, parts[4:])  # type: ignore[no-any-return]

    def _grant(self, body: Any, bearer: str) -> Reply:
        if bearer != CREDENTIAL:
            return 403, problem("lease-not-yours")
        self.position += 1
        ttl = float(body.get("ttl_s", 60))
        name = f"lease-{self.position}"
        self.leases[name] = Granted(self.position, body["job"], ttl, time.monotonic() + ttl)
        files = [file(index, path) for index, path in enumerate(self.paths)]
        release = {"name": body["release"], "manifest": f"sha256:{self.name}", "purpose": "train-genai", "files": files}
        given = {"lease": name, "fence": self.position, "ttl_s": ttl, "secret": f"secret-{name}", "release": release}
        return 201, {**given, "nonce": body["nonce"], "amendment": len(self.amendments), **self.grants_forged}

    def _every(self, bearer: str) -> Reply:
        if bearer != CREDENTIAL:
            return 403, problem("lease-not-yours")
        for lease in self.leases.values():
            self._alive(lease)
        now = time.monotonic()
        shown = [
            {"fence": each.fence, "state": each.state, "left_s": each.until - now} for each in self.leases.values()
        ]
        return 200, {"leases": shown}

    def _alive(self, lease: Granted) -> Reply | None:
        if lease.state == "granted" and time.monotonic() >= lease.until:
            lease.state, lease.code = "expired", "lease-expired"
        return None if lease.state == "granted" else (409, problem(lease.code))

    def _renewal(self, lease: Granted, body: Any, _rest: list[str]) -> Reply:
        if body["job"] != lease.job or body["fence"] != lease.fence:
            return 403, problem("lease-not-yours")
        if refused := self._alive(lease):
            return refused
        if body["sequence"] <= lease.sequence:
            return 409, problem("lease-replayed")
        lease.sequence, lease.until = body["sequence"], time.monotonic() + lease.ttl_s
        own = {"fence": lease.fence, "ttl_s": lease.ttl_s, "amendment": len(self.amendments)}
        return 200, {**own, "sequence": body["sequence"], "nonce": body["nonce"], **self.forge}

    def _watch(self, lease: Granted, query: dict[str, list[str]]) -> Reply:
        known, wait = int(query["amendment"][0]), float(query["wait"][0])
        self.changed.wait_for(lambda: self._alive(lease) or len(self.amendments) > known, wait)
        return 200, {"state": lease.state, "amendment": len(self.amendments), "reason": lease.code}

    def _end(self, lease: Granted, body: Any, _rest: list[str]) -> Reply:
        lease.ends.append(body)
        if lease.state == "granted":
            lease.state, lease.code = "ended", "lease-ended"
        return 204, None

    def _consumption(self, lease: Granted, body: Any, _rest: list[str]) -> Reply:
        rows = [pq.read_metadata(path).num_rows for path in self.paths]
        ranges = body["ranges"]
        fits = ranges == sorted(ranges) and all(0 <= first < end <= rows[file] for file, first, end in ranges)
        if not fits or not 0 <= body["from_step"] <= body["to_step"]:
            return 422, problem("lease-ranges")
        known = lease.consumed.setdefault((body["from_step"], body["to_step"]), body)
        return (204, None) if known == body else (409, problem("consumption-differs"))

    def _model_checkpoints(self, lease: Granted, body: Any, _rest: list[str]) -> Reply:
        refused = self._alive(lease)
        if refused or body.get("quarantined"):
            said = {name: value for name, value in body.items() if name != "quarantined"}
            self.quarantined += [said] if said not in self.quarantined else []
            return (201, {"position": self.position}) if body.get("quarantined") else refused or (500, None)
        self.checkpoints.append(body)
        self.position += 1
        return 201, {"position": self.position}

    def _files(self, _lease: Granted, _body: Any, rest: list[str]) -> Reply:
        file = int(rest[0])
        if self.broken:
            return 500, problem(self.broken)
        parts = [self.excluded] if rest[1] == "exclusions" else self.amendments[: int(rest[2])]
        rows = BitMap64(sorted({row for part in parts for row in part.get(file, [])}))
        return 200, rows.serialize() if rows else b""


def problem(code: str) -> dict[str, Any]:
    return {"type": "about:blank", "status": 409, "title": f"because of {code}", "detail": "stop", "code": code}


def handler(plane: SmallPlane) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")
            bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            plane.asked.append((parts.path, body or {}))
            if plane.silent.is_set():
                time.sleep(0.2)
                return
            time.sleep(plane.slow.get(parts.path.rpartition("/")[2], 0))
            status, content = plane.answer(parts.path, parse_qs(parts.query), body, bearer)
            if plane.lost and parts.path.endswith(plane.lost[0]):
                plane.lost.pop(0)
                return
            sent = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _any  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Clients go away in the middle; that is what is tested."""


@contextmanager
def serving(plane: SmallPlane, port: int = 0) -> Iterator[str]:
    with Server(("127.0.0.1", port), handler(plane)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


if __name__ == "__main__":
    with serving(SmallPlane([Path(name) for name in sys.argv[1:]])) as address:
        sys.stdout.write(address + "\n")
        sys.stdout.flush()
        threading.Event().wait()
