"""Models: what they come from, where they stand, what is done about it, and whether they may be served."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.plane import ControlPlane
from consentry.ledger.lineage_events import Remedy
from consentry.ledger.oversight_events import OrderEnd
from consentry.oversight.model_standing import Stage
from consentry.service.api.once import KEY, Once
from consentry.service.api.shape import (
    After,
    Answer,
    Body,
    Called,
    Limit,
    Line,
    Named,
    Position,
    Released,
    Said,
    Sha256,
    Word,
    part,
    problems,
)
from consentry.service.auth import Program
from consentry.service.gate import Control, Needs, NeedsAll

ROUTER = APIRouter(prefix="/v1", tags=["models"], route_class=Once)
SERVING_TTL_S = 60.0
"""For how long an answer about a model counts."""
Reader = Annotated[Principal, Depends(NeedsAll(Action.MODEL_READ))]
Remedier = Annotated[Principal, Depends(NeedsAll(Action.MODEL_REMEDY))]


class Chosen(Answer):
    """A remedy that was chosen, and who approved it."""

    remedy: Remedy
    reason: str
    by: str
    position: Position
    at: int
    approved: list[str]


class Model(Answer):
    """A model and where it stands.

    `deadline`: when the next step has to be taken. `held`: nobody may serve it now, and `why`.
    """

    model: str
    base: str | None
    stage: Stage
    deadline: int | None
    late: bool
    remedy: Chosen | None
    inherited: list[str]
    held: bool
    why: list[str]


class Models(Answer):
    """Models, in the order in which they became known."""

    models: list[Model]
    next: str | None


class WithdrawnSince(Answer):
    """How much of what a model was trained on has been withdrawn.

    `items_of_unknown_people`: of these items nobody can tell whose they were, as their files are gone or changed.
    `items_not_known`: so many more at most, of releases whose files are gone or changed: what left them is not known.
    """

    items: int
    people: int
    items_of_unknown_people: int
    items_not_known: int
    releases: list[str]


class TrainedBefore(Answer):
    """A suspension that ended, of a release that a model (or one it is built on) was trained on before it."""

    order: str
    scope: str
    ended: OrderEnd
    ended_at: int
    model: str
    release: str


class WholeModel(Model):
    """A model with what it was trained on."""

    ancestry: list[str]
    digest: str | None
    releases: list[str]
    withdrawn_since: WithdrawnSince
    trained_before: list[TrainedBefore]


class Remedying(Body):
    """What is done about an affected model. Two people approve `accept`, which needs a reason, and `drop-adapter`.

    They also approve `retrain` and `retrain-shard` where no job of ours trained the model since on half as much as
    before; for a shard, where no jobs read each file that lost items.
    """

    remedy: Remedy
    reason: Annotated[str, Field(max_length=200)] = ""


class Finished(Body):
    """That what was chosen is done; `digest` is of the weights there are now."""

    digest: Sha256 | None = None


class ModelWithdrawal(Body):
    """Why nobody may serve a model any more."""

    reason: Line


class MayBeServed(Answer):
    """Whether a model may be served. The answer counts for `ttl_s` seconds."""

    model: str
    may: bool
    reasons: list[str]
    ttl_s: float


class Registration(Body):
    """What a model comes from. Said again, it adds to what was said."""

    model: Word
    base: Word | None = None
    releases: Annotated[tuple[Released, ...], Field(max_length=100)] = ()
    leases: Annotated[tuple[Released, ...], Field(max_length=100)] = ()
    digest: Sha256 | None = None


@ROUTER.get("/models", responses=problems({422: "list-cursor"}))
def every(*, _: Reader, control: Control, limit: Limit = 100, after: After = None) -> Models:
    """Return the models."""
    found = part(control.models.every(), lambda each: str(each["model"]), limit=limit, after=after)
    return Models(models=[Model.model_validate(each) for each in found.rows], next=found.next)


@ROUTER.get("/models/{model}", responses=problems({404: "model-unknown"}))
def one(*, model: Named, _: Reader, control: Control) -> WholeModel:
    """Return a model with what it was trained on."""
    return _whole(control, model)


def _whole(control: ControlPlane, model: str) -> WholeModel:
    found = control.models.show(model)
    return WholeModel.model_validate({name: found[name] for name in WholeModel.model_fields})


@ROUTER.post(
    "/models",
    status_code=201,
    dependencies=[KEY, Depends(Needs(Action.MODEL_REGISTER))],
    responses=problems(
        {404: "release-unknown lease-unknown model-unknown", 409: "idempotency-running", 422: "model-base-cycle"}
    ),
)
def register(body: Registration, control: Control) -> Said:
    """Say what a model comes from."""
    position = control.models.register(
        body.model, base=body.base, releases=body.releases, leases=body.leases, digest=body.digest
    )
    return Said(position=position)


@ROUTER.post(
    "/models/{model}/remedy",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {404: "model-unknown", 409: "model-not-now idempotency-running", 422: "model-reason-missing case-text"}
    ),
)
def choose_remedy(*, model: Named, body: Remedying, who: Remedier, control: Control) -> WholeModel:
    """Choose what is done about an affected model. Another choice takes the place of the one before."""
    control.models.choose_remedy(model, body.remedy, by=who.handle, reason=body.reason.strip())
    with once_recorded():
        return _whole(control, model)


@ROUTER.post(
    "/models/{model}/remedy/approvals",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {404: "model-unknown", 409: "model-not-now model-weights-same model-approved-before idempotency-running"}
    ),
)
def approve_remedy(*, model: Named, who: Remedier, control: Control) -> WholeModel:
    """Approve what nothing but words show. It takes two different people.

    That is `accept`, `drop-adapter`, and training anew that no job of ours did: its new weights have to be registered.
    """
    control.models.approve_remedy(model, by=who.handle)
    with once_recorded():
        return _whole(control, model)


@ROUTER.post(
    "/models/{model}/remedy/completion",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {
            404: "model-unknown",
            409: "model-not-now model-approvals-missing model-not-retrained model-weights-same idempotency-running",
        }
    ),
)
def finish_remedy(*, model: Named, body: Finished, who: Remedier, control: Control) -> WholeModel:
    """Say that what was chosen is done."""
    control.models.finish_remedy(model, by=who.handle, digest=body.digest)
    with once_recorded():
        return _whole(control, model)


@ROUTER.post(
    "/models/{model}/withdrawal",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "model-unknown", 409: "model-already-withdrawn idempotency-running"}),
)
def withdraw(*, model: Named, body: ModelWithdrawal, who: Remedier, control: Control) -> Said:
    """Say that nobody may serve a model any more, for good."""
    return Said(position=control.models.withdraw(model, body.reason, by=who.handle))


@ROUTER.get(
    "/models/{model}/serving",
    dependencies=[Depends(Program(Action.MODEL_READ))],
    responses=problems({404: "model-unknown"}),
)
def serving(model: Called, control: Control) -> MayBeServed:
    """Say whether a model may be served."""
    found = control.models.may_serve(model)
    return MayBeServed(model=model, may=found["may"], reasons=found["reasons"], ttl_s=SERVING_TTL_S)
