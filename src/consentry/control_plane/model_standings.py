"""Where models stand, worked out for one of them or for all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator

from consentry.control_plane.amendments import AmendmentVerbs
from consentry.control_plane.desk import Desk
from consentry.control_plane.losses import Losses
from consentry.oversight.lineage import Model
from consentry.oversight.model_standing import ModelStanding, standing

_MOMENT_S = 0.01
"""How long whoever renews a lease may have to wait for it."""


class ModelStandings:
    """Works out where models stand; nothing of it is kept."""

    def __init__(self, desk: Desk, *, amendments: AmendmentVerbs, losses: Losses) -> None:
        self.desk = desk
        self.amendments = amendments
        self.losses = losses

    def of(self, names: Collection[str] | None = None) -> Iterator[tuple[Model, ModelStanding]]:
        """Yield models of some names, or all, and where each stands."""
        for few in self.in_turns(names):
            yield from few

    def in_turns(self, names: Collection[str] | None = None) -> Iterator[list[tuple[Model, ModelStanding]]]:
        """Yield the same, as many at a time as a moment allows; releases are brought up to date once for all."""
        self.amendments.amend()
        every = self.desk.present().overseen.lineage
        left = deque(model for model in every if names is None or model.name in names)
        while left:
            yield self._few(left)

    def _few(self, left: deque[Model]) -> list[tuple[Model, ModelStanding]]:
        """Take the first of some models off, as many as a moment allows: leases are renewed in between."""
        found: list[tuple[Model, ModelStanding]] = []
        with self.desk.held_still() as present:
            until = time.perf_counter() + _MOMENT_S
            while left and (not found or time.perf_counter() < until):
                model, lineage = left.popleft(), present.overseen.lineage
                found.append((model, standing(lineage, model.name, losses=self.losses.of, terms=self.losses.terms)))
        return found
