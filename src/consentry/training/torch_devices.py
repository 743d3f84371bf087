"""What GPUs still work on: Python hands work to one and goes on, so what was launched is not done yet.

A step is marked when it was launched. Before the next one is launched, the one that was marked is waited for, and
nothing else: by then the GPU has the next pass forward and back to work on, so it does not stand idle.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import torch

from consentry.training.client import Lease

_marked: WeakKeyDictionary[Lease, list[torch.cuda.Event]] = WeakKeyDictionary()


def mark_step(lease: Lease) -> None:
    """Say that a step of the optimiser was launched, and nothing after it."""
    events = []
    for device in _in_use():
        events.append(torch.cuda.Event())
        events[-1].record(torch.cuda.current_stream(device))
    if events:
        _marked[lease] = events


def wait_for_step(lease: Lease) -> None:
    """Wait until the step that was marked last is taken; if none was since, for all that was launched.

    Raises:
        RuntimeError: something that was launched has failed.
    """
    events = _marked.pop(lease, None)
    if events is None:
        wait_for_devices()
    else:
        for event in events:
            event.synchronize()


def wait_for_devices() -> None:
    """Wait until the GPUs that this process uses have done all that they were given. Without one it is nothing.

    Raises:
        RuntimeError: something that was launched has failed.
    """
    for device in _in_use():
        torch.cuda.synchronize(device)


def _in_use() -> Iterator[int]:
    if torch.cuda.is_initialized():
        for device in range(torch.cuda.device_count()):
            if torch._C._cuda_hasPrimaryContext(device):  # to wait for another one would take it into use
                yield device
