"""How often passwords may be tried: so often for a name within a while, right or wrong.

A browser that signed in under a name before shows a mark of it, which only this server can make, and has a count of its
own: whoever tries passwords for that name from elsewhere keeps strange browsers out, and not that one.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b
from threading import Lock

MOST, WITHIN_S = 10, 300
_MOST_NAMES = 10_000


class Tries:
    """Counts tries by name and browser. Any number of threads may."""

    def __init__(self) -> None:
        self._tried: dict[tuple[str, str], list[int]] = {}
        self._trying = Lock()

    def is_one_too_many(self, handle: str, *, browser: str, now: int) -> bool:
        """Note a try, and say whether there were too many before it; `browser` is empty for a strange one."""
        with self._trying:
            tried = [at for at in self._tried.get((handle, browser), ()) if at > now - WITHIN_S]
            if len(self._tried) > _MOST_NAMES:
                self._tried.clear()
            # Before it is known whether it is right: many at once are many.
            self._tried[handle, browser] = [*tried, now]
        return len(tried) >= MOST

    def forget(self, handle: str, *, browser: str) -> None:
        """Begin anew: the password was right."""
        self._tried.pop((handle, browser), None)


def mark_of(browser: str, handle: str, *, key: bytes) -> str:
    """Return the mark of a browser that signed in under this name; `browser` is a random name."""
    made = blake2b(f"{browser} {handle}".encode("utf-8", "replace"), digest_size=16, key=key)
    return f"{browser}.{made.hexdigest()}"


def browser_of(mark: str, handle: str, *, key: bytes) -> str:
    """Return the browser that a mark is of; empty if it did not sign in under this name."""
    browser = mark.partition(".")[0]
    ours = hmac.compare_digest(mark.encode("utf-8", "replace"), mark_of(browser, handle, key=key).encode())
    return browser if ours else ""
