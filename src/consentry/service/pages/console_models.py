"""Models: where each stands, what it was trained on and lost since, and what is done about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.errors import InputError
from consentry.ledger.lineage_events import Destroyed, Remedy
from consentry.service.gate import Control
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import REFUSED, Staff, said
from consentry.service.site import page

ROUTER = APIRouter()
Reading = Annotated[Principal, Depends(Staff(Action.MODEL_READ))]
Remedying = Annotated[Principal, Depends(Staff(Action.MODEL_REMEDY))]
Text = Annotated[str, Form()]
_MODELS = Listing(
    name="models",
    columns=(
        Column("model", N_("Model")),
        Column("base", N_("Built on")),
        Column("stage", N_("Stands"), kind="state", chosen_from=True),
        Column("served", N_("May be served"), kind="state", chosen_from=True),
        Column("deadline", N_("Next step by"), kind="time"),
        Column("chosen", N_("Remedy chosen")),
        Column("inherited", N_("Inherited from"), kind="list"),
    ),
    sort="model",
)
_LOSSES = Listing(
    name="losses",
    columns=(
        Column("at", N_("When"), kind="time"),
        Column("release", N_("Release"), chosen_from=True),
        Column("through", N_("Through"), chosen_from=True),
        Column("items", N_("Items"), kind="number"),
        Column("position", N_("Position"), kind="number"),
    ),
    sort="-position",
)
_JOBS = Listing(
    name="trained_by",
    columns=(
        Column("job", N_("Job")),
        Column("release", N_("Release"), chosen_from=True),
        Column("step", N_("Last step"), kind="number"),
        Column("items", N_("Items"), kind="number"),
        Column("not_given", N_("Of these, left out"), kind="number"),
        Column("model_checkpoints", N_("Model checkpoints"), kind="number"),
        Column("lease", N_("Lease")),
    ),
    sort="job",
)
_REMEDIES = {
    Remedy.RETRAIN: (N_("Train it again from the beginning"), N_("On a release of today.")),
    Remedy.RETRAIN_SHARD: (N_("Train the part again that saw it"), N_("Everything else still counts.")),
    Remedy.DROP_ADAPTER: (N_("Throw away the adapter that saw it"), N_("What its bases lost still counts.")),
    Remedy.ACCEPT: (N_("Do nothing"), N_("Needs a reason, and two different people who approve it.")),
}


@ROUTER.get("/console/models")
def models(request: Request, control: Control, *, _: Reading) -> Response:
    """List all models."""
    rows = [
        {
            **each,
            "served": "held" if each["held"] else "yes",
            "chosen": each["remedy"]["remedy"] if each["remedy"] else None,
        }
        for each in control.models.every()
    ]
    return _MODELS.answer(request, rows, template="console/models.html")


@ROUTER.get("/console/models/{model}")
def one(request: Request, control: Control, *, model: str, _: Reading) -> Response:
    """Show one model."""
    return _show(request, control, model)


@ROUTER.get("/console/models/{model}/losses")
def losses(request: Request, control: Control, *, model: str, _: Reading) -> Response:
    """List what a model was trained on and lost since."""
    return _LOSSES.answer(request, control.models.show(model)["losses"], template="console/losses.html", model=model)


@ROUTER.get("/console/models/{model}/jobs")
def jobs(request: Request, control: Control, *, model: str, _: Reading) -> Response:
    """List the jobs that trained a model."""
    found = control.models.show(model)["jobs"]
    rows = [{**each, "model_checkpoints": len(each["model_checkpoints"])} for each in found]
    return _JOBS.answer(request, rows, template="console/trained_by.html", model=model)


@ROUTER.post("/console/models/{model}/remedy")
def choose(
    *, request: Request, control: Control, model: str, who: Remedying, remedy: Text = "", reason: Text = ""
) -> Response:
    """Choose what is done about an affected model."""

    def do() -> object:
        if remedy not in {*Remedy}:
            raise InputError("form-word", "no remedy is chosen", help="choose one of those the form offers")
        return control.models.choose_remedy(model, Remedy(remedy), by=who.handle, reason=reason.strip())

    return _done(request, control, model, do=do, form="remedy", remedy=remedy, reason=reason)


@ROUTER.post("/console/models/{model}/approve")
def approve(request: Request, control: Control, *, model: str, who: Remedying) -> Response:
    """Approve what was done about a model where nothing but somebody's word says so."""
    return _done(request, control, model, do=lambda: control.models.approve_remedy(model, by=who.handle))


@ROUTER.post("/console/models/{model}/finish")
def finish(request: Request, control: Control, *, model: str, who: Remedying, digest: Text = "") -> Response:
    """Say that what was chosen is done."""
    return _done(
        request,
        control,
        model,
        do=lambda: control.models.finish_remedy(model, by=who.handle, digest=digest.strip() or None),
        form="finish",
        digest=digest,
    )


@ROUTER.post("/console/models/{model}/withdraw")
def withdraw(request: Request, control: Control, *, model: str, who: Remedying, why: Text = "") -> Response:
    """Say that nobody may serve a model any more."""
    return _done(
        request,
        control,
        model,
        do=lambda: control.models.withdraw(model, why.strip(), by=who.handle),
        form="withdraw",
        why=why,
    )


def _done(request: Request, control: ControlPlane, model: str, *, do: Callable[[], object], **given: str) -> Response:
    return said(
        do,
        to=f"/console/models/{quote(model)}",
        again=lambda problem: _show(request, control, model, problem=problem, given=given),
    )


def _show(
    request: Request,
    control: ControlPlane,
    model: str,
    *,
    problem: Mapping[str, Any] | None = None,
    given: Mapping[str, str] | None = None,
) -> Response:
    body = control.models.show(model)
    return page(
        request,
        "console/model.html",
        status=200 if problem is None else REFUSED,
        problem=problem,
        given=given or {},
        model=body,
        certificates=control.destruction.certificates(Destroyed.MODEL, model),
        remedies=[(str(each), *texts) for each, texts in _REMEDIES.items()],
    )
