"""A census that is kept, file by file: of the next one, only files that are new or changed are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.corpus.census import Census, Threads, carried_on
from consentry.corpus.classes import PersonClasses
from consentry.corpus.sidecar import Sidecar, Version
from consentry.policy.matrix import PersonClass

Members = Sequence[PersonClass | None]


class KeptCensus(NamedTuple):
    """The census of these files; what its person classes are is in `members`."""

    files: tuple[Version, ...]
    census: Census
    members: Members


def brought_up_to_date(
    kept: KeptCensus | None,
    sidecars: Sequence[Sidecar],
    *,
    classes: PersonClasses,
    width: int,
    threads: Threads,
    count: Callable[[Sequence[Sidecar]], Census],
) -> KeptCensus:
    """Return the census of all files.

    Args:
        kept: the last one, of whatever files.
        sidecars: the files.
        classes: the classes of people now.
        width: number of item classes.
        threads: where the items of people who have another class are counted again.
        count: counts the items of files from nothing.
    """
    # Before anything is read: what is written in between is counted anew the next time.
    files = tuple(sidecar.version() for sidecar in sidecars)
    known = {} if kept is None else {file: place for place, file in enumerate(kept.files)}
    old = [index for index, file in enumerate(files) if file in known]
    carried = None
    if kept is not None and old:
        carried = carried_on(
            _of_files(_renumbered(kept, classes.members), [known[files[index]] for index in old], width=width),
            [sidecars[index] for index in old],
            codes=classes.codes,
            classes=len(classes.members),
            threads=threads,
        )
    if carried is None:
        old = []
    new = sorted({*range(len(files))}.difference(old))
    if carried is None or new:
        counted = count([sidecars[index] for index in new])
        carried = counted if carried is None else _put_together(carried, counted, old=old, new=new)
    return KeptCensus(files, carried, classes.members)


def renumbering(before: Members, after: Members) -> npt.NDArray[np.int64]:
    """Return the number that each class of before has now; for one that is gone, a number that no class has."""
    number = {member: code for code, member in enumerate(after)}
    found = [number.get(member, len(after) + code) for code, member in enumerate(before)]
    return np.array(found, dtype=np.int64)


def _renumbered(kept: KeptCensus, members: Members) -> Census:
    census, number = kept.census, renumbering(kept.members, members)
    if np.array_equal(number, np.arange(number.size)):
        return census
    files, _, width = census.files.shape
    counts = np.zeros((files, int(number.max()) + 1, width), dtype=np.int64)
    for code, now in enumerate(number.tolist()):
        counts[:, now] += census.files[:, code]
    codes = number.astype(np.uint32)[census.codes]
    return Census(files=counts, codes=codes, involving_of=census.involving_of)


def _of_files(census: Census, places: Sequence[int], *, width: int) -> Census:
    """Return the census of some of its files, in this order, for so many item classes: no item is of one left out."""
    _, people, kinds = census.files.shape
    both = min(width, kinds)
    files = np.zeros((len(places), people, width), dtype=np.int64)
    files[:, :, :both] = census.files[list(places), :, :both]
    return Census(files=files, codes=census.codes, involving_of=census.involving_of[list(places)])


def _put_together(carried: Census, counted: Census, *, old: Sequence[int], new: Sequence[int]) -> Census:
    order = np.argsort([*old, *new])
    return Census(
        files=np.concatenate([carried.files, counted.files])[order],
        codes=counted.codes,
        involving_of=np.concatenate([carried.involving_of, counted.involving_of])[order],
    )
