"""A held release as a dataset: what it yields, in which order, and that what is gone stays gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from traceback import clear_frames
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from consentry.errors import ConsentryError, InputError, IntegrityError, LeaseOverError, StateError
from consentry.training import arrow
from consentry.training.client import Lease, hold
from consentry.training.loader_state import joined_states
from consentry.training.row_order import Share, Shuffle, Unit, rows_in_order, units_in_order
from consentry.training.torch import ROW, ReleaseDataset
from consentry.training.torch_loader import ReleaseLoader
from training.small_server import CREDENTIAL, SmallPlane, serving
from training.test_client import over_within, within

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # more than processors

Holding = Callable[..., AbstractContextManager[Lease]]
FILES, ROWS, GROUP = 2, 60, 7
EXCLUDED = {0: [0, 1, 2, 3, 4, 5, 6, 11, 30], 1: [59]}
ALL = {(file, row) for file in range(FILES) for row in range(ROWS)}
ELIGIBLE = ALL - {(file, row) for file, rows in EXCLUDED.items() for row in rows}


@pytest.fixture
def plane(tmp_path: Path) -> SmallPlane:
    for file in range(FILES):
        texts = pa.array([f"{file}-{row}" for row in range(ROWS)]).dictionary_encode()
        table = pa.table({"text": texts, "other": list(range(ROWS))})
        pq.write_table(table, tmp_path / f"{file}.parquet", row_group_size=GROUP)
    return SmallPlane([tmp_path / f"{file}.parquet" for file in range(FILES)], EXCLUDED)


@pytest.fixture
def holding(plane: SmallPlane, tmp_path: Path) -> Iterator[Holding]:
    with serving(plane) as url:

        def holding(**other: Any) -> AbstractContextManager[Lease]:
            fixed: dict[str, Any] = {"job": "j", "model": "m", "ttl_s": 60, "credential": CREDENTIAL}
            return hold("r", **{**fixed, "watchdog": False, "url": url, "state_folder": tmp_path / "state", **other})

        yield holding


def opened(lease: Lease, **other: Any) -> ReleaseDataset:
    return ReleaseDataset(lease, **{"columns": ["text"], **other})


def order(rows: Any) -> list[tuple[int, int]]:
    found = []
    for row in rows:
        file, place = row[ROW].tolist()
        assert row["text"] == f"{file}-{place}"
        found.append((file, place))
    assert len(set(found)) == len(found)
    return found


@pytest.mark.parametrize("shuffle", [True, False])
def test_exactly_the_eligible_rows_in_one_order(holding: Holding, shuffle: bool) -> None:
    with holding() as lease:
        first = order(opened(lease, shuffle=shuffle, seed=3))
        assert set(first) == ELIGIBLE
        assert order(opened(lease, shuffle=shuffle, seed=3)) == first
        assert (first == sorted(first)) is not shuffle
        dataset = opened(lease, shuffle=shuffle, seed=3)
        dataset.set_epoch(1)
        assert (order(dataset) != first) is shuffle
        assert (order(opened(lease, shuffle=shuffle, seed=4)) != first) is shuffle


def test_an_amendment_only_removes_and_does_so_at_the_next_row(plane: SmallPlane, holding: Holding) -> None:
    with holding() as lease:
        whole = order(opened(lease))
        rows = iter(opened(lease))
        seen = order(next(rows) for _ in range(20))
        removed = {*whole[5:7], *whole[20:24], *whole[40:90:2]}
        plane.amend({file: [row for f, row in removed if f == file] for file in range(FILES)})
        assert within(lambda: lease.amendment == 1)
        rest = order(rows)
        assert seen + rest == whole[:20] + [each for each in whole[20:] if each not in removed]
        assert order(opened(lease)) == [each for each in whole if each not in removed]


@pytest.mark.parametrize(("method", "workers"), [("fork", 1), ("fork", 3), ("spawn", 1)])
def test_workers_share_the_rows(holding: Holding, method: str, workers: int) -> None:
    with holding() as lease:
        loader = DataLoader(opened(lease), batch_size=4, num_workers=workers, multiprocessing_context=method)
        rows = [tuple(row) for batch in loader for row in batch[ROW].tolist()]
    assert len(rows) == len(set(rows))
    assert set(rows) == ELIGIBLE


def test_ranks_share_the_rows(holding: Holding) -> None:
    with holding() as lease:
        shares = [order(opened(lease, rank=rank, world_size=3)) for rank in range(3)]
        assert sorted(row for share in shares for row in share) == sorted(ELIGIBLE)


def test_workers_that_live_on_see_the_next_epoch(holding: Holding) -> None:
    with holding() as lease:
        dataset = opened(lease)
        loader = DataLoader(dataset, batch_size=None, num_workers=1, persistent_workers=True)
        first = order(loader)
        dataset.set_epoch(1)
        second = order(loader)
        del loader
        assert first != second == order(dataset)


def test_an_amendment_reaches_workers(plane: SmallPlane, holding: Holding) -> None:
    with holding() as lease:
        whole = order(opened(lease))
        loader = iter(DataLoader(opened(lease), batch_size=None, num_workers=1, prefetch_factor=2))
        seen = order(next(loader) for _ in range(10))
        plane.amend({file: list(range(ROWS)) for file in range(FILES)})
        assert within(lambda: lease.amendment == 1)
        assert len(seen + order(loader)) <= 10 + 2 + 1 < len(whole)  # what had been read ahead


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_read_ahead_and_removed_since_is_not_trained_on(
    plane: SmallPlane, holding: Holding, workers: int
) -> None:
    with holding() as lease:
        planned = [batch[ROW].tolist() for batch in ReleaseLoader(opened(lease), batch_size=4, num_workers=workers)]
        dataset = opened(lease)
        loaders = [
            kind(dataset, batch_size=4, num_workers=workers, persistent_workers=True)
            for kind in (DataLoader, ReleaseLoader)
        ]
        bare, current = (iter(loader) for loader in loaders)
        for batches in (bare, current):
            assert [next(batches)[ROW].tolist() for _ in range(3)] == planned[:3]
        assert within(lambda: [waiting_in(loader) for loader in loaders] == [2 * workers] * 2)
        file, row = planned[3][1]
        plane.amend({file: [row]})
        assert within(lambda: lease.amendment == 1)
        assert next(bare)[ROW].tolist() == planned[3], "a control: it waited there"
        rest = [batch[ROW].tolist() for batch in current]
        assert [file, row] not in [pair for batch in rest for pair in batch]
        assert rest[0] == planned[4]  # the batch is left out as a whole
        for step, batch in enumerate([*planned[:3], *rest], 1):
            dataset.commit(step, torch.tensor(batch))
        left = {tuple(each[ROW].tolist()) for each in dataset}
    assert left == {tuple(pair) for pair in planned[3]} - {(file, row)}


def waiting_in(loader: Any) -> int:
    """Return how many batches workers have read ahead."""
    batches = loader._iterator
    count: int = batches._worker_result_queue.qsize() + sum(len(each) == 2 for each in batches._task_info.values())
    return count


def test_a_loader_counts_passes_from_that_of_the_state(holding: Holding) -> None:
    with holding() as lease:
        dataset = opened(lease)
        dataset.set_epoch(2)
        trained = [row[ROW] for row, _ in zip(dataset, range(10), strict=False)]
        dataset.commit(1, trained)
        again = opened(lease)
        again.load_state_dict(dataset.state_dict())
        loader = ReleaseLoader(again, batch_size=None)
        loader.set_epoch(0)
        assert again.epoch == 2
        assert set(order(loader)) == ELIGIBLE - {tuple(row.tolist()) for row in trained}
        loader.set_epoch(1)
        assert again.epoch == 3
        assert set(order(loader)) == ELIGIBLE


def test_a_batch_that_hides_its_rows_is_refused_once_something_was_removed(plane: SmallPlane, holding: Holding) -> None:
    with holding() as lease:
        batches = iter(ReleaseLoader(opened(lease), batch_size=4, collate_fn=len))
        next(batches)
        plane.amend({0: [20]})
        assert within(lambda: lease.amendment == 1)
        with pytest.raises(StateError, match=r"loader-rows-missing"):
            next(batches)


def test_a_dataset_made_before_the_ranks_reads_nothing(holding: Holding, tmp_path: Path) -> None:
    import torch.distributed as dist

    with holding() as lease:
        dataset = opened(lease)
        dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
        try:
            assert set(order(dataset)) == ELIGIBLE  # of one rank there is nothing to know
            dataset._world_size = 2  # as if the dataset had been made for others
            with pytest.raises(StateError, match=r"loader-ranks-unknown"):
                next(iter(ReleaseLoader(dataset)))
            with pytest.raises(StateError, match=r"loader-ranks-unknown"):
                next(iter(dataset))
        finally:
            dist.destroy_process_group()


@pytest.mark.parametrize("workers", [0, 2])
def test_everybody_stops_reading_when_the_lease_is_over(plane: SmallPlane, holding: Holding, workers: int) -> None:
    with holding() as lease:
        rows = iter(DataLoader(opened(lease), batch_size=None, num_workers=workers))
        next(rows)
        plane.revoke()
        over_within(lease)
        with pytest.raises(LeaseOverError) as caught:
            for _ in rows:
                pass
        # Workers end at once if nothing refers to their loader. Those that are found as garbage are waited for.
        del rows
        clear_frames(caught.tb)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_epoch_repeats_nothing_and_skips_nothing(plane: SmallPlane, holding: Holding, workers: int) -> None:
    with holding() as lease:
        dataset = opened(lease, seed=9)
        whole = order(dataset)
        loader = iter(DataLoader(dataset, batch_size=4, num_workers=workers))
        batches = [next(loader)[ROW] for _ in range(6)]  # the last two were loaded, and nothing came of them
        for step, batch in enumerate(batches[:4], 1):
            dataset.commit(step, batch)
        state = dataset.state_dict()
    trained = {tuple(row) for batch in batches[:4] for row in batch.tolist()}
    assert plane.consumed() == trained
    refused = set(whole[50:60]) - trained
    plane.amend({file: [row for f, row in refused if f == file] for file in range(FILES)})
    with holding() as lease:
        again = opened(lease)
        again.load_state_dict(state)
        assert order(again) == [row for row in whole if row not in trained and row not in refused]
        several = [
            tuple(row) for batch in DataLoader(again, batch_size=4, num_workers=3) for row in batch[ROW].tolist()
        ]
        assert sorted(several) == sorted(ELIGIBLE - trained - refused)


def test_states_of_ranks_are_joined_for_any_number_of_ranks(holding: Holding) -> None:
    with holding() as lease:
        states: list[dict[str, Any]] = []
        trained: set[tuple[int, ...]] = set()
        for rank in range(2):
            dataset = opened(lease, rank=rank, world_size=2)
            rows = [row[ROW] for row, _ in zip(dataset, range(10), strict=False)]
            dataset.commit(rank + 1, rows)
            trained |= {tuple(row.tolist()) for row in rows}
            states.append(dataset.state_dict())
        rest = []
        for rank in range(3):
            dataset = opened(lease, rank=rank, world_size=3)
            dataset.load_state_dict(joined_states(states))
            rest += order(dataset)
        assert sorted(rest) == sorted(ELIGIBLE - trained)
        with pytest.raises(InputError, match=r"loader-states-differ"):
            joined_states([states[0], {**states[1], "epoch": 1}])
        with pytest.raises(InputError, match=r"loader-state-damaged"):
            joined_states([states[0], {**states[1], "done": {"0": "?"}}])
        with pytest.raises(InputError, match=r"loader-states-differ"):
            joined_states([])


def test_an_epoch_that_is_done_is_said_to_be(holding: Holding) -> None:
    with holding() as lease:
        dataset = opened(lease)
        dataset.commit(1, [row[ROW] for row in dataset])
        with pytest.raises(StateError, match=r"loader-epoch-done"):
            next(iter(dataset))
        dataset.set_epoch(1)
        assert set(order(dataset)) == ELIGIBLE


def test_a_state_of_another_release_is_refused(plane: SmallPlane, holding: Holding) -> None:
    with holding() as lease:
        state: dict[str, Any] = opened(lease).state_dict()
    plane.name = "another"
    with holding() as lease, pytest.raises(InputError, match=r"loader-state-of-another-release"):
        opened(lease).load_state_dict(state)


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"done": {"0": "?"}}, {"done": {"0": "AAAA"}}, {"epoch": "x"}, {"done": []}]
)
def test_a_damaged_state_is_refused(holding: Holding, change: dict[str, Any]) -> None:
    state: Any
    with holding() as lease:
        dataset = opened(lease)
        for state in ({**dataset.state_dict(), **change}, {}, None, []):
            with pytest.raises(InputError, match=r"loader-state-damaged"):
                dataset.load_state_dict(state)


def test_a_file_that_is_gone_or_changed_and_a_column_that_never_was(plane: SmallPlane, holding: Holding) -> None:
    with holding() as lease:
        with pytest.raises(InputError, match=r"release-column-unknown"):
            opened(lease, columns=["words"])
        dataset = opened(lease, shuffle=False)
        with plane.paths[1].open("ab") as stream:
            stream.write(b"x")
        with pytest.raises(IntegrityError, match=r"release-file-changed"):
            list(dataset)
        plane.paths[1].unlink()
        with pytest.raises(IntegrityError, match=r"release-file-changed"):
            list(dataset)


def test_a_file_of_the_same_size_with_other_rows_in_it_is_not_read_on(plane: SmallPlane, holding: Holding) -> None:
    """Positions mean nothing in it: the rows that are left out may be anybody's."""
    path = plane.paths[1]

    def written(texts: Iterable[str]) -> bytes:
        table = pa.table({"text": list(texts)})
        pq.write_table(table, path, row_group_size=GROUP, compression="none", use_dictionary=False)
        return path.read_bytes()

    other, content = (written(f"{row:02}" for row in rows) for rows in (reversed(range(ROWS)), range(ROWS)))
    assert len(other) == len(content)
    with holding() as lease:
        dataset = opened(lease, shuffle=False)
        assert list(arrow.batches(lease, ["text"], rows=GROUP))
        path.write_bytes(content)
        assert {tuple(row[ROW].tolist()) for row in dataset} == ELIGIBLE, "only touched"
        path.write_bytes(other)
        for read in (dataset, arrow.batches(lease, ["text"], rows=GROUP)):
            with pytest.raises(IntegrityError, match=r"release-file-changed"):
                list(read)
        path.write_bytes(content)
        assert len(list(dataset)) == len(ELIGIBLE)


def test_an_amendment_for_rows_that_never_were_stops_reading(plane: SmallPlane, holding: Holding) -> None:
    with holding() as lease:
        plane.amend({0: [ROWS]})
        assert within(lambda: lease.amendment == 1)
        with pytest.raises(IntegrityError, match=r"release-exclusions-damaged"):
            list(opened(lease))


def test_nothing_is_read_without_the_bitmaps(plane: SmallPlane, holding: Holding) -> None:
    with holding(ttl_s=1) as lease:
        dataset = opened(lease)
        plane.silent.set()
        with pytest.raises(LeaseOverError):
            list(dataset)
        plane.silent.clear()


def test_a_worker_commits_nothing(holding: Holding) -> None:
    import pickle

    with holding() as lease:
        copy = pickle.loads(pickle.dumps(opened(lease)))
        with pytest.raises(ConsentryError, match=r"loader-commit-in-worker"):
            copy.commit(1, torch.zeros((1, 2)))


@given(
    counts=st.lists(st.integers(0, 9), max_size=6),
    seed=st.integers(0, 2**63),
    epoch=st.integers(0, 99),
    ranks=st.integers(1, 4),
    workers=st.integers(1, 4),
)
@settings(max_examples=50)
def test_shares_are_disjoint_and_hold_everything(
    counts: list[int], seed: int, epoch: int, ranks: int, workers: int
) -> None:
    units = [Unit(file, group, group * 5, 5) for file, count in enumerate(counts) for group in range(count)]
    shuffle = Shuffle(seed, epoch)
    whole = units_in_order(units, shuffle, share=Share(0, 1))
    shares = [
        units_in_order(units, shuffle, share=Share(rank, ranks).split(worker, workers))
        for rank in range(ranks)
        for worker in range(workers)
    ]
    assert sorted(unit for share in shares for unit in share) == sorted(units) == sorted(whole)
    for share in shares:
        assert share == [unit for unit in whole if unit in set(share)]


def test_the_order_never_changes() -> None:
    """Stored states mean nothing in another order: this is what it has been from the beginning."""
    assert rows_in_order(Shuffle(1, 2), file=3, first=4, rows=8).tolist() == [6, 3, 7, 0, 2, 4, 5, 1]
    assert rows_in_order(Shuffle(1, 2, on=False), file=3, first=4, rows=4).tolist() == [0, 1, 2, 3]
