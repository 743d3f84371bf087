"""Ten thousand objections in a surge, with duplicates and spam: is one lost or refused, and does memory grow?

    ./run bench objections [--number 10000] [--seconds 60] [--senders 32] [--store postgres] [--full]

The server is `consentry serve` in a process of its own; the form is sent over HTTP at a bounded rate. A third of what
is sent is distinct, a third is one of twenty texts that many people copy, a third is spam as long as the form takes.
Every tenth is sent twice at once, as a double click does. In the end the server is killed, and everything that it
acknowledged has to be in the ledger, word for word. `--full` sends them within ten minutes.
"""

from __future__ import annotations

import argparse
import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from parts.measuring import Line, seconds_of, share, show
from parts.server import Server
from parts.stores import STORES, fresh_home, server_of
from rich.console import Console

from consentry.bootstrap import open_deployment
from consentry.control_plane.objections import objection_of
from consentry.oversight.objection import ObjectionState
from consentry.oversight.objection_form import ANSWER_TO, FIND, REASON

LOG = Console(stderr=True)
SEED = 7
COPIED = 20
EVERY_TWICE = 10
FULL_S = 600
WARM = 500
READ_BACK = 500
FLAT_BYTES = 64 << 20
"""A folded objection, its id and its state take some 700 bytes, and allocators keep what threads once needed."""
HEADERS = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html", "sec-fetch-site": "same-origin"}


def written(number: int) -> dict[str, str]:
    """Return what the sender of a number writes: something of their own, something copied, or spam."""
    kind = number % 3
    if kind == 0:
        return {FIND.name: f"https://network.example/posts/{number}", ANSWER_TO.name: f"person-{number}@example.org"}
    if kind == 1:
        text = f"I object. Text {number // 3 % COPIED} of those that are passed on."
        return {FIND.name: text, ANSWER_TO.name: "see my profile", REASON.name: "It is my right."}
    word = random.Random(number).choice(("win ", "<script>", "☃ ", "buy now! "))  # noqa: S311 - not a secret
    return {each.name: (word * each.most)[: each.most].strip() for each in (FIND, ANSWER_TO, REASON)}


@dataclass
class Sent:
    """What came of sending."""

    links: dict[str, int] = field(default_factory=dict)
    """The number of the sender, by the link of the objection."""
    refused: list[int] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    seconds: float = 0.0
    asked: int = 0


class Surge:
    """Senders that share a list of numbers, and a clock that says when each is due."""

    def __init__(self, url: str, *, rate: float, senders: int) -> None:
        self._host = urlsplit(url).netloc
        self._rate = rate
        self._senders = senders
        self._lock = threading.Lock()

    def send(self, numbers: list[int], sent: Sent) -> None:
        """Send all of them, each when it is due."""
        left, begun = iter(enumerate(numbers)), time.perf_counter()

        def work() -> None:
            connection = http.client.HTTPConnection(self._host, timeout=120)
            while True:
                with self._lock:
                    at, number = next(left, (0, -1))
                if number < 0:
                    break
                time.sleep(max(0.0, begun + at / self._rate - time.perf_counter()))
                self._one(connection, number, sent)
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(self._senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sent.seconds += time.perf_counter() - begun

    def _one(self, connection: http.client.HTTPConnection, number: int, sent: Sent) -> None:
        body, begun = urlencode(written(number)), time.perf_counter()
        try:
            connection.request("POST", "/object", body, HEADERS)
            answer = connection.getresponse()
            answer.read()
            status, location = answer.status, answer.headers.get("location", "")
        except (OSError, http.client.HTTPException):
            connection.close()
            status, location = 0, ""
        took = time.perf_counter() - begun
        with self._lock:
            sent.asked += 1
            sent.took.append(took)
            if status == http.client.SEE_OTHER and location:
                sent.links[urlsplit(location).path.rsplit("/", 1)[1]] = number
            else:
                sent.refused.append(status)


def surge(server: Server, *, number: int, seconds: float, senders: int) -> Sent:
    """Send everything while the memory of the server is watched."""
    url = server.ask["url"]
    Surge(url, rate=1e9, senders=senders).send(list(range(WARM)), warm := Sent())
    numbers = list(range(WARM, WARM + number))
    twice = [each for number in numbers for each in ([number, number] if number % EVERY_TWICE == 0 else [number])]
    twice = twice[:number]
    sent, over = Sent(links=dict(warm.links), refused=list(warm.refused)), threading.Event()

    def watch() -> None:
        while not over.wait(max(0.2, seconds / 100)):
            sent.held.append(server.held_bytes())

    sent.held.append(server.held_bytes())
    watching = threading.Thread(target=watch)
    watching.start()
    Surge(url, rate=number / seconds, senders=senders).send(twice, sent)
    over.set()
    watching.join()
    sent.held.append(server.held_bytes())
    return sent


def kept(home: Path, sent: Sent) -> list[Line]:
    """Look at what is in the ledger after the server was killed."""
    deployment = open_deployment(home)
    queue = deployment.control.objection_queue
    found = {each.objection for each in queue.select(frozenset(ObjectionState))}
    lost = [link for link in sent.links if objection_of(link) not in found]
    some = random.Random(SEED).sample(sorted(sent.links), min(READ_BACK, len(sent.links)))  # noqa: S311
    changed = sum(
        dict(deployment.control.objections.follow(link).course[0].words) != written(sent.links[link])
        for link in some
        if link not in lost
    )
    page, words = (seconds_of(each, times=3).median for each in (queue.list, lambda: queue.list(text="passed on")))
    deployment.close()
    return [
        Line("acknowledged, and not in the ledger", str(len(lost)), f"{len(found):,} are", "0", not lost),
        Line("not word for word", str(changed), f"of {len(some)} read back", "0", not changed),
        Line("a page of the queue", f"{page * 1e3:,.0f} ms", f"{len(found):,} objections", "< 250 ms", page < 0.25),
        Line("a page of those that hold some words", f"{words:,.2f} s", "every one is opened"),
    ]


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--senders", type=int, default=32)
    parser.add_argument("--full", action="store_true", help="within ten minutes")
    parser.add_argument("--store", choices=STORES, default="sqlite")
    asked = parser.parse_args()
    seconds = FULL_S if asked.full else asked.seconds
    with server_of(asked.store) as database, fresh_home(database) as folder:
        home = folder / "home"
        open_deployment(home).close()
        server = Server(home)
        server.start()
        LOG.print(f"sending {asked.number:,} objections within {seconds:,.0f} s ...")
        sent = surge(server, number=asked.number, seconds=seconds, senders=asked.senders)
        server.kill()
        lines = kept(home, sent)
    grown, half = sent.held[-1] - sent.held[0], len(sent.held) // 2
    later = sent.held[-1] - sent.held[half]
    show(
        f"A surge of objections, ledger in {asked.store}",
        [
            Line("sent", f"{sent.asked:,}", f"{sent.asked / sent.seconds:,.0f}/s, of which 1 of 3 is distinct"),
            Line("refused, or without an answer", str(len(sent.refused)), "", "0", not sent.refused),
            Line("acknowledged, p50", f"{share(sent.took, 0.5) * 1e3:,.0f} ms"),
            Line("acknowledged, p99", f"{share(sent.took, 0.99) * 1e3:,.0f} ms"),
            *lines,
            Line("memory of the server before", f"{sent.held[0] / 1e6:,.0f} MB", f"after {WARM} of them"),
            Line("growth", f"{grown / 1e6:,.0f} MB", f"{grown / max(1, sent.asked):,.0f} bytes each", "", None),
            Line("growth in the second half", f"{later / 1e6:,.0f} MB", "", "< 64 MB in all", grown < FLAT_BYTES),
        ],
    )


if __name__ == "__main__":
    main()
