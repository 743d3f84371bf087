"""What the ledger shows of training a model anew.

Rules:

* Jobs show it: under leases for this model that were granted since the choice, and with that after the withdrawal, and
  that have ended, they said of all their steps which items these consumed. `retrain`: at least half as many different
  items as the model was trained on before and that have not left since. With what jobs of its new bases consumed, they
  are half as well of what it was trained on together with the bases it had: a model can be little else than its base.
  What a release leaves out counts for nothing: nobody was given it. Whether something that left was among them is seen
  as ever: it is a loss again. What the model is then said to be is none of the weights that were known of it before.
* Without that there are words: that a job consumed less, did not say all, is not over, or kept a model checkpoint; that
  the model was registered since as trained on a release, or by a job that said it trained another one, or as built on
  another base. A lease alone, or with steps on nothing, is not even that. It takes two people who approve them, and
  weights that are others: the digest that was registered last, since the choice, is none that was known of the model
  before.
* `retrain-shard` trains anew what saw the lost items. Nobody says which part of a model that is, but which files these
  items were in is known: jobs show it if they consumed something of each of them since. What they show of other files
  alone, or where it is not known what was lost, are words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto

from consentry.digests import Digest
from consentry.oversight.lease import Leases
from consentry.oversight.lineage import Model, Models, Use


class Shown(Enum):
    """How it is known that a model was trained since a position."""

    NOT = auto()
    SAID = auto()
    BY_A_JOB = auto()


def shown(
    model: Model, *, models: Models, leases: Leases, since: int, covers: Callable[[Sequence[Use]], bool]
) -> Shown:
    """Say how it is known that a model was trained since a remedy was chosen at a position.

    `covers`: whether what jobs of the model consumed is what the remedy is about.
    """
    trained = [use for use in model.uses if use.position >= since and _took_place(use, models=models, leases=leases)]
    held = [(use, leases.get(use.lease)) for use in trained if use.lease is not None]
    jobs = [use for use, lease in held if lease is not None and lease.model == model.name and lease.ended is not None]
    if jobs and covers(jobs):
        return Shown.BY_A_JOB
    before = {each.model for each in model.bases if each.position < since}
    other = any(each.position >= since and each.model not in before for each in model.bases)
    return Shown.SAID if other or trained else Shown.NOT


def _took_place(use: Use, *, models: Models, leases: Leases) -> bool:
    """Say whether training took place as far as is known: a lease alone shows none, nor do steps on nothing."""
    if use.lease is None:
        return True
    lease = leases.get(use.lease)
    kept = lease is not None and any(not each.quarantined for _, each in lease.model_checkpoints)
    return kept or any(each.body.items for each in models.consumed(use.lease))


def other_weights(model: Model, leases: Leases, *, since: int) -> bool:
    """Say whether the weights that were registered last, since a position, are none that were known before it."""
    if not model.digests or model.digests[-1].position < since:
        return False
    return model.digests[-1].digest not in weights_before(model, leases, since=since)


def weights_before(model: Model, leases: Leases, *, since: int) -> set[Digest]:
    """Return the weights of a model that were known before a position."""
    held = [leases.get(use.lease) for use in model.uses if use.lease is not None]
    known = {each.digest for each in model.digests if each.position < since}
    known |= {each.digest for lease in held if lease for position, each in lease.model_checkpoints if position < since}
    return known
