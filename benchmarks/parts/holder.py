"""Simulated holders of leases: the client's side of the protocol, many in one process, by the standard library alone.

    python holder.py '{"url": ..., "token": ..., ...}'

Says `ready` once every holder has its lease and has begun; obeys `cut` (no answer arrives any more) and `finish` on its
standard input; then prints what became of each. Times are of the boot clock, which all processes of a machine share.

A step is taken whenever a decision point allows it. What is noted as its time is read before the decision.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TERMINAL = {
    "lease-revoked",
    "lease-expired",
    "lease-ended",
    "lease-withdrawn",
    "lease-unamended",
    "lease-not-yours",
    "lease-unknown",
}


def clock() -> float:
    """Return the boot clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass
class Trouble:
    """What is wrong with the network of a holder."""

    cut: bool = False
    lossy: bool = False
    rng: random.Random = field(default_factory=random.Random)
    replayed: int = 0
    late: int = 0
    lost: int = 0


class Link:
    """A connection that is made again when it breaks. One request at a time."""

    def __init__(self, url: str, trouble: Trouble) -> None:
        parts = urlsplit(url)
        self._place = parts.hostname, parts.port
        self._trouble = trouble
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._before: dict[str, tuple[int, Any]] = {}

    async def ask(self, method: str, path: str, body: Any = None, *, token: str, limit: float) -> tuple[int, Any]:
        """Return status and body of the answer; OSError or TimeoutError if none comes."""
        try:
            async with asyncio.timeout(limit):
                while self._trouble.cut:
                    await asyncio.sleep(limit)
                found = await self._once(method, path, body, token)
                while self._trouble.cut:
                    await asyncio.sleep(limit)
                return await self._mistreated(path, found) if self._trouble.lossy else found
        except BaseException:
            self.close()
            raise

    async def _mistreated(self, path: str, found: tuple[int, Any]) -> tuple[int, Any]:
        chance, trouble = self._trouble.rng.random(), self._trouble
        before, self._before[path] = self._before.get(path), found
        if chance < 0.15:
            trouble.lost += 1
            raise OSError("lost")
        if chance < 0.30:
            trouble.late += 1
            await asyncio.sleep(trouble.rng.random() * 1.5)
        elif chance < 0.45 and before is not None:
            trouble.replayed += 1
            return before
        return found

    async def _once(self, method: str, path: str, body: Any, token: str) -> tuple[int, Any]:
        if self._stream is None:
            self._stream = await asyncio.open_connection(*self._place)
        reader, writer = self._stream
        content = b"" if body is None else json.dumps(body).encode()
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        length = next((int(line.split(":")[1]) for line in head if line.lower().startswith("content-length")), 0)
        answer = await reader.readexactly(length)
        return int(head[0].split()[1]), json.loads(answer) if answer else None

    def close(self) -> None:
        """Let go of the connection."""
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None


class Holder:
    """A job with a lease."""

    def __init__(self, number: int, ask: dict[str, Any]) -> None:
        self.ask = ask
        self.rng = random.Random(f"{ask['seed']}-{number}")  # noqa: S311 - of a simulation
        self.trouble = Trouble(rng=self.rng)
        self.job = f"job-{number}"
        self.links = Link(ask["url"], self.trouble), Link(ask["url"], self.trouble)
        self.deadline = 0.0
        self.over: str | None = None
        self.over_at: float | None = None
        self.last_step: float | None = None
        self.steps = self.sequence = self.renewals = 0
        self.granted = asyncio.Event()

    async def begin(self) -> None:
        """Get a lease."""
        nonce = f"{self.rng.getrandbits(64):x}"
        asked = {key: self.ask[key] for key in ("release", "model", "ttl_s")}
        sent = clock()
        status, body = await self.links[0].ask(
            "POST", "/v1/leases", {**asked, "job": self.job, "nonce": nonce}, token=self.ask["token"], limit=300
        )
        if status != 201 or body["nonce"] != nonce:
            raise RuntimeError(f"no lease: {status} {body}")
        self.path = f"/v1/leases/{body['lease']}"
        self.secret, self.fence, self.ttl = body["secret"], body["fence"], body["ttl_s"]
        self._extend(sent)

    def _extend(self, sent: float) -> None:
        self.deadline = max(self.deadline, sent + self.ttl - max(0.01 * self.ttl, 0.05))

    def end(self, why: str) -> None:
        """Be over, for ever."""
        if self.over is None:
            self.over, self.over_at = why, clock()

    def step(self) -> None:
        """Take a step if this decision point allows one."""
        now = clock()
        if self.ask["deadlines"] and now >= self.deadline:
            self.end("deadline")
        if self.over is None:
            self.last_step, self.steps = now, self.steps + 1

    async def train(self) -> None:
        """Take steps until over."""
        while self.over is None:
            self.step()
            await asyncio.sleep(self.ask["step_s"])

    async def renew(self) -> None:
        """Renew at a third of the time to live, with jitter, and sooner after trouble."""
        pause = self.ttl / 3
        while self.over is None:
            await asyncio.sleep(pause * (0.9 + 0.2 * self.rng.random()))
            self.sequence += 1
            nonce, sent = f"{self.rng.getrandbits(64):x}", clock()
            body = {"job": self.job, "fence": self.fence, "sequence": self.sequence, "nonce": nonce, "step": self.steps}
            pause = self.ttl / 3
            try:
                status, answer = await self.links[0].ask(
                    "POST", f"{self.path}/renewal", body, token=self.secret, limit=self.ttl / 2
                )
            except (OSError, TimeoutError, ValueError, EOFError, asyncio.IncompleteReadError):
                pause = self.ttl / 20
                continue
            if 400 <= status < 500 and answer["code"] in TERMINAL:
                self.end(answer["code"])
            elif status == 200 and (answer["nonce"], answer["sequence"], answer["fence"]) == (
                nonce,
                self.sequence,
                self.fence,
            ):
                self._extend(sent)
                self.renewals += 1

    async def watch(self) -> None:
        """Wait for news."""
        while self.over is None and self.ask["watching"]:
            wait = self.ttl / 3
            try:
                status, answer = await self.links[1].ask(
                    "GET", f"{self.path}/watch?wait={wait:.3f}&amendment=0", token=self.secret, limit=wait + 5
                )
            except (OSError, TimeoutError, ValueError, EOFError, asyncio.IncompleteReadError):
                await asyncio.sleep(self.ttl / 10)
                continue
            if status == 200 and answer["state"] != "granted":
                self.end(answer["state"])

    async def stop(self) -> None:
        """Say that the job stopped, if anybody hears it."""
        for link in self.links:
            link.close()
        if not self.trouble.cut:
            try:
                await self.links[0].ask(
                    "POST", f"{self.path}/end", {"how": "stopped", "step": self.steps}, token=self.secret, limit=5
                )
            except (OSError, TimeoutError, ValueError, EOFError, asyncio.IncompleteReadError):
                return

    async def live(self) -> None:
        """Get a lease and train under it until it is over."""
        try:
            await self.begin()
        except (OSError, TimeoutError, ValueError, EOFError, RuntimeError, asyncio.IncompleteReadError) as error:
            self.end(f"never granted: {error!r}")
        self.granted.set()
        if self.over is not None:
            return
        tasks = [asyncio.create_task(each()) for each in (self.renew, self.watch)]
        await self.train()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.stop()

    def told(self) -> dict[str, Any]:
        """Return what became of it."""
        troubles = {key: getattr(self.trouble, key) for key in ("lost", "late", "replayed")}
        return {
            "over": self.over,
            "over_at": self.over_at,
            "last_step": self.last_step,
            "steps": self.steps,
            "renewals": self.renewals,
            **troubles,
        }


async def main(ask: dict[str, Any]) -> None:
    """Hold leases."""
    holders = [Holder(number, ask) for number in range(ask["holders"])]
    lives = []
    for start in range(0, len(holders), ask["together"]):
        # A time to live counts from before the request was sent: whoever waits in a long line loses it there.
        some = holders[start : start + ask["together"]]
        lives += [asyncio.create_task(holder.live()) for holder in some]
        await asyncio.gather(*(holder.granted.wait() for holder in some))
    for holder in holders:
        holder.trouble.lossy = ask["lossy"]
    _say("ready")
    loop = asyncio.get_running_loop()
    # Whoever started this process may be gone: then there are no more lines.
    while (line := await loop.run_in_executor(None, sys.stdin.readline)).strip() not in ("finish", ""):
        for holder in holders:
            holder.trouble.cut = line.strip() == "cut"
    for holder in holders:
        holder.trouble.lossy = False
        holder.end("finished")
    await asyncio.wait(lives, timeout=20)
    _say(json.dumps([holder.told() for holder in holders]))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
