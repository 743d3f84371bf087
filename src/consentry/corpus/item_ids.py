"""The platform's own ids of some items, read from their content files: nothing of ours keeps them.

A row group is read as far as the last of them and no further, and several at the same time: somebody's items lie
scattered over files, and a page waits for them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import changed, still_of

_BATCH_ROWS = 65_536


class Stretch(NamedTuple):
    """Some rows of one row group of a content file.

    Attributes:
        file: number of the file in its corpus.
        rows: their positions in the file.
        start: position of the first row of the group.
    """

    file: int
    path: Path
    column: str
    metadata: pq.FileMetaData
    group: int
    start: int
    rows: Sequence[int]


def stretches(corpus: Corpus, file: int, *, rows: Sequence[int]) -> list[Stretch]:
    """Return what has to be read for the ids of the items at these rows of a file.

    Raises:
        CorpusError: the file is gone or is not the one that was registered.
    """
    sidecar = corpus.sidecars[file]
    path, column = corpus.path(sidecar), corpus.descriptor.columns["item"]
    if not still_of(sidecar, path):
        raise changed(sidecar.pin.path, path)
    metadata = pq.read_metadata(path)
    sizes = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    starts = list(accumulate(sizes, initial=0))
    of_group: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        of_group[bisect_right(starts, row) - 1].append(row)
    return [Stretch(file, path, column, metadata, group, starts[group], here) for group, here in of_group.items()]


def read_ids(stretch: Stretch) -> dict[int, str]:
    """Return the ids of the items of a stretch, by their row."""
    wanted, found, start = sorted({*stretch.rows}), dict[int, str](), stretch.start
    with pq.ParquetFile(stretch.path, metadata=stretch.metadata) as opened:
        for batch in opened.iter_batches(_BATCH_ROWS, row_groups=[stretch.group], columns=[stretch.column]):
            ids, end = batch.column(0), start + len(batch)
            while len(found) < len(wanted) and (row := wanted[len(found)]) < end:
                found[row] = str(ids[row - start].as_py())
            if len(found) == len(wanted):
                break
            start = end
    return found
