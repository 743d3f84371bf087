"""When nobody answers any more, the error says so with one code, and for how long: also out of a worker of a loader."""

from __future__ import annotations

import re
from multiprocessing import active_children
from traceback import clear_frames

import pytest
from torch.utils.data import DataLoader

from consentry.errors import LeaseOverError
from consentry.training.torch_loader import ReleaseLoader
from train.test_dataset import Holding, holding, opened, plane
from training.small_server import SmallPlane

__all__ = ["holding", "plane"]

CODE = re.compile(r"\[(lease-[a-z-]+)\]")


@pytest.mark.parametrize("kind", [DataLoader, ReleaseLoader])
@pytest.mark.parametrize("workers", [0, 1])
def test_it_is_said_once_and_how_long_nobody_answered(
    plane: SmallPlane, holding: Holding, workers: int, kind: type[DataLoader]
) -> None:
    with holding(ttl_s=1.0) as lease:
        dataset = opened(lease)

        def read_on() -> None:
            while True:
                for _ in kind(dataset, batch_size=4, num_workers=workers):
                    plane.silent.set()

        with pytest.raises(LeaseOverError) as caught:
            read_on()
        clear_frames(caught.tb)
        assert active_children() == [], "a worker goes on"
        with pytest.raises(LeaseOverError, match=r"no renewal was answered for \d\.\d s \[lease-expired\]") as own:
            lease.check()
    assert CODE.findall(str(caught.value)) == ["lease-expired"]
    assert caught.value.code == "lease-expired"
    assert "\n" not in str(caught.value), "no traceback of a worker stands in it"
    if kind is ReleaseLoader and workers:
        assert str(own.value) == str(caught.value)
