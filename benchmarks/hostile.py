"""Twenty thousand requests that nobody honest sends: does one break the server, and does it grow?

    ./run bench hostile [--number 20000] [--store postgres]

They go to every address that takes a body, of the interface and of all pages, each with what lets it in: JSON with
keys twice, NaN, depth and bad UTF-8; forms and multipart bodies that are broken; bodies that are too large, of another
type or of another length than they say; heads that are too long. Fifty slow clients hold connections meanwhile. The
server is `consentry serve` in a process of its own, and its memory is looked at from outside.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from parts.measuring import Line, show
from parts.stores import STORES, fresh_home, server_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from service import hostile

WARM = 2_000


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=20_000)
    parser.add_argument("--store", choices=STORES, default="sqlite")
    asked = parser.parse_args()
    number = asked.number
    with server_of(asked.store) as database, fresh_home(database) as folder, hostile.place(folder) as there:
        hostile.attack(there, WARM, seed=1)
        memory, files = [there.held_bytes()], there.open_files()
        began, found = time.perf_counter(), hostile.Found()
        for half in range(2):
            more = hostile.attack(there, number // 2, seed=7 + half)
            found.statuses.update(more.statuses)
            found.broken.update(more.broken)
            memory.append(there.held_bytes())
        took = time.perf_counter() - began
        opened = there.open_files() - files
        alive = there.process.ask("GET", "/healthz").status == 200
    sent, statuses = sum(found.statuses.values()), found.statuses
    refused = sum(count for status, count in statuses.items() if 400 <= status < 500)
    done = sum(count for status, count in statuses.items() if 200 <= status < 400)
    grown, later = memory[-1] - memory[0], memory[-1] - memory[1]
    named = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()) if status)
    show(
        f"Hostile requests, ledger in {asked.store}",
        [
            Line("sent", f"{sent:,}", f"{sent / took:,.0f}/s, to {len(hostile.targets())} addresses"),
            Line("answered with 5xx", str(sum(found.broken.values())), "", "0", not found.broken),
            Line("refused", f"{refused:,}", named),
            Line("done or led on: not wrong where they came", f"{done:,}"),
            Line("closed without a word", f"{statuses[0]:,}", "while they still sent"),
            Line("memory of the server before", f"{memory[0] / 1e6:,.0f} MB", f"after {WARM:,} of them"),
            Line("growth", f"{grown / 1e6:,.1f} MB", "", "< 42 MB", grown < hostile.KEEP_BYTES),
            Line("growth in the second half", f"{later / 1e6:,.1f} MB"),
            Line("files and connections more than before", str(opened), "", "< 100", opened < hostile.KEEP_FILES),
            Line("answers afterwards", "yes" if alive else "no", "", "yes", alive),
        ],
    )
    for what, count in found.broken.most_common(20):
        print(f"{count:6} {what}")  # noqa: T201 - what to mend


if __name__ == "__main__":
    main()
