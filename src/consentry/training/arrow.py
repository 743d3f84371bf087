"""A held release as batches of Arrow, for jobs that need no framework; each batch says which rows it is.

with hold("comments", job="run-7", model="small") as lease:
for step, (ranges, batch) in enumerate(batches(lease, ["body"], rows=256), 1):
...
lease.check(step)       # before anything is learned from it
lease.committed(step, ranges)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from consentry.release.data_file import DataFile, eligible_mask, open_again
from consentry.release.reader import check_columns
from consentry.training.client import Lease
from consentry.training.consumption import Ranges, ranges_of
from consentry.training.left_out import LeftOut


def batches(lease: Lease, columns: Sequence[str], *, rows: int) -> Iterator[tuple[Ranges, pa.RecordBatch]]:
    """Yield the rows that may be read by now, in the order of the files, at most `rows` at a time.

    A newer amendment takes effect at the next batch.

    Raises:
        LeaseOverError: the lease is over.
        InputError: a file lacks one of the columns.
        IntegrityError: a file is not the one that the release was made from.
    """
    left_out = LeftOut(lease.release, {})
    for file in lease.release.files:
        pinned = DataFile(path=file.path, size=file.size, rows=file.rows, excluded=b"", digest=file.digest)
        with open_again(pinned, lease.release.seen) as opened:
            chosen = check_columns(opened, columns, where=str(file.path))
            first = 0
            for batch in opened.iter_batches(rows, columns=chosen):
                lease.check()
                _, excluded = left_out.positions(file)
                mask = eligible_mask(excluded, start=first, rows=batch.num_rows)
                kept = np.arange(batch.num_rows) if mask is None else np.flatnonzero(mask)
                if kept.size:
                    yield ranges_of((file.index, first + row) for row in kept.tolist()), batch.take(pa.array(kept))
                first += batch.num_rows
