"""A model as it is told: where it stands, what it lost, and the jobs that trained it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consentry.oversight.lease import Lease
from consentry.oversight.lineage import Model, Models
from consentry.oversight.model_standing import Loss, ModelStanding, Stage
from consentry.oversight.order import Order


def described(name: str, stands: ModelStanding, *, now: int) -> dict[str, Any]:
    """Return where a model stands as plain values; `inherited` are those through which a mark came to it."""
    chosen = stands.chosen
    return {
        "stage": str(stands.stage),
        "deadline": stands.deadline,
        "late": stands.late(now),
        "remedy": None
        if chosen is None
        else {**chosen._asdict(), "remedy": str(chosen.remedy), "approved": list(chosen.approved)},
        "inherited": sorted({each.model for each in stands.losses} - {name}),
    }


def became(model: Model, stands: ModelStanding) -> dict[str, Any]:
    """Return what became of a model, since when, and the remedy that was chosen or done, if it is that."""
    gone = {Stage.WITHDRAWN: model.withdrawn, Stage.DESTROYED: model.destroyed}.get(stands.stage)
    remedy = model.done[-1] if stands.stage is Stage.REMEDIED else stands.chosen
    found = gone or remedy
    since = min((each.at for each in stands.losses), default=None) if found is None else found.at
    return {
        "stage": str(stands.stage),
        "since": since,
        "remedy": None if gone is not None or remedy is None else str(remedy.remedy),
    }


def loss_json(loss: Loss) -> dict[str, Any]:
    """Return a loss as plain values."""
    return {
        "position": loss.position,
        "at": loss.at,
        "through": loss.model,
        "release": loss.release,
        "items": loss.items,
    }


def left_json(lineage: Models, name: str) -> list[dict[str, Any]]:
    """Return the known weights of a model that are not known to be gone, and who says that they are."""
    return [
        {"digest": each, "as": what, "said_gone_by": list(lineage.remains.said_by(name, each))}
        for each, what in lineage.left_of(name).items()
    ]


def unrecorded_json(lineage: Models, name: str) -> dict[str, Any] | None:
    """Return who says that all there was of an unrecorded model is gone, until it is destroyed; else None."""
    model, said = lineage.get(name), lineage.remains.unrecorded(name)
    return None if said is None or model is None or model.destroyed is not None else {"said_gone_by": list(said)}


def job_json(lease: Lease, stopped_by: Sequence[Order], *, not_given: int | None) -> dict[str, Any]:
    """Return a job that trained a model, with its model checkpoints: each as it stands to the orders that stop it.

    Args:
        lease: what it read by.
        stopped_by: those orders, oldest first.
        not_given: how many items it said it was trained on that its release leaves out; None if nobody can tell.
    """
    return {
        "lease": lease.lease,
        "job": lease.job,
        "release": lease.release,
        "step": lease.step,
        "items": lease.items,
        "not_given": not_given,
        "model_checkpoints": [
            {
                "name": each.name,
                "step": each.step,
                "digest": each.digest,
                "position": position,
                **_standing(position, stopped_by, quarantined=each.quarantined),
            }
            for position, each in lease.model_checkpoints
        ],
    }


def _standing(position: int, stopped_by: Sequence[Order], *, quarantined: bool) -> dict[str, str | None]:
    """Return how a model checkpoint stands, and to which order: the first one after it, else the first of all.

    An older order may have begun to stop the job, as people moved: what was written before a later one is marked all
    the same.
    """
    later = next((order for order in stopped_by if order.position > position), None)
    order = next(iter(stopped_by), None) if quarantined or later is None else later
    stands = "quarantined" if quarantined else "" if later is None else "trained before"
    return {"stands": stands, "order": None if order is None else order.order}
