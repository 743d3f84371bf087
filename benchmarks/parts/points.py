"""Decision points beside the holders of leases, in a process of its own: each asks on and on, until it is told no.

    python -P points.py '{"home": ..., "url": ..., "token": ..., "key": ..., "corpus": ..., "policy": ..., ...}'

* `may`: a snapshot in memory, that is taken anew ten times a second, about somebody who lives where the order is for;
* `interface`: the same question to the server, over HTTP;
* `grant`: a lease on the release that is suspended; one that is granted is given back at once;
* `build`: a release that holds something of what is suspended;
* `gate`: may the model that was trained on it be served? It asks at a third of what its answer is good for.

Says `ready` once each was told yes. On `finish` it prints when each was told no, of the boot clock, or null.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pyarrow as pa
import pyarrow.parquet as pq

from consentry.bootstrap import Deployment, open_deployment
from consentry.client.api import Consentry
from consentry.corpus.population import read_people_descriptor
from consentry.corpus.pseudonym import halves
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release.snapshot import Snapshot
from consentry.training.boot_clock import boot_seconds
from consentry.training.serving import ServingGate

PURPOSE, CATEGORY = Purpose.TRAIN_GENAI, Category.POST
PAUSES = {"may": 0.1, "interface": 0.05, "grant": 0.1, "build": 1.0, "gate": 0.02}
"""Seconds between two questions."""
_CANDIDATES = 200_000


class Points:
    """The process with the decision points, which were all told yes."""

    def __init__(self, home: Path, **ask: Any) -> None:
        line = [sys.executable, "-P", __file__, json.dumps({"home": str(home), **ask})]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise SystemExit("some decision point said no before anything was suspended")

    def finish(self, *, wait_s: float) -> dict[str, float | None]:
        """Return when each was told no; wait so long for the last."""
        out, _ = self._process.communicate(f"{wait_s}\n")
        found: dict[str, float | None] = json.loads(out)
        return found


class Asked(threading.Thread):
    """A decision point. `denied` is when it was told no."""

    def __init__(self, name: str, ask: Callable[[], bool], *, pause_s: float) -> None:
        super().__init__(name=name, daemon=True)
        self._ask, self._pause_s = ask, pause_s
        self.agreed = threading.Event()
        self.denied: float | None = None

    def run(self) -> None:
        """Ask until told no. What fails was told nothing: the process ends, and says why."""
        try:
            while self._ask():
                self.agreed.set()
                time.sleep(self._pause_s)
            self.denied = boot_seconds()
            self.agreed.set()
        except BaseException:
            traceback.print_exc()
            os._exit(1)


def somebody(snapshot: Snapshot, ids: Iterable[Any], *, area: str) -> str:
    """Return the id of somebody who lives in an area and whose posts may be used."""
    for each in ids:
        seat = snapshot.index.seat_of(*halves(snapshot.key, each))
        facts = snapshot.classes.members[int(snapshot.classes.codes[seat])] if seat > 0 else None
        if facts is not None and area in facts.places and snapshot.may(each, **_USE).allowed:
            return str(each)
    raise SystemExit(f"nobody in {area} whose posts may be used")


_USE: dict[str, Any] = {"purpose": PURPOSE, "category": CATEGORY, "visibility": Visibility.PUBLIC}


def in_memory(deployment: Deployment, given: dict[str, Any]) -> tuple[str, Callable[[], bool]]:
    """Return somebody to ask about, and the question to a snapshot that is taken anew each time."""
    people = Path(given["people"])
    descriptor = read_people_descriptor(people)
    table = pq.read_table(people.parent / descriptor.files[0], columns=[descriptor.columns["person"]])
    ids = table.column(0).slice(0, _CANDIDATES).cast(pa.string()).to_pylist()
    kept = [deployment.control.people.snapshot(given["policy"], [PURPOSE])]
    person = somebody(kept[0], ids, area=given["area"])

    def ask() -> bool:
        kept[0] = deployment.control.people.snapshot(given["policy"], [PURPOSE], like=kept[0])
        return kept[0].may(person, **_USE).allowed

    return person, ask


def granting(given: dict[str, Any]) -> Callable[[], bool]:
    """Return the question for a lease."""
    asked = {"release": given["release"], "model": given["model"], "ttl_s": 60, "job": "asks", "nonce": "0"}

    def post(path: str, body: dict[str, Any], secret: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
        with urlopen(Request(given["url"] + path, json.dumps(body).encode(), headers)) as answer:  # noqa: S310 - ours
            found: dict[str, Any] = json.loads(answer.read() or b"{}")
            return found

    def ask() -> bool:
        try:
            lease = post("/v1/leases", asked, given["token"])
        except HTTPError:
            return False
        post(f"/v1/leases/{lease['lease']}/end", {"how": "released", "step": 0}, lease["secret"])
        return True

    return ask


def building(deployment: Deployment, given: dict[str, Any]) -> Callable[[], bool]:
    """Return the question for a release that holds what is suspended."""

    def ask() -> bool:
        made = deployment.control.releases.build(given["corpus"], PURPOSE, policy=given["policy"]).manifest
        return bool(made.counts["by_place"].get(given["area"], {}).get("eligible", 0))

    return ask


def main(given: dict[str, Any]) -> None:
    """Be the process."""
    deployment, own = open_deployment(Path(given["home"])), open_deployment(Path(given["home"]))
    person, in_snapshot = in_memory(deployment, given)
    gate = ServingGate(given["model"], url=given["url"], token=given["token"]).start(wait_s=30)
    with Consentry(given["url"], key=given["key"]) as consentry:
        asks: dict[str, Callable[[], bool]] = {
            "may": in_snapshot,
            "interface": lambda: consentry.may(
                person, purpose=PURPOSE, category=CATEGORY, visibility=Visibility.PUBLIC, policy=given["policy"]
            ),
            "grant": granting(given),
            "build": building(own, given),
            "gate": lambda: gate.verdict().may,
        }
        points = [Asked(name, asks[name], pause_s=PAUSES[name]) for name in given["points"]]
        for each in points:
            each.start()
        for each in points:
            each.agreed.wait()
        sys.stdout.write("ready\n" if all(each.denied is None for each in points) else "denied\n")
        sys.stdout.flush()
        until = time.monotonic() + float(sys.stdin.readline() or 0)
        for each in points:
            each.join(max(0.0, until - time.monotonic()))
        sys.stdout.write(json.dumps({each.name: each.denied for each in points}) + "\n")
    sys.stdout.flush()
    gate.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
