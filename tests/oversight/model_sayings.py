"""Short ways to say things about models in tests, and where they stand by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consentry.digests import digest
from consentry.ledger.events import Body
from consentry.ledger.lineage_events import ModelRegistered, ModelRemedied, Remedy, RemedyChosen
from consentry.oversight import model_standing
from consentry.oversight.lineage import Models
from consentry.oversight.model_standing import Loss, ModelStanding
from consentry.policy.policy_set import Remedies
from ledger.sayings import event

DAY = 86_400
TERMS = Remedies(choose_within_days=10, finish_within_days=20, destroy_within_days=40)
ZERO = digest(b"")


def folded(*bodies: Body) -> Models:
    models = Models()
    for position, body in enumerate(bodies):
        models.take(event(position, body))
    return models


def registered(
    model: str, base: str | None = None, release: str = "r", *, digest: str | None = None
) -> ModelRegistered:
    return ModelRegistered(model=model, base=base, releases=(release,), leases=(), digest=digest)


def chose(model: str, remedy: Remedy = Remedy.DROP_ADAPTER) -> RemedyChosen:
    return RemedyChosen(model=model, remedy=remedy, reason="", by="ml")


def did(model: str, chosen: int, remedy: Remedy = Remedy.DROP_ADAPTER) -> ModelRemedied:
    return ModelRemedied(model=model, remedy=remedy, chosen=chosen, digest=None, by="ml")


def loss(position: int, model: str = "m", *, used: int = 0) -> Loss:
    return Loss(position, 1_000 + position, model, "r", 1, used, TERMS)


def standing(models: Models, name: str, *, losses: Callable[[str], Sequence[Loss]]) -> ModelStanding:
    return model_standing.standing(models, name, losses=losses, terms=lambda _: [TERMS])
