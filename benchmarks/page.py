"""The page where a person decides, with everybody and everything in the deployment: first byte, and weight.

    ./run bench page [--scale 0.02] [--people-asked 40] [--data DIR] [--store postgres]

The deployment is that of `./run bench release`, with its corpus and a release. The page is asked for over HTTP, by
people drawn at random and by the one who wrote most; each comes in by a link that the platform signed. The first comes
when the server calls itself ready (`/readyz`). Weight is what a browser loads: the page, and the style and script it
names.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow.parquet as pq
from parts.deployment import AT, CORPUS, POLICY_NAME, PURPOSE, load, prepare
from parts.measuring import Line, share, show
from parts.server import Server
from parts.stores import STORES, fresh_home, server_of
from rich.console import Console

from consentry.accounts.member_link import LinkKeys, claims_for
from consentry.bootstrap import open_deployment
from corpus import Shape, arguments, ensure

_LOADED = re.compile(rb'(?:href|src)="(/static/[^"]+)"')
_PAGES = ("/me", "/me/items", "/me/uses", "/me/history")


@dataclass
class Browser:
    """Keeps one connection and one cookie."""

    connection: http.client.HTTPConnection
    cookie: str = ""

    def get(self, path: str) -> tuple[float, bytes, http.client.HTTPResponse]:
        """Return the seconds to the first byte, the content, and the answer."""
        began = time.perf_counter()
        headers = {"Accept": "text/html", "Sec-Fetch-Site": "none"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        first = time.perf_counter() - began
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                self.cookie = "; ".join(filter(None, [self.cookie, value.partition(";")[0]]))
        return first, answer.read(), answer


def looks(home: Path, server: Server, people: list[str]) -> Iterator[tuple[str, float, int]]:
    """Yield page, seconds and bytes of every look."""
    parts = urlsplit(server.ask["url"])
    deployment = open_deployment(home)
    keys, audience, clock = LinkKeys(home / "keys"), deployment.settings.audience, deployment.control.desk.parts.clock
    deployment.close()
    for person in people:
        browser = Browser(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60))
        token = keys.signed(claims_for(person, audience=audience, now=clock(), facts={}))
        _, _, answer = browser.get(f"/me/enter?token={token}")
        assert answer.status < 400, answer.status
        for page in _PAGES:
            for again in ("", ", again"):
                first, content, answer = browser.get(page)
                assert answer.status == 200, (page, answer.status)
                loaded = {found.decode() for found in _LOADED.findall(content)}
                yield page + again, first, len(content) + sum(len(browser.get(each)[1]) for each in loaded)
        browser.connection.close()


def asked(folder: Path, *, count: int, seed: int) -> list[str]:
    """Return who asks: the one who wrote most, then others at random."""
    known = pq.read_table(folder / "people.parquet", columns=["id"]).column("id")
    drawn = np.random.default_rng(seed).integers(0, len(known), count - 1).tolist()
    file = next(iter(sorted((folder / "items").glob("*.parquet"))))
    counted = pq.read_table(file, columns=["author_id"]).column("author_id").value_counts()
    most = max(zip(counted.field("counts").to_pylist(), counted.field("values").to_pylist(), strict=True))[1]
    return [str(most), *(str(known[each]) for each in drawn)]


def main() -> None:
    """Measure everything and print it."""
    parser = arguments(__doc__)
    parser.add_argument("--people-asked", type=int, default=40)
    parser.add_argument("--store", choices=STORES, default="sqlite")
    chosen = parser.parse_args()
    shape = Shape(seed=chosen.seed).scaled(chosen.scale)
    folder = ensure(chosen.data, shape)
    people = asked(folder, count=chosen.people_asked, seed=chosen.seed)
    with server_of(chosen.store) as database, fresh_home(database) as place:
        home = place / "home"
        if database is None:
            prepare(folder, threads=2, log=Console(stderr=True), home=home)
        else:
            load(folder, home)
            (home / "consentry.toml").write_text("threads = 2\n")
        found, held, ready_s = measured(folder, home, people)
    title = f"{shape.people:,} people, {shape.items:,} items; {len(people)} of them look, ledger in {chosen.store}"
    show(title, [Line("from the start of the server until it is ready", f"{ready_s:.1f} s"), *_lines(found, held)])


def measured(folder: Path, home: Path, people: list[str]) -> tuple[list[tuple[str, float, int]], int, float]:
    """Build a release, serve it, and return what each look took, what the server holds then, and when it was ready."""
    deployment = open_deployment(home)
    deployment.control.statements.register_corpus(folder / "corpus.toml")
    deployment.control.releases.build(CORPUS, PURPOSE, policy=POLICY_NAME, at=AT)
    deployment.close()
    server = Server(home)
    began = time.perf_counter()
    server.start()
    try:
        server.wait_until_ready()
        ready_s = time.perf_counter() - began
        return list(looks(home, server, people)), server.held_bytes(), ready_s
    finally:
        server.kill()


def _lines(found: list[tuple[str, float, int]], held: int) -> Iterator[Line]:
    first = found[0][1]
    yield Line("/me, first of the server, by who wrote most", f"{first * 1e3:.0f} ms", "", "< 1 s", first < 1)
    for page in dict.fromkeys(each for each, _, _ in found):
        times = [seconds for each, seconds, _ in found[1:] if each == page]
        middle, late = share(times, 0.5), share(times, 0.95)
        value = f"{middle * 1e3:.0f} ms, p95 {late * 1e3:.0f} ms, worst {max(times) * 1e3:.0f} ms"
        yield Line(f"{page}: first byte", value, "", "p95 < 100 ms", late < 0.1)
    heaviest = max(size for page, _, size in found if page.startswith("/me"))
    yield Line("heaviest page, with style and script", f"{heaviest / 1e3:.0f} kB", "", "< 100 kB", heaviest < 100_000)
    yield Line("memory of the server", f"{held / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
