"""Where training on a release is: which rows were trained on in this pass. A document, of one rank or of all of them.

It names the release by its manifest, and the seed and the pass because they make the order. What was loaded and not
trained on plays no part in it, and neither does the number of ranks and workers.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap64

from consentry.errors import InputError

_FORMAT = 1
Done = dict[int, BitMap64]
"""Rows that were trained on, by the number of their file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderState:
    """A state. The document of one is read again to an equal one."""

    manifest: str
    seed: int
    shuffle: bool
    epoch: int
    done: Done

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "format": _FORMAT,
            "manifest": self.manifest,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "epoch": self.epoch,
            "done": {str(file): base64.b64encode(rows.serialize()).decode() for file, rows in self.done.items()},
        }


def loader_state(document: Any) -> LoaderState:
    """Return the state that a document says.

    Raises:
        InputError: it is none.
    """
    try:
        if document["format"] != _FORMAT:
            raise ValueError("another format")
        return LoaderState(
            manifest=str(document["manifest"]),
            seed=int(document["seed"]),
            shuffle=bool(document["shuffle"]),
            epoch=int(document["epoch"]),
            done={int(file): BitMap64.deserialize(base64.b64decode(rows)) for file, rows in document["done"].items()},
        )
    except (LookupError, TypeError, ValueError, MemoryError, AttributeError) as error:
        raise InputError(
            "loader-state-damaged",
            "this is not the state of a loader",
            help="give what `state_dict` returned; it is JSON",
        ) from error


def joined_states(documents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the states of all ranks as one, which any number of ranks can go on from.

    Raises:
        InputError: one of them is none; or they are not of one release, seed and pass.
    """
    states = [loader_state(each) for each in documents]
    if len({(each.manifest, each.seed, each.shuffle, each.epoch) for each in states}) != 1:
        raise InputError(
            "loader-states-differ",
            "the states are not of one pass over one release",
            help="save the states of all ranks at the same step, and join those",
        )
    done: Done = {}
    for state in states:
        for file, rows in state.done.items():
            done[file] = done.get(file, BitMap64()) | rows
    first = states[0]
    return LoaderState(
        manifest=first.manifest, seed=first.seed, shuffle=first.shuffle, epoch=first.epoch, done=done
    ).document()
