"""The interface over HTTP: decisions one by one and in batches, and acknowledged choices.

    ./run bench web [--seconds 5] [--people 2000] [--senders 128] [--store postgres]

A real server (`consentry serve`, every commit flushed) as a process of its own; the load comes from
this process, over connections that stay open, with a plain socket client that costs little. What is sent at a rate is
timed from when it was due, so that a server that falls behind is seen (no coordinated omission).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from parts.measuring import Line, show
from parts.server import Server
from parts.stores import STORES, fresh_home, server_of

from consentry.accounts.access import Role
from consentry.bootstrap import open_deployment
from consentry.policy.library import shipped

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from end_to_end.network import RawPerson, write_people

_CONNECTIONS = 32


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--senders", type=int, default=128, help="connections of those who send one choice a request")
    parser.add_argument("--store", choices=STORES, default="sqlite")
    chosen = parser.parse_args()
    with server_of(chosen.store) as database, fresh_home(database) as folder:
        deployment = open_deployment(folder / "home")
        people = [RawPerson(id=f"p{number}") for number in range(chosen.people)]
        deployment.control.statements.load_people(write_people(folder / "people", people))
        deployment.control.statements.publish(shipped()["august-2024"], "policy")
        with deployment.admission() as admission:
            _, key = admission.add_key("platform", roles=frozenset({Role.PLATFORM}), by="benchmark")
        deployment.close()
        server = Server(folder / "home")
        server.start()
        try:
            lines = asyncio.run(_measure(server.ask["url"], key, chosen.seconds, chosen.people, chosen.senders))
        finally:
            server.kill()
    show(f"{chosen.people:,} people, {chosen.seconds:g} s each, ledger in {chosen.store}", lines)


async def _measure(url: str, token: str, seconds: float, people: int, senders: int) -> list[Line]:
    host, port = url.removeprefix("http://").split(":")
    load = _Load(host, int(port), token)

    def decision(number: int) -> tuple[str, bytes]:
        return "/access/v1/evaluation", _asked(f"p{number % people}")

    def choice(number: int) -> tuple[str, bytes]:
        said = {"person": f"p{number % people}", "purpose": "train-ai", "state": "refused"}
        return "/v1/choices", json.dumps({"choices": [said]}).encode()

    def choices(number: int) -> tuple[str, bytes]:
        said = [{"person": f"p{(number + each) % people}", "purpose": "train-ai", "state": "refused"}
                for each in range(100)]  # fmt: skip
        return "/v1/choices", json.dumps({"choices": said}).encode()

    def batch(_: int) -> tuple[str, bytes]:
        return "/access/v1/evaluations", _many(people)

    await load.run(decision, seconds=0.5)
    found = []
    at_rate = await load.run(decision, seconds=seconds, rate=1000)
    found.append(_timed("a decision, 1,000/s", at_rate, p99=0.010))
    full = await load.run(decision, seconds=seconds)
    found.append(_rated("decisions, full load", len(full) / seconds, 3000))
    whole = await load.run(batch, seconds=seconds, connections=1)
    middle = _at(whole, 0.5)
    found.append(Line("a batch of 1,000", f"{middle * 1e3:.1f} ms", "", "< 20 ms", middle < 0.020))
    chosen = await load.run(choice, seconds=seconds, rate=200)
    found.append(_timed("an acknowledged choice, 200/s", chosen, p99=0.300, p50=0.060))
    single = await load.run(choice, seconds=seconds, connections=senders)
    found.append(_rated("choices, one a request", len(single) / seconds, 2000))
    many = await load.run(choices, seconds=seconds, connections=8)
    found.append(_rated("choices, a hundred a request", 100 * len(many) / seconds, 2000))
    return found


class _Load:
    """Sends requests over connections that stay open, and measures each."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self.host, self.port = host, port
        self.head = (
            f" HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()

    async def run(
        self,
        made: Callable[[int], tuple[str, bytes]],
        *,
        seconds: float,
        rate: float = 0,
        connections: int = _CONNECTIONS,
    ) -> list[float]:
        """Return seconds from when each request was due (or sent, without a rate) to its answer."""
        found: list[float] = []
        begin = time.perf_counter()
        number = 0

        async def one() -> None:
            nonlocal number
            reader, writer = await asyncio.open_connection(self.host, self.port)
            while True:
                mine, number = number, number + 1
                due = begin + mine / rate if rate else time.perf_counter()
                if due - begin >= seconds:
                    break
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                path, content = made(mine)
                writer.write(b"POST " + path.encode() + self.head + str(len(content)).encode() + b"\r\n\r\n" + content)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                assert head[9:11] == b"20", head
                found.append(time.perf_counter() - due)
            writer.close()

        await asyncio.gather(*(one() for _ in range(connections)))
        return found


def _asked(person: str) -> bytes:
    return json.dumps({"subject": {"type": "person", "id": person}, **_USE}).encode()


def _many(people: int) -> bytes:
    each = [{"subject": {"type": "person", "id": f"p{number % people}"}} for number in range(1000)]
    return json.dumps({**_USE, "evaluations": each}).encode()


_USE = {
    "action": {"name": "train-genai"},
    "resource": {"type": "content", "id": "new", "properties": {"category": "post", "visibility": "public"}},
}


def _at(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def _timed(what: str, times: list[float], *, p99: float, p50: float = 0) -> Line:
    middle, late = _at(times, 0.5), _at(times, 0.99)
    goal = (f"p50 < {p50 * 1e3:.0f} ms, " if p50 else "") + f"p99 < {p99 * 1e3:.0f} ms"
    good = late < p99 and (not p50 or middle < p50)
    return Line(what, f"p50 {middle * 1e3:.1f} ms, p99 {late * 1e3:.1f} ms", "", goal, good)


def _rated(what: str, rate: float, goal: float) -> Line:
    return Line(what, f"{rate:,.0f}/s", "", f">= {goal:,.0f}/s", rate >= goal)


if __name__ == "__main__":
    main()
