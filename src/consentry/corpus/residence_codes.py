"""Where people live, worked out once for each distinct combination of signals, and numbered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from consentry.corpus.classes import Residing
from consentry.corpus.columns import Words
from consentry.corpus.residence import Residence, Signal, Signals

Resolver = Callable[[Signals], Residence]

_COMPACT_ABOVE = 1 << 40
_REMEMBERED_COMBINATIONS = 1 << 18


class ResidenceCodes:
    """Numbers the distinct residences; remembers which combination of signals led to which."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._codes: dict[Residing, int] = {Residing(): 0}
        self._remembered: dict[tuple[str | None, ...], int] = {}
        self.unread: set[str | None] = set()
        """The words for a country that were met and that nobody can read."""

    @property
    def members(self) -> Sequence[Residing]:
        """The residences in code order."""
        return tuple(self._codes)

    def encode(self, signals: Mapping[str, Words], *, rows: int) -> npt.NDArray[np.uint32]:
        """Return the residence code of each row."""
        keys: npt.NDArray[np.int64] = np.zeros(rows, dtype=np.int64)
        span = 1
        for found in signals.values():
            width = len(found.words) + 1
            if span * width > _COMPACT_ABOVE:
                distinct, keys = np.unique(keys, return_inverse=True)
                span = distinct.size
            keys = keys * width + found.codes
            span *= width
        _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
        values = {
            role: [(*found.words, None)[code] for code in found.codes[first].tolist()]
            for role, found in signals.items()
        }
        codes = [
            self._code(tuple(combination), tuple(values))
            for combination in (zip(*values.values(), strict=True) if values else [()] * first.size)
        ]
        return np.array(codes, dtype=np.uint32)[numbers]

    def _code(self, combination: tuple[str | None, ...], roles: tuple[str, ...]) -> int:
        code = self._remembered.get(combination)
        if code is None:
            found = self._resolver(Signals(**dict(zip(roles, combination, strict=True))))
            residing = Residing(found.places, found.established)
            if any(each.signal is Signal.COUNTRY and not each.places for each in found.evidence):
                self.unread.add(combination[roles.index(Signal.COUNTRY)])
            code = self._codes.setdefault(residing, len(self._codes))
            if len(self._remembered) >= _REMEMBERED_COMBINATIONS:
                self._remembered.clear()
            self._remembered[combination] = code
        return code
