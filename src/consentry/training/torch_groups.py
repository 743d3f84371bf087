"""Process groups of `torch.distributed`: closing connections, so that whatever waits in there for another rank fails.

Closed are those of every group that this rank is a member of. Only a group that is known can be closed, and a model
joins its gradients in one that nobody named to us: the second one of a mesh, or one of its own. Whoever gives up
stops, and so does the job: also with what it does under another lease, or under none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

_NEVER_SENT = 0x7FFFFFFF
"""A tag of messages that no rank sends: what a model sends may be there already, and then nothing would be late."""


def close_connections(group: Any) -> None:
    """Have everything that waits fail: other ranks, and threads of this one, without which it cannot end.

    The group comes first: its ranks are waiting.
    """
    for each in dict.fromkeys(_groups(group)):
        with suppress(Exception):  # one that was left meanwhile, or can do none of this, must not keep the others open
            _close(each)


def over_gloo(group: Any) -> bool:
    """Say whether gloo joins what is on processors."""
    return "cpu:gloo" in dist.get_backend_config(group)


def _groups(group: Any) -> Iterator[Any]:
    yield dist.group.WORLD if group is None else group
    yield dist.group.WORLD
    # No public name leads to them. Without this one, those above are closed, and no third one.
    world = getattr(dist.distributed_c10d, "_world", None)
    yield from list(getattr(world, "pg_map", None) or ())


def _close(group: Any) -> None:
    size = dist.get_world_size(group)
    if size < 1:  # this rank is no member
        return
    with suppress(RuntimeError):  # gloo says so when it has closed them
        if size > 1 and over_gloo(group):
            # To abort does nothing in gloo. What does not come in time closes all connections.
            another = (dist.get_rank(group) + 1) % size
            receiving = dist.irecv(torch.empty(1), group=group, group_src=another, tag=_NEVER_SENT)
            receiving.wait(timedelta(milliseconds=1))
    if not _only_gloo(group):
        with suppress(RuntimeError):  # not every backend can
            group.abort()


def _only_gloo(group: Any) -> bool:
    """Say whether a group has no backend beside gloo; one that was made without a name has NCCL for what is on GPUs."""
    return all(each.endswith(":gloo") for each in dist.get_backend_config(group).split(","))
