"""A story that is played on a clock of its own: what happened when, as it is told in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from consentry.cli.output import Output, day
from consentry.clock import now
from consentry.policy.choice import Seconds


class StoryClock:
    """The clock of a story: it runs like the real one, and is set forward in between."""

    def __init__(self, start: Seconds) -> None:
        self._ahead = start - now()

    def ahead(self) -> Seconds:
        """Return how far it is ahead of the real one."""
        return self._ahead

    def time(self) -> Seconds:
        """Return what it shows."""
        return now() + self._ahead

    def forward_to(self, time: Seconds) -> None:
        """Set it forward. It never goes back: what was recorded later would have been said earlier."""
        self._ahead += max(0, time - self.time())


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened. `mark` is `done`, `stop` or `wait`; `facts` are names with values."""

    at: Seconds
    title: str
    text: str
    mark: str = "done"
    facts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How a suspension stopped a job, measured.

    Attributes:
        after: seconds from when the order was acknowledged until the job had stopped.
        drained_ms: milliseconds until nobody read any more what the order hits; None: somebody still does, or how long
            it took is not known.
        step: the last step that the job took.
    """

    order: str
    after: float
    drained_ms: int | None
    step: int


@dataclass(slots=True)
class Timeline:
    """What happened so far; each moment is told when it is added."""

    clock: StoryClock
    out: Output
    moments: list[Moment] = field(default_factory=list)

    def tell(self, title: str, text: str, *, mark: str = "done", facts: Sequence[tuple[str, str]] = ()) -> None:
        """Add a moment that happens now, and print it."""
        told = Moment(at=self.clock.time(), title=title, text=text, mark=mark, facts=tuple(facts))
        self.moments.append(told)
        self.out.heading(f"{day(told.at)}  {title}")
        self.out.text(text)
        if facts:
            self.out.table(["", ""], [list(fact) for fact in facts])
