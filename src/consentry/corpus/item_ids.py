"""The platform's own ids of some items, read from their content file: nothing of ours keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.parquet as pq

from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import changed, still_of


def item_ids(corpus: Corpus, number: int, *, rows: Sequence[int]) -> list[str]:
    """Return the ids of the items at these rows of a file, in the order asked for. Only their row groups are read.

    Args:
        corpus: an opened corpus.
        number: of the file in it.
        rows: positions in the file.

    Raises:
        CorpusError: the file is gone or is not the one that was registered.
    """
    sidecar = corpus.sidecars[number]
    path, column = corpus.path(sidecar), corpus.descriptor.columns["item"]
    if not still_of(sidecar, path):
        raise changed(sidecar.pin.path)
    found: dict[int, str] = {}
    with pq.ParquetFile(path) as file:
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            here = [row for row in rows if start <= row < end]
            if here:
                ids = file.read_row_group(group, columns=[column]).column(column)
                found |= {row: str(ids[row - start].as_py()) for row in here}
            start = end
    return [found[row] for row in rows]
